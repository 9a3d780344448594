"""Keeps a caller's sound for a moment, so that the hiccups of a network are not heard."""

from __future__ import annotations

import numpy as np

# So much waits before it is played; each hiccup makes it more, for networks differ.
AHEAD_S = 0.06
MORE_S = 0.04
MOST_AHEAD_S = 0.2
# What waits longer is made up for in the pauses of speech, and beyond this at once.
MOST_S = 0.8
# Softer than this is a pause, of 32767.
QUIET = 300
# After so long without any sound it is another call.
FORGET_S = 2.0


class Jitter:
    """Takes 16-bit mono PCM as it comes, and gives it as it is played. It is not thread-safe."""

    def __init__(self, rate_hz: int) -> None:
        """Begin without any.

        Args:
            rate_hz: Samples a second, in and out.
        """
        self._rate_hz = rate_hz
        self._waiting = bytearray()
        self._ahead_s = AHEAD_S
        self._is_flowing = False
        self._idle_s = 0.0

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that have come and were not taken."""
        return len(self._waiting) / (2 * self._rate_hz)

    def put(self, audio: bytes) -> None:
        """Append; a pause is left out while too much waits."""
        self._idle_s = 0.0
        if self.waiting_s > self._ahead_s + MORE_S and _loudest(audio) < QUIET:
            return
        self._waiting += audio
        if self.waiting_s > MOST_S:
            del self._waiting[: -2 * int(self._ahead_s * self._rate_hz)]

    def take(self, frames: int) -> bytes:
        """Return what is played next; less than was asked for is a hiccup."""
        if not self._is_flowing and self.waiting_s < self._ahead_s:
            self._idle_s += frames / self._rate_hz
            if self._idle_s > FORGET_S:
                self._ahead_s = AHEAD_S
            return b""
        taken = bytes(self._waiting[: 2 * frames])
        del self._waiting[: 2 * frames]
        self._is_flowing = len(taken) == 2 * frames
        if not self._is_flowing:
            self._ahead_s = min(MOST_AHEAD_S, self._ahead_s + MORE_S)
        return taken


def _loudest(audio: bytes) -> int:
    return int(np.abs(np.frombuffer(audio, dtype="<i2").astype(np.int32)).max(initial=0))
