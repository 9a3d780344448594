"""Whether what a microphone delivers is heard now, or was heard a while ago."""

from __future__ import annotations

# A device that paused for longer may deliver what it heard meanwhile, all at once.
PAUSE_S = 0.3
# How long to look at how fast sound comes, and how much more than real time still is real time.
LOOK_S = 0.1
HURRY_S = 0.05


class Freshness:
    """Tells live sound from what a device catches up with, by when it comes and how long it is.

    After a pause nothing is live until sound comes no faster than it was made: what piled up in a
    sound server that stood still is no question that somebody asks now.
    """

    def __init__(self) -> None:
        """Trust what comes first."""
        self._came_s: float | None = None
        self._since_s: float | None = None
        self._delivered_s = 0.0

    def is_live(self, now_s: float, duration_s: float) -> bool:
        """Tell whether sound is live.

        Args:
            now_s: When it came, on a clock that never jumps.
            duration_s: How long it is.
        """
        paused = self._came_s is not None and now_s - self._came_s > PAUSE_S
        self._came_s = now_s
        if paused:
            self._since_s, self._delivered_s = now_s, 0.0
            return False
        if self._since_s is None:
            return True
        self._delivered_s += duration_s
        looked_s = now_s - self._since_s
        if looked_s < LOOK_S:
            return False
        if self._delivered_s <= looked_s + HURRY_S:
            self._since_s = None
            return True
        self._since_s, self._delivered_s = now_s, 0.0
        return False
