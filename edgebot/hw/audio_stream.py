"""An open microphone and an open speaker.

PortAudio calls back from a thread of its own, so that no write ever blocks: a device that stops is
a growing `silent_s`, not a hung program.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import pyaudio

from edgebot.errors import DeviceError
from edgebot.hw.audio_device import AudioDevice, quiet_stderr, silence_alsa

PERIOD_S = 0.02
# PortAudio may wait for ever for a device whose sound server died.
CLOSE_S = 1.0
# PortAudio may be used by one thread at a time, but for the callbacks.
_PORT_AUDIO = threading.Lock()


class AudioStream:
    """What a microphone and a speaker have in common; closes at the end of a `with` block."""

    def __init__(self, device: AudioDevice, rate_hz: int, **direction: Any) -> None:
        self.rate_hz = rate_hz
        self._called_at = time.monotonic()
        with _PORT_AUDIO, quiet_stderr():
            self._library = pyaudio.PyAudio()
            silence_alsa()
            try:
                self._stream = self._library.open(
                    rate=rate_hz,
                    channels=1,
                    format=pyaudio.paInt16,
                    frames_per_buffer=int(rate_hz * PERIOD_S),
                    stream_callback=self._callback,
                    **direction,
                )
            except OSError as error:
                self._library.terminate()
                raise DeviceError(
                    f"The audio device {device.name!r} cannot be opened: "
                    f"{error.strerror or error.args[-1]}."
                ) from None

    @property
    def silent_s(self) -> float:
        """Seconds since the device last asked for sound, or delivered some."""
        return time.monotonic() - self._called_at

    def _callback(
        self, sound: bytes | None, frames: int, times: object, status: int
    ) -> tuple[bytes | None, int]:
        self._called_at = time.monotonic()
        return self._exchange(sound, frames), pyaudio.paContinue

    def _exchange(self, sound: bytes | None, frames: int) -> bytes | None:
        raise NotImplementedError

    def close(self) -> None:
        """Give the device back; one that does not answer any more is left behind."""
        closing = threading.Thread(target=self._close, name="close audio", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _close(self) -> None:
        with _PORT_AUDIO:
            self._stream.close()
            self._library.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MicrophoneStream(AudioStream):
    """Hands on what a microphone hears."""

    def __init__(
        self, device: AudioDevice, rate_hz: int, when_audio: Callable[[bytes], None]
    ) -> None:
        """Open a microphone.

        Args:
            device: Which one.
            rate_hz: The rate to record at.
            when_audio: Called in PortAudio's thread with 20 ms of 16-bit mono PCM.

        Raises:
            DeviceError: It cannot be opened.
        """
        self._when_audio = when_audio
        super().__init__(device, rate_hz, input=True, input_device_index=device.index)

    def _exchange(self, sound: bytes | None, frames: int) -> bytes | None:
        if sound:
            self._when_audio(sound)
        return None


class SpeakerStream(AudioStream):
    """Plays what is written to it, and silence when there is nothing."""

    def __init__(self, device: AudioDevice, rate_hz: int) -> None:
        """Open a speaker.

        Args:
            device: Which one.
            rate_hz: The rate to play at.

        Raises:
            DeviceError: It cannot be opened.
        """
        self._waiting = bytearray()
        self._lock = threading.Lock()
        super().__init__(device, rate_hz, output=True, output_device_index=device.index)

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that are written and not yet handed to the device."""
        return len(self._waiting) / (2 * self.rate_hz)

    def write(self, audio: bytes) -> None:
        """Append 16-bit mono PCM; returns at once."""
        with self._lock:
            self._waiting += audio

    def clear(self) -> None:
        """Throw away what waits: silence follows within a period or two."""
        with self._lock:
            self._waiting.clear()

    def _exchange(self, sound: bytes | None, frames: int) -> bytes | None:
        size = frames * 2
        with self._lock:
            audio = bytes(self._waiting[:size])
            del self._waiting[:size]
        return audio.ljust(size, b"\0")
