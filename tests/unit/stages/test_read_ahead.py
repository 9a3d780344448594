"""The language model reads each transcript at once."""

from __future__ import annotations

from line import Line
from pipecat.frames.frames import (
    InterimTranscriptionFrame,
    TranscriptionFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.filters.identity_filter import IdentityFilter

from edgebot.config import load_settings
from edgebot.errors import ConfigError
from edgebot.stages.read_ahead import ReadAhead, create


class Reader(IdentityFilter):
    """Keeps what it is given to read; refuses what is too long."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[list[str]] = []

    async def warm(self, context: LLMContext) -> None:
        self.read.append([str(message["content"]) for message in context.messages])
        if "too long" in self.read[-1][-1]:
            raise ConfigError("too long")


def heard(text: str) -> TranscriptionFrame:
    return TranscriptionFrame(text, "", "now")


async def test_a_transcript_is_read_behind_the_conversation() -> None:
    llm, context = Reader(), LLMContext(messages=[{"role": "user", "content": "Hi"}])
    async with Line(ReadAhead(llm=llm, context=context)) as line:
        await line.send(InterimTranscriptionFrame("what", "", "now"))
        await line.send(heard("What is"))
        await line.until(lambda: len(llm.read) == 1)
        await line.send(heard("the time?"))
        await line.until(lambda: len(llm.read) == 2)
        await line.send(UserStoppedSpeakingFrame())
        await line.send(heard("And now?"))
        await line.until(lambda: len(llm.read) == 3)
    assert llm.read == [["Hi", "What is"], ["Hi", "What is the time?"], ["Hi", "And now?"]]
    assert len(context.messages) == 1


async def test_what_cannot_be_read_ahead_is_no_fault() -> None:
    llm = Reader()
    async with Line(ReadAhead(llm=llm, context=LLMContext())) as line:
        await line.send(heard("too long"))
        await line.until(lambda: len(llm.read) == 1)
        await line.send(heard("again"))
        await line.until(lambda: len(llm.read) == 2)


def test_a_model_that_cannot_read_ahead_is_left_alone() -> None:
    settings = load_settings(flags=["turn.eager=false"], environment={})
    assert create(settings, IdentityFilter(), LLMContext()) is None
    assert create(settings, Reader(), LLMContext()) is not None


def test_a_model_that_answers_ahead_need_not_read_ahead() -> None:
    settings = load_settings(flags=["turn.eager=true"], environment={})
    assert create(settings, Reader(), LLMContext()) is None
