"""Notices the first moment of silence in speech, long before a voice detector is sure of it."""

from __future__ import annotations

from edgebot.engines.level import NoiseFloor, level

# A stop consonant is seldom longer, a pause between words often is.
PAUSE_S = 0.04
# So much softer than the loudest sound of the utterance (26 dB) is none of it ...
QUIET = 0.05
# ... where the room itself is quieter than that.
ABOVE_FLOOR = 2.0


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
        self._floor = NoiseFloor()
        self.begin()

    def begin(self) -> None:
        """Begin with a new utterance; the room stays the same."""
        self._loudest = 0.0
        self._quiet_s = 0.0
        self._has_paused = False

    @property
    def is_pause(self) -> bool:
        """Whether something was said, and nothing is being said now."""
        return self._loudest > 0.0 and self._quiet_s >= PAUSE_S - 1e-6

    @property
    def has_gone_on(self) -> bool:
        """Whether it has paused, and something sounds now.

        In a loud room it never does: there no pause is found.
        """
        return self._has_paused and not self.is_pause

    def hear(self, audio: bytes) -> bool:
        """Take sound in and return whether it pauses.

        Args:
            audio: Any length; 10 to 30 ms each are best.
        """
        if not audio:
            return self.is_pause
        heard, seconds = level(audio), len(audio) / (2 * self._rate_hz)
        self._floor.follow(heard, seconds)
        self._loudest = max(self._loudest, heard)
        of_room = min(ABOVE_FLOOR * self._floor.rms, 0.2 * self._loudest)
        quiet = max(QUIET * self._loudest, of_room)
        self._quiet_s = self._quiet_s + seconds if heard <= quiet else 0.0
        self._has_paused = self._has_paused or self.is_pause
        return self.is_pause
