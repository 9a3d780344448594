"""Which grammars are handed to llama.cpp."""

from __future__ import annotations

import llama_cpp
import pytest

from edgebot.engines.sampler import grammar_sampler


def test_a_grammar_is_read() -> None:
    sampler = grammar_sampler(None, 'root ::= "yes" | "no"\n')
    assert sampler
    llama_cpp.llama_sampler_free(sampler)


@pytest.mark.parametrize(
    "text",
    ["yes", 'root ::= "yes', 'root ::= "yes" missing', 'start ::= "yes"', "root ::= root"],
)
def test_a_grammar_that_would_end_the_process_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read the grammar"):
        grammar_sampler(None, text)
