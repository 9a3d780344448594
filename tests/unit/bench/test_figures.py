"""Many measurements as few figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.bench.figures import Figures, figures


def test_figures_of_twenty() -> None:
    values = [float(number) for number in range(20, 0, -1)]
    assert figures(values) == Figures(
        first=20.0, p50=10.5, p95=pytest.approx(19.05), worst=20.0, count=20
    )


def test_one_value_is_all_of_them() -> None:
    assert figures([0.5]) == Figures(0.5, 0.5, 0.5, 0.5, 1)


def test_between_two_values_it_is_a_straight_line() -> None:
    assert figures([1.0, 2.0]).p95 == pytest.approx(1.95)


@given(st.lists(st.floats(0, 100), min_size=1))
def test_they_are_in_order(values: list[float]) -> None:
    made = figures(values)
    assert min(values) <= made.p50 <= made.p95 <= made.worst == max(values)
    assert made.first == values[0]
