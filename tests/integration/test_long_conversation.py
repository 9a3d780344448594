"""A hundred turns in one process: bounded, level, and as fast at the end as at the beginning."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import psutil
import pytest

from edgebot.chatting import TextConversation
from edgebot.config import Settings

TURNS = 100
QUESTIONS = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "Tell me something about the sea, and about the ships that people sail on it.",
    "Who wrote Romeo and Juliet?",
)
# About 10 are measured, in steps of the allocator; a prompt kept for each turn would be more.
MOST_GROWTH_MB = 25


async def test_a_hundred_turns(
    make_settings: Callable[..., Settings], record_property: Callable[[str, object], None]
) -> None:
    # A small context is full after a dozen turns. A prompt that outgrew it would be refused, and
    # the refusal noted.
    settings = make_settings("llm.context_tokens=768", "llm.max_tokens=24")
    notes: list[str] = []
    waits_s: list[float] = []
    memory_mb: list[float] = []
    async with TextConversation.start(settings, when_note=notes.append) as conversation:
        for turn in range(TURNS):
            begun, pieces = time.perf_counter(), []

            def told(text: str, begun: float = begun, pieces: list[float] = pieces) -> None:
                pieces.append(time.perf_counter() - begun)

            answer = await conversation.ask(QUESTIONS[turn % len(QUESTIONS)], when_text=told)
            assert answer
            waits_s.append(pieces[0])
            memory_mb.append(psutil.Process().memory_info().rss / 2**20)
    assert notes == []
    growth_mb = memory_mb[-1] - memory_mb[19]
    early, late = statistics.median(waits_s[5:15]), statistics.median(waits_s[-10:])
    record_property("growth_mb", round(growth_mb, 1))
    record_property("late_to_early", round(late / early, 2))
    print(
        f"memory {growth_mb:+.1f} MB from turn 20 to {TURNS}; "
        f"first token after {early * 1000:.0f} ms at turns 6-15, {late * 1000:.0f} ms at the end"
    )
    assert growth_mb < MOST_GROWTH_MB
    # Only what grows with the conversation would make it this much slower.
    assert late < 3 * early


@pytest.mark.parametrize("words", [400])
async def test_a_question_longer_than_the_context_is_cut(
    make_settings: Callable[..., Settings], words: int
) -> None:
    settings = make_settings("llm.context_tokens=512", "llm.max_tokens=24")
    notes: list[str] = []
    async with TextConversation.start(settings, when_note=notes.append) as conversation:
        assert await conversation.ask("well " * words + "what is the capital of France?")
        assert "Paris" in await conversation.ask("What is the capital of France?")
    assert notes == []
