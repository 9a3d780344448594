"""How many threads the language model may have beside the engines that compute."""

from __future__ import annotations

import pytest

from edgebot.engines.at_work import AtWork


@pytest.mark.parametrize(
    ("processors", "threads", "alone", "beside_one", "beside_two"),
    [(1, 1, 1, 1, 1), (2, 2, 2, 1, 1), (4, 3, 3, 3, 2), (4, 4, 4, 3, 2), (4, 1, 1, 1, 1)],
)
def test_each_engine_that_computes_has_a_processor(
    processors: int, threads: int, alone: int, beside_one: int, beside_two: int
) -> None:
    others = AtWork(processors)
    assert others.left_of(threads) == alone
    with others.counted():
        assert others.left_of(threads) == beside_one
        with others.counted():
            assert others.left_of(threads) == beside_two
    assert others.left_of(threads) == alone


def test_an_engine_that_fails_is_at_work_no_more() -> None:
    others = AtWork(2)
    with pytest.raises(RuntimeError), others.counted():
        raise RuntimeError
    assert others.left_of(2) == 2
