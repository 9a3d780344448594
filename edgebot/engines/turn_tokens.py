"""Tokens of a conversation that grows: each turn is cut into them only once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

# More turns than fit a context, with what was heard of each while it was said.
_KEPT_TURNS = 256

Tokenize = Callable[[str, bool], list[int]]


class TurnTokens:
    """Cuts a prompt into tokens turn by turn, and remembers those of each. Thread-safe."""

    def __init__(self, tokenize: Tokenize, turn_end: str, sample: str) -> None:
        """Find out whether that can be done.

        Args:
            tokenize: Returns the tokens of a text, behind the one for its beginning if that is
                wanted.
            turn_end: The text of the token that ends a turn; "" is not known.
            sample: A prompt of some turns. Where its tokens are not those of its turns, because a
                token takes in what stands around it, every prompt is cut as a whole.
        """
        self._tokens = lru_cache(_KEPT_TURNS)(lambda text, bos: tuple(tokenize(text, bos)))
        self._turn = re.compile(f"(?<={re.escape(turn_end)})") if turn_end else None
        if self(sample, add_bos=True) != tokenize(sample, True):
            self._turn = None

    def __call__(self, prompt: str, *, add_bos: bool) -> list[int]:
        """Return a prompt's tokens.

        Args:
            prompt: In the model's own template.
            add_bos: Begin with the token for the beginning of a text.
        """
        turns = self._turn.split(prompt) if self._turn else [prompt]
        tokens: list[int] = []
        for number, turn in enumerate(turns):
            tokens += self._tokens(turn, add_bos and number == 0)
        return tokens
