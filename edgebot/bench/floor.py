"""The least that an answer could take: the bare calls for the same work, and the turn's hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgebot.bench.figures import figures
from edgebot.bench.stamps import END_OF_TURN, FIRST_SOUND
from edgebot.bench.turns import Asked
from edgebot.config import Settings
from edgebot.stages import hold


@dataclass(frozen=True)
class Floor:
    """What one question would take if nothing but the engines' own work were done.

    Attributes:
        hold_s: How long silence is waited for, because the turn may still go on.
        stt_s: The recognizer's work that could not begin before the last sample.
        read_s: The language model reads the question.
        write_s: It writes the first clause.
        voice_s: The voice speaks the clause as far as its first sample.
    """

    hold_s: float
    stt_s: float
    read_s: float
    write_s: float
    voice_s: float

    @property
    def work_s(self) -> float:
        """All that is computed."""
        return self.stt_s + self.read_s + self.write_s + self.voice_s

    @property
    def sum_s(self) -> float:
        """One after the other: the floor."""
        return self.hold_s + self.work_s

    @property
    def least_s(self) -> float:
        """All work done while the turn is held: no order of the same work is quicker."""
        return max(self.hold_s, self.work_s)


PARTS = ("hold_s", "stt_s", "read_s", "write_s", "voice_s")


def hold_s(settings: Settings, asked: Asked) -> float:
    """Return how long silence had to last before these words were taken for all.

    Where the turn ended later than the settings want, the rest is no hold but our delay.
    """
    ended_s = asked.times_s.get(END_OF_TURN, 0.0)
    if settings.turn.end == "smart":
        return ended_s
    return min(ended_s, settings.turn.stop_s + hold.create(settings).after(asked.heard))


def floor_section(asked: Sequence[Asked], floors: Sequence[Floor]) -> dict[str, Any]:
    """Tell how far the measured times are from the floor.

    Args:
        asked: The answered questions.
        floors: One for each of them, in their order.
    """
    pairs = list(zip(asked, floors, strict=True))
    if not pairs:
        return {}
    ratios = [one.times_s[FIRST_SOUND] / floor.sum_s for one, floor in pairs]
    least = [one.times_s[FIRST_SOUND] / floor.least_s for one, floor in pairs]
    parts = {name: asdict(figures([getattr(f, name) for f in floors])) for name in PARTS}
    return {
        "parts": parts,
        "floor_s": asdict(figures([floor.sum_s for floor in floors])),
        "ratio": asdict(figures(ratios)),
        "ratio_to_least": asdict(figures(least)),
    }
