"""A conversation by text."""

from __future__ import annotations

import asyncio

import pytest
from line import PATIENCE_S

from edgebot.chatting import TextConversation
from edgebot.config import load_settings

SETTINGS = load_settings(flags=["llm.engine=own.mind"], environment={})


async def test_a_question_has_an_answer_piece_by_piece() -> None:
    pieces: list[str] = []
    async with TextConversation.start(SETTINGS) as conversation:
        answer = await conversation.ask(" Hello ", when_text=pieces.append)
    assert answer == "You said\nHello."
    assert pieces == ["You said\n", "Hello."]


async def test_questions_follow_each_other() -> None:
    async with TextConversation.start(SETTINGS) as conversation:
        answers = [await conversation.ask(question) for question in ("a", "b", "c")]
    assert answers == ["You said\na.", "You said\nb.", "You said\nc."]


@pytest.mark.parametrize("question", ["silence", "break"])
async def test_an_answer_without_words_does_not_hang(question: str) -> None:
    async with TextConversation.start(SETTINGS) as conversation:
        async with asyncio.timeout(PATIENCE_S):
            assert await conversation.ask(question) == ""
        # What was not answered is asked again with the next question.
        assert await conversation.ask("a") == f"You said\n{question}\na."


async def test_a_failure_is_told() -> None:
    notes: list[str] = []
    async with TextConversation.start(SETTINGS, when_note=notes.append) as conversation:
        await conversation.ask("break")
    [note] = notes
    assert note.startswith("There is no answer: ")
