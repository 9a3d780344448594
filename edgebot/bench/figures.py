"""Many measurements as few figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """The same thing measured several times.

    Attributes:
        first: The first time.
        p50: The median.
        p95: 19 of 20 are no more than this.
        worst: The largest.
        count: How many there were.
    """

    first: float
    p50: float
    p95: float
    worst: float
    count: int


def figures(values: Sequence[float]) -> Figures:
    """Return what is told of some values, of which there is at least one.

    Between two neighbouring values, the 95th percentile is drawn as a straight line.
    """
    ordered = sorted(values)
    place = 0.95 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    p95 = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return Figures(values[0], statistics.median(ordered), p95, ordered[-1], len(ordered))
