"""Whether what was said so far sounds complete, and not only by its words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger

from edgebot.errors import EngineError
from edgebot.stages.recent_sound import RATE_HZ, RecentSound
from edgebot.stages.smart_turn import LOOKS_AT_S

# A voice detector is late, and Smart Turn has learnt from turns with some room before them.
BEFORE_S = 0.3
# The longer the silence, the likelier it finds every end.
BEHIND_S = 0.1
# Words come later than the silence behind them.
LATE_S = 1.0


class Melody:
    """Keeps the sound of a turn, and has it judged when somebody pauses.

    An engine that fails is a warning told once; from then on nothing is known.
    """

    def __init__(self, completeness: Callable[[bytes], float]) -> None:
        """Name the judge.

        Args:
            completeness: Returns how likely it is that nothing follows sound, 16-bit mono PCM at
                16 kHz; called in a thread.
        """
        self._completeness: Callable[[bytes], float] | None = completeness
        self._sound = RecentSound(keep_s=LOOKS_AT_S + LATE_S)
        self._began_s = self._ended_s = 0.0

    def hear(self, audio: bytes) -> None:
        """Take sound in, at any time."""
        self._sound.add(audio)

    def begin(self, ago_s: float) -> None:
        """Take note that a turn began.

        Args:
            ago_s: For how long somebody has spoken.
        """
        self._began_s = self._sound.now_s - ago_s - BEFORE_S

    def end(self, ago_s: float) -> None:
        """Take note that nobody speaks.

        Args:
            ago_s: For how long already.
        """
        self._ended_s = self._sound.now_s - ago_s + BEHIND_S

    async def completeness(self) -> float | None:
        """Return how likely it is, by its sound, that the turn is complete; None is not known."""
        if self._completeness is None:
            return None
        now_s = self._sound.now_s
        audio = self._sound.last(now_s - self._began_s)
        audio = audio[: len(audio) - max(0, round((now_s - self._ended_s) * RATE_HZ)) * 2]
        try:
            return await asyncio.to_thread(self._completeness, audio)
        except EngineError as error:
            self._completeness = None
            logger.warning(f"Whether a turn is complete is told by its words only, because {error}")
            return None
