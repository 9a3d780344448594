"""Two reports side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Compared:
    """One figure of two reports.

    Attributes:
        name: Where it is in a report: `turns.stages.first sound.p50`.
        old: What it was.
        new: What it is.
    """

    name: str
    old: float
    new: float

    @property
    def ratio(self) -> float | None:
        """What it is for each one that it was; None where it was nothing."""
        return self.new / self.old if self.old else None


def numbers(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a report with its name; lists are left out."""
    for name, value in report.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Compared]:
    """Return the figures that two reports share, in the order of the new one."""
    before = dict(numbers(old))
    return [Compared(name, before[name], value) for name, value in numbers(new) if name in before]
