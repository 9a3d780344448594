"""What of an evaluated conversation can be kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.engines.llama import LlamaEngine, common_prefix, longest_run
from edgebot.errors import BrokenModelError

TOKENS = st.lists(st.integers(0, 3), max_size=20)


def array(tokens: list[int]) -> np.ndarray:
    return np.asarray(tokens, dtype=np.intc)


def naive_prefix(first: list[int], second: list[int]) -> int:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return length


@pytest.mark.parametrize(
    ("first", "second", "length"),
    [([], [], 0), ([1], [], 0), ([1, 2], [1, 2], 2), ([1, 2], [1, 3], 1), ([1], [1, 2], 1)],
)
def test_common_prefix(first: list[int], second: list[int], length: int) -> None:
    assert common_prefix(array(first), array(second)) == length


@given(TOKENS, TOKENS)
def test_common_prefix_is_that_of_a_loop(first: list[int], second: list[int]) -> None:
    assert common_prefix(array(first), array(second)) == naive_prefix(first, second)


@pytest.mark.parametrize(
    ("known", "wanted", "after", "place", "length"),
    [
        ([1, 2, 3, 4, 5], [4, 5, 6], 1, 3, 2),
        # The place itself is what differs: only what lies past it can move down.
        ([1, 2, 3], [1, 2], 0, 0, 0),
        # The longest wins, and of equal ones the first.
        ([0, 7, 0, 7, 8, 0, 7, 8], [7, 8, 9], 0, 3, 2),
        ([0, 7], [], 0, 0, 0),
        ([], [7], 0, 0, 0),
    ],
)
def test_longest_run(
    known: list[int], wanted: list[int], after: int, place: int, length: int
) -> None:
    assert longest_run(array(known), array(wanted), after) == (place, length)


@given(TOKENS, TOKENS, st.integers(0, 20))
def test_longest_run_is_that_of_a_loop(known: list[int], wanted: list[int], after: int) -> None:
    best = (0, 0)
    for place in range(after + 1, len(known)):
        length = naive_prefix(known[place:], wanted)
        if length > best[1]:
            best = (place, length)
    assert longest_run(array(known), array(wanted), after) == best


@given(TOKENS, TOKENS)
def test_what_is_kept_is_what_is_wanted(known: list[int], wanted: list[int]) -> None:
    start = common_prefix(array(known), array(wanted))
    place, length = longest_run(array(known), array(wanted[start:]), start)
    assert known[:start] + known[place : place + length] == wanted[: start + length]


@pytest.mark.parametrize("content", [None, b"", b"no model", b"GGUF" + bytes(60)])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BrokenModelError) as caught:
        LlamaEngine(path, context_tokens=256)
    assert str(caught.value).startswith(f"llama.cpp cannot load {path}: ")
