"""A microphone that is opened while there is other work to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from edgebot.errors import DeviceError


class Closable(Protocol):
    """What the microphone must be able to do."""

    def close(self) -> None: ...


M = TypeVar("M", bound=Closable)
WhenAudio = Callable[[bytes], None]


class OpenedAhead(Generic[M]):
    """Opens a microphone at once, and hands it over when it is wanted.

    A sound server may take two seconds to wake a device that slept; engines take as long to load.
    What is heard meanwhile goes nowhere.
    """

    def __init__(self, open_microphone: Callable[[WhenAudio], M]) -> None:
        """Begin to open it, in a thread.

        Args:
            open_microphone: Opens it and is handed where its sound goes; raises DeviceError.
        """
        self._open = open_microphone
        self._when_audio: WhenAudio | None = None
        self._microphone: M | None = None
        self._lock = threading.Lock()
        self._is_unwanted = False
        self._opening = threading.Thread(target=self._begin, name="microphone", daemon=True)
        self._opening.start()

    def _begin(self) -> None:
        try:
            microphone = self._open(self._hear)
        except DeviceError:
            # Whoever wants it opens it anew, and tells why it cannot be opened.
            return
        with self._lock:
            if not self._is_unwanted:
                self._microphone = microphone
                return
        microphone.close()

    def _hear(self, audio: bytes) -> None:
        when_audio = self._when_audio
        if when_audio is not None:
            when_audio(audio)

    def open(self, when_audio: WhenAudio) -> M:
        """Return the microphone that was opened ahead; from the second time on, another one.

        Args:
            when_audio: Where its sound goes from now on.

        Raises:
            DeviceError: It cannot be opened.
        """
        self._opening.join()
        with self._lock:
            microphone, self._microphone = self._microphone, None
            self._is_unwanted = True
        if microphone is None:
            return self._open(when_audio)
        self._when_audio = when_audio
        return microphone

    def close(self) -> None:
        """Give the microphone back if nobody has wanted it."""
        with self._lock:
            microphone, self._microphone = self._microphone, None
            self._is_unwanted = True
        if microphone is not None:
            microphone.close()
