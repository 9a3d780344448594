"""How llama.cpp chooses the next token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llama_cpp

# So many tokens back a repetition counts.
_REPETITION_TOKENS = 64


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 always takes the likeliest."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    max_tokens: int = 96


class Sampler:
    """Chooses the tokens of one answer."""

    def __init__(self, vocabulary: Any, sampling: Sampling, grammar: str | None = None) -> None:
        """Join llama.cpp's samplers into a chain.

        Args:
            vocabulary: The model's.
            sampling: How it chooses.
            grammar: GBNF that the answer must follow.

        Raises:
            ValueError: llama.cpp cannot read the grammar.
        """
        rules = grammar_sampler(vocabulary, grammar) if grammar else None
        self._chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        for sampler in [rules, *_samplers(sampling)]:
            if sampler:
                llama_cpp.llama_sampler_chain_add(self._chain, sampler)

    def close(self) -> None:
        """Free the chain, which llama.cpp does not do by itself."""
        llama_cpp.llama_sampler_free(self._chain)

    def choose(self, context: Any, place: int) -> int:
        """Return the token that follows a place of the last batch; -1 is its end."""
        return int(llama_cpp.llama_sampler_sample(self._chain, context, place))


def grammar_sampler(vocabulary: Any, grammar: str) -> Any:
    """Return llama.cpp's sampler for a grammar.

    Raises:
        ValueError: llama.cpp cannot read it.
    """
    rules = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar.encode("utf-8"), b"root")
    if not rules:
        raise ValueError("llama.cpp cannot read the grammar")
    return rules


def _samplers(sampling: Sampling) -> list[Any]:
    chain: list[Any] = []
    if sampling.repeat_penalty != 1.0:
        chain.append(
            llama_cpp.llama_sampler_init_penalties(
                _REPETITION_TOKENS, sampling.repeat_penalty, 0.0, 0.0
            )
        )
    if sampling.temperature <= 0.0:
        return [*chain, llama_cpp.llama_sampler_init_greedy()]
    return [
        *chain,
        llama_cpp.llama_sampler_init_top_k(sampling.top_k),
        llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
        llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
        llama_cpp.llama_sampler_init_temp(sampling.temperature),
        llama_cpp.llama_sampler_init_dist(llama_cpp.LLAMA_DEFAULT_SEED),
    ]
