"""A device that is opened while there is other work to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from edgebot.errors import DeviceError


class Closable(Protocol):
    """What the device must be able to do."""

    def close(self) -> None: ...


D = TypeVar("D", bound=Closable)
WhenSound = Callable[..., None]


class OpenedAhead(Generic[D]):
    """Opens a microphone or a speaker at once, and hands it over when it is wanted.

    A sound server may take two seconds to wake a device that slept; engines take as long to load.
    Nobody is told of the sound that passes meanwhile.
    """

    def __init__(self, open_device: Callable[[WhenSound], D]) -> None:
        """Begin to open it, in a thread.

        Args:
            open_device: Opens it and is handed whom to tell of its sound; raises DeviceError.
        """
        self._open = open_device
        self._when_sound: WhenSound | None = None
        self._device: D | None = None
        self._lock = threading.Lock()
        self._is_unwanted = False
        self._opening = threading.Thread(target=self._begin, name="audio device", daemon=True)
        self._opening.start()

    def _begin(self) -> None:
        try:
            device = self._open(self._sounds)
        except DeviceError:
            # Whoever wants it opens it anew, and tells why it cannot be opened.
            return
        with self._lock:
            if not self._is_unwanted:
                self._device = device
                return
        device.close()

    def _sounds(self, *sound: Any) -> None:
        when_sound = self._when_sound
        if when_sound is not None:
            when_sound(*sound)

    def open(self, when_sound: WhenSound) -> D:
        """Return the device that was opened ahead; from the second time on, another one.

        Args:
            when_sound: Is told of its sound from now on.

        Raises:
            DeviceError: It cannot be opened.
        """
        self._opening.join()
        with self._lock:
            device, self._device = self._device, None
            self._is_unwanted = True
        if device is None:
            return self._open(when_sound)
        self._when_sound = when_sound
        return device

    def close(self) -> None:
        """Give the device back if nobody has wanted it."""
        with self._lock:
            device, self._device = self._device, None
            self._is_unwanted = True
        if device is not None:
            device.close()
