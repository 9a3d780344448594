"""A turn is cut into tokens once, and no prompt's tokens change by it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.engines.turn_tokens import TurnTokens

END = "<end>"
BOS = 1
SAMPLE = f"One{END}Two{END}\nThree"


class Tokenizer:
    """Makes a token of each character, and one of what ends a turn."""

    def __init__(self, *, swallows: bool = False) -> None:
        self._swallowed = r"\s*" if swallows else ""
        self.texts: list[str] = []

    def __call__(self, text: str, add_bos: bool) -> list[int]:
        self.texts.append(text)
        pieces = re.findall(f"{END}{self._swallowed}|.", text, re.DOTALL)
        return [BOS] * add_bos + [2 if piece.startswith(END) else ord(piece) for piece in pieces]


PROMPTS = st.lists(st.sampled_from([END, "a", " ", "\n", "<", "ü"])).map("".join)


@given(PROMPTS, st.booleans(), st.booleans())
def test_the_tokens_are_those_of_the_whole(prompt: str, add_bos: bool, swallows: bool) -> None:
    tokenizer = Tokenizer(swallows=swallows)
    tokens = TurnTokens(tokenizer, END, SAMPLE)
    for _ in range(2):
        assert tokens(prompt, add_bos=add_bos) == tokenizer(prompt, add_bos)


def test_only_what_is_new_is_cut() -> None:
    tokenizer = Tokenizer()
    tokens = TurnTokens(tokenizer, END, SAMPLE)
    tokens(f"One{END}Two{END}", add_bos=True)
    tokenizer.texts.clear()
    tokens(f"One{END}Two{END}Four", add_bos=True)
    assert tokenizer.texts == ["Four"]


@pytest.mark.parametrize(("turn_end", "swallows"), [("", False), (END, True)])
def test_a_prompt_is_cut_as_a_whole_where_turns_are_not_apart(
    turn_end: str, swallows: bool
) -> None:
    tokenizer = Tokenizer(swallows=swallows)
    tokens = TurnTokens(tokenizer, turn_end, SAMPLE)
    tokenizer.texts.clear()
    tokens(f"One{END}\nTwo", add_bos=False)
    assert tokenizer.texts == [f"One{END}\nTwo"]
