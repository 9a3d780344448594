"""What a speaker is handed next: the voice, chimes and a caller over it, and how loud all is."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from edgebot.hw.jitter import Jitter

# Sound that breaks off within less clicks.
CUT_S = 0.005
HOLD_FADE_S = 0.01
# A voice that is held back for longer has been forgotten.
LONGEST_HOLD_S = 5.0

Samples = NDArray[np.float32]
_LOUDEST = 32767.0


class Mixer:
    """Takes 16-bit mono PCM from any thread, and gives it to the one that plays."""

    def __init__(self, rate_hz: int, volume: float = 1.0) -> None:
        """Begin with silence.

        Args:
            rate_hz: The rate of all sound, in and out.
            volume: 0.0 to 1.0.
        """
        self.rate_hz = rate_hz
        self._lock = threading.Lock()
        self._voice = bytearray()
        self._chimes: list[Samples] = []
        self._caller = Jitter(rate_hz)
        self._target_volume = self._volume = volume
        # The voice's own loudness: between 1 and 0 while it fades.
        self._gain = 1.0
        self._is_held = False
        self._held_frames = 0

    @property
    def waiting_s(self) -> float:
        """Seconds of the voice that are written and not taken."""
        return len(self._voice) / (2 * self.rate_hz)

    def write(self, audio: bytes) -> None:
        """Append to the voice."""
        with self._lock:
            self._voice += audio

    def clear(self) -> None:
        """Throw away what waits of the voice, but for the few ms in which it fades out."""
        with self._lock:
            size = 0 if self._gain == 0 else 2 * int(CUT_S * self.rate_hz)
            tail = _samples(self._voice[:size])
            fade = 1 - np.arange(1, len(tail) + 1, dtype=np.float32) / max(1, len(tail))
            self._voice[:] = np.rint(tail * fade).astype("<i2").tobytes()

    def hold(self, held: bool) -> None:
        """Fade the voice out and keep what is left of it, or go on with it."""
        with self._lock:
            self._is_held, self._held_frames = held, 0

    def chime(self, audio: bytes) -> None:
        """Play something over whatever sounds."""
        with self._lock:
            self._chimes.append(_samples(audio))

    def caller(self, audio: bytes) -> None:
        """Play a caller over whatever sounds."""
        with self._lock:
            self._caller.put(audio)

    def set_volume(self, volume: float) -> None:
        """Set how loud everything is, 0.0 to 1.0."""
        with self._lock:
            self._target_volume = volume

    def take(self, frames: int) -> bytes:
        """Return what sounds next, padded with silence."""
        with self._lock:
            voice = self._take_voice(frames)
            chimes = self._take_chimes(frames)
            caller = self._caller.take(frames)
            start, self._volume = self._volume, self._target_volume
        parts = [part for part in (voice, chimes) if part is not None]
        if caller:
            parts.append(_padded(_samples(caller), frames))
        if not parts:
            return bytes(2 * frames)
        mixed = sum(parts, np.float32(0))
        if start != self._volume:
            mixed = mixed * np.linspace(start, self._volume, frames, dtype=np.float32)
        elif start != 1.0:
            mixed = mixed * np.float32(start)
        return bytes(np.clip(np.rint(mixed), -_LOUDEST, _LOUDEST).astype("<i2").tobytes())

    def _take_voice(self, frames: int) -> Samples | None:
        if self._is_held:
            self._held_frames += frames
            if self._held_frames > LONGEST_HOLD_S * self.rate_hz:
                self._is_held = False
        goal = 0.0 if self._is_held else 1.0
        if not self._voice:
            self._gain = goal
            return None
        if self._gain == goal:
            return None if self._is_held else self._cut(frames, frames)
        return self._fade(frames, goal)

    def _fade(self, frames: int, goal: float) -> Samples:
        step = (goal - self._gain) / abs(goal - self._gain) / (HOLD_FADE_S * self.rate_hz)
        gains = np.clip(self._gain + step * np.arange(1, frames + 1), 0, 1).astype(np.float32)
        # What would be faded to nothing is kept.
        audible = int(np.count_nonzero(gains))
        self._gain = float(gains[-1])
        voice = self._cut(audible, frames)
        voice *= gains
        return voice

    def _cut(self, count: int, frames: int) -> Samples:
        taken = _samples(self._voice[: 2 * count])
        del self._voice[: 2 * count]
        return _padded(taken, frames)

    def _take_chimes(self, frames: int) -> Samples | None:
        if not self._chimes:
            return None
        mixed = np.sum([_padded(chime[:frames], frames) for chime in self._chimes], axis=0)
        self._chimes = [chime[frames:] for chime in self._chimes if len(chime) > frames]
        return np.asarray(mixed, dtype=np.float32)


def _samples(audio: bytes | bytearray) -> Samples:
    return np.frombuffer(bytes(audio), dtype="<i2").astype(np.float32)


def _padded(samples: Samples, frames: int) -> Samples:
    return np.pad(samples, (0, frames - len(samples))) if len(samples) < frames else samples
