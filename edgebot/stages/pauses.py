"""Notices the first moment of silence in speech, long before a voice detector is sure of it."""

from __future__ import annotations

import numpy as np

# A stop consonant is shorter, a pause between words often is not.
PAUSE_S = 0.06
# So much softer than the loudest sound of the utterance (26 dB) is none of it ...
QUIET = 0.05
# ... where the room itself is quieter than that.
ABOVE_FLOOR = 2.0
# The floor rises by as much a second, so that a fan that is turned on becomes part of the room.
FLOOR_RISES = 1.5


class PauseDetector:
    """Follows the loudness of sound, and tells whether it pauses right now.

    In a loud room no pause is found; then the voice detector's word has to be waited for.
    """

    def __init__(self, rate_hz: int) -> None:
        """Begin in silence.

        Args:
            rate_hz: Of the sound, 16-bit mono PCM.
        """
        self._rate_hz = rate_hz
        self._floor = float("inf")
        self.begin()

    def begin(self) -> None:
        """Begin with a new utterance; the room stays the same."""
        self._loudest = 0.0
        self._quiet_s = 0.0

    @property
    def is_pause(self) -> bool:
        """Whether something was said, and nothing is being said now."""
        return self._loudest > 0.0 and self._quiet_s >= PAUSE_S - 1e-6

    def hear(self, audio: bytes) -> bool:
        """Take sound in and return whether it pauses.

        Args:
            audio: Any length; 10 to 30 ms each are best.
        """
        samples = np.frombuffer(audio, dtype="<i2").astype(np.float32)
        if not samples.size:
            return self.is_pause
        level, seconds = float(np.sqrt(np.mean(samples**2))), samples.size / self._rate_hz
        self._floor = min(max(level, 1.0), self._floor * FLOOR_RISES**seconds)
        self._loudest = max(self._loudest, level)
        quiet = max(QUIET * self._loudest, min(ABOVE_FLOOR * self._floor, 0.2 * self._loudest))
        self._quiet_s = self._quiet_s + seconds if level <= quiet else 0.0
        return self.is_pause
