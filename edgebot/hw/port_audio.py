"""PortAudio itself: opened once for all streams, and afresh when its list of devices is old.

PortAudio looks for devices only when it is opened, and the whole process shares what it found. The
list is renewed only when every stream is closed: without need nobody's sound is broken off.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyaudio

from edgebot.errors import DeviceError
from edgebot.hw.audio_device import AudioDevice, Kind, find_in, open_in, prepare_libraries
from edgebot.hw.foreign_thread import KeptState

# PortAudio may wait for ever for a device whose sound server stands still.
CLOSE_S = 1.0
# Another thread may hang in PortAudio for as long as a sound server stands still.
ENTER_S = 3.0
# A device that was busy is missing in the list, though no hardware has come or gone.
LIST_LASTS_S = 15.0
# A device that has just come may not open yet.
SETTLE_S = 4.0
_LEAVE_S = 0.2
_LOOK_EVERY_S = 0.005

Callback = Callable[["Handle", bytes | None, int], bytes | None]


def hardware() -> str:
    """Describe the sound hardware and servers of this machine: another text is another machine."""
    try:
        cards = Path("/proc/asound/cards").read_text(encoding="utf-8")
    except OSError:
        cards = ""
    run = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    pulse = Path(os.environ.get("PULSE_RUNTIME_PATH") or run / "pulse")
    servers = (pulse / "native", run / "pipewire-0", Path("/run/pulse/native"))
    return cards + "".join(str(server) for server in servers if is_there(server))


def is_there(path: Path) -> bool:
    """Tell whether a path exists; what a sandbox hides does not."""
    try:
        return path.exists()
    except OSError:
        return False


class PortAudio:
    """Opens streams by the names of devices, from any thread; one for a process."""

    def __init__(self, *, hardware: Callable[[], str] = hardware) -> None:
        """Open nothing yet.

        Args:
            hardware: Tells whether devices may have come or gone.
        """
        self._hardware = hardware
        self._seen = ""
        self._listed_s = self._changed_s = float("-inf")
        self._library: pyaudio.PyAudio | None = None
        self._handles: set[Handle] = set()
        self._lock = threading.RLock()
        # What may hang in PortAudio: meanwhile its list cannot be renewed.
        self._is_renewing = False
        self._opening: set[Handle] = set()

    def open(self, kind: Kind, wanted: str | int, period_s: float, callback: Callback) -> Handle:
        """Find a device by its name and open it at its own rate.

        Args:
            kind: What to open.
            wanted: A name, a part of one, an index, or "default".
            period_s: How much sound is exchanged at a time.
            callback: Called in PortAudio's thread with the stream, what was recorded, or None, and
                the number of frames; it returns what is to be played, or None.

        Raises:
            NoMicrophoneError: There is no such microphone.
            NoSpeakerError: There is no such speaker.
            DeviceBusyError: Another program holds it.
            DeviceError: It cannot be opened.
        """
        with self.entered():
            if self._is_renewing:
                raise DeviceError("The sound system does not answer: restart the sound server.")
            if not self._handles and not self._opening:
                self._renew()
            try:
                return self._open(kind, wanted, period_s, callback)
            except DeviceError:
                if self._opening or not self._is_old() or not self._give_up_all():
                    raise
            self._renew()
            return self._open(kind, wanted, period_s, callback)

    def _is_old(self) -> bool:
        """Tell whether the list may lack a device, which is worth a gap in another one's sound."""
        now_s = time.monotonic()
        if self._hardware() != self._seen:
            self._changed_s = now_s
        lasts_s = 0.0 if now_s - self._changed_s <= SETTLE_S else LIST_LASTS_S
        return now_s - self._listed_s >= lasts_s

    def close(self) -> None:
        """Give all devices back."""
        with self.entered():
            if self._give_up_all() and not self._opening:
                self._terminate()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Keep other threads out, but not at the price of one that hangs in PortAudio."""
        is_entered = self._lock.acquire(timeout=ENTER_S)
        try:
            yield
        finally:
            if is_entered:
                self._lock.release()

    def _renew(self) -> None:
        self._is_renewing = True
        try:
            self._terminate()
            self._start()
        finally:
            self._is_renewing = False

    def _start(self) -> None:
        prepare_libraries()
        self._seen, self._listed_s = self._hardware(), time.monotonic()
        self._library = pyaudio.PyAudio()

    def _terminate(self) -> None:
        library, self._library = self._library, None
        if library is not None:
            library.terminate()

    def _give_up_all(self) -> bool:
        for handle in list(self._handles):
            handle.is_given_up = True
            handle.close()
        return not self._handles

    def _open(self, kind: Kind, wanted: str | int, period_s: float, callback: Callback) -> Handle:
        assert self._library is not None
        handle = Handle(self, find_in(self._library, kind, wanted), callback)
        self._opening.add(handle)
        try:
            handle.start(self._library, kind, period_s)
            self._handles.add(handle)
        finally:
            self._opening.discard(handle)
        return handle

    def forget(self, handle: Handle) -> None:
        """Take note that a stream is closed."""
        self._handles.discard(handle)


class Handle:
    """An open stream of PortAudio's.

    Attributes:
        device: What it belongs to.
        rate_hz: The rate that the device was opened at.
        channels: How many it was opened with.
        is_given_up: Whether it was closed for the sake of another device.
    """

    def __init__(self, owner: PortAudio, device: AudioDevice, callback: Callback) -> None:
        self.device = device
        self.rate_hz = device.rate_hz
        self.channels = 1
        self.is_given_up = False
        self._owner = owner
        self._callback = callback
        self._is_closing = False
        self._state = KeptState()
        self._stream: Any = None

    def start(self, library: pyaudio.PyAudio, kind: Kind, period_s: float) -> None:
        """Open the stream; its callback may come before this returns."""

        def make_callback(rate_hz: int, channels: int) -> Callable[..., Any]:
            self.rate_hz, self.channels = rate_hz, channels
            return self._called

        self._stream = open_in(
            library, self.device, kind, period_s=period_s, make_callback=make_callback
        ).stream

    def _called(
        self, sound: bytes | None, frames: int, times: object, status: int
    ) -> tuple[bytes | None, int]:
        # A thread that leaves by itself is not cancelled in the middle of Python's own locks.
        if self._is_closing:
            self._state.let_go()
            return None if sound else bytes(2 * frames * self.channels), pyaudio.paAbort
        self._state.keep()
        return self._callback(self, sound, frames), pyaudio.paContinue

    @property
    def is_active(self) -> bool:
        """Whether PortAudio still serves it; it may be frozen all the same."""
        if self._is_closing:
            return False
        try:
            return bool(self._stream.is_active())
        except OSError:
            return False

    def close(self) -> None:
        """Give the device back; one that does not answer any more is left behind."""
        if self._is_closing:
            return
        self._is_closing = True
        with self._owner.entered():
            thread = threading.Thread(target=self._close, name="close audio", daemon=True)
            thread.start()
            thread.join(CLOSE_S)

    def _close(self) -> None:
        deadline_s = time.monotonic() + _LEAVE_S
        with contextlib.suppress(OSError):
            while self._stream.is_active() and time.monotonic() < deadline_s:
                time.sleep(_LOOK_EVERY_S)
        with contextlib.suppress(OSError):
            self._stream.close()
        self._owner.forget(self)
