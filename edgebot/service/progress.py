"""Whether what must move moves: the microphone, the speaker and the engines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from enum import StrEnum

from edgebot.state import Facts, Fault


class Part(StrEnum):
    """What makes progress of its own."""

    MICROPHONE = "microphone"
    SPEAKER = "speaker"
    ENGINE = "engine"


# A part that is lost is opened again, or its fault told, well before; beyond this only a new
# process helps. A large model reads a long question for a while on a slow processor.
LIMITS_S = {Part.MICROPHONE: 12.0, Part.SPEAKER: 12.0, Part.ENGINE: 60.0}


class Progress:
    """Knows when each part last moved."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved_at: dict[Part, float] = {}
        self._wanted_since: dict[Part, float] = {}

    def fed(self, part: Part, age_s: float = 0.0) -> None:
        """Take note that a part moved.

        Args:
            part: Which one.
            age_s: How long ago.
        """
        self._moved_at[part] = self._clock() - age_s

    def know(self, facts: Facts) -> None:
        """Take note of what the assistant is doing."""
        now = self._clock()
        since = self._wanted_since
        self._wanted_since = {part: since.get(part, now) for part in _wanted(facts)}

    def still_s(self) -> dict[Part, float]:
        """Return how long each part that should move has not.

        A part that has never moved is not watched: nobody feeds it.
        """
        now = self._clock()
        return {
            part: now - max(self._moved_at[part], since)
            for part, since in self._wanted_since.items()
            if part in self._moved_at
        }

    def stuck(self) -> list[Part]:
        """Return the parts that have not moved for too long."""
        return [part for part, still in self.still_s().items() if still > LIMITS_S[part]]


def _wanted(facts: Facts) -> Iterator[Part]:
    if facts.started and not facts.muted and Fault.MICROPHONE not in facts.faults:
        yield Part.MICROPHONE
    if facts.speaking and Fault.SPEAKER not in facts.faults:
        yield Part.SPEAKER
    if facts.thinking and not facts.faults & {Fault.ENGINE, Fault.MODEL}:
        yield Part.ENGINE
