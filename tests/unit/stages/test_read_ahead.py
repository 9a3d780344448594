"""The language model reads each transcript at once."""

from __future__ import annotations

import asyncio

import pytest
from line import Line
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EagerTranscriptionFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.filters.identity_filter import IdentityFilter

from edgebot.config import load_settings
from edgebot.errors import ConfigError
from edgebot.stages import context_window
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


class SlowReader(Reader):
    """Reads on when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()

    async def warm(self, context: LLMContext) -> None:
        await super().warm(context)
        await self.may_go_on.wait()


def heard(text: str) -> TranscriptionFrame:
    return TranscriptionFrame(text, "", "now")


def interim(text: str) -> InterimTranscriptionFrame:
    return InterimTranscriptionFrame(text, "", "now")


def stage(
    llm: Reader,
    *said: tuple[str, str],
    answers_ahead: bool = False,
    forgets: bool = False,
) -> ReadAhead:
    context = LLMContext([{"role": role, "content": content} for role, content in said])

    async def make_room() -> None:
        if forgets:
            context.set_messages(context.messages[2:])

    return ReadAhead(llm=llm, context=context, make_room=make_room, answers_ahead=answers_ahead)


HELLO = ("user", "Hi"), ("assistant", "Hello")


async def test_a_transcript_is_read_behind_the_conversation() -> None:
    llm = Reader()
    async with Line(stage(llm, *HELLO)) as line:
        for text, count in (("What is", 1), ("the time?", 2)):
            await line.send(heard(text))
            await line.until(lambda count=count: len(llm.read) == count)
        await line.send(UserStoppedSpeakingFrame())
        await line.send(heard("And now?"))
        await line.until(lambda: len(llm.read) == 3)
    questions = ["What is", "What is the time?", "And now?"]
    assert llm.read == [["Hi", "Hello", question] for question in questions]


async def test_what_is_being_said_is_read_without_its_last_word() -> None:
    llm = Reader()
    async with Line(stage(llm, answers_ahead=True)) as line:
        await line.send(VADUserStartedSpeakingFrame())
        await line.until(lambda: len(llm.read) == 1)
        await line.send(interim("What is the cap?"))
        await line.until(lambda: len(llm.read) == 2)
        await line.send(heard("What is the capital"))
        await line.send(interim("of Fran"))
        await line.until(lambda: len(llm.read) == 3)
    assert llm.read == [[""], ["What is the"], ["What is the capital of"]]


async def test_room_is_made_once_when_a_question_begins() -> None:
    llm = Reader()
    async with Line(stage(llm, *HELLO, *HELLO, answers_ahead=True, forgets=True)) as line:
        await line.send(VADUserStartedSpeakingFrame())
        await line.until(lambda: len(llm.read) == 1)
        await line.send(interim("What is"))
        await line.until(lambda: len(llm.read) == 2)
    assert llm.read == [["Hi", "Hello", ""], ["Hi", "Hello", "What"]]


async def test_what_is_answered_ahead_need_not_be_read_ahead() -> None:
    llm = Reader()
    async with Line(stage(llm, answers_ahead=True)) as line:
        await line.send(EagerTranscriptionFrame("What is this?", "", "now"))
        await line.send(heard("What is this?"))
    assert llm.read == []


async def test_an_answer_that_is_not_in_the_conversation_yet_is_not_displaced() -> None:
    llm = Reader()
    talking = stage(llm, *HELLO)
    async with Line(talking) as line:
        await line.send(BotStartedSpeakingFrame(), VADUserStartedSpeakingFrame(), heard("Hm."))
    unanswered = stage(llm, *HELLO, ("user", "Who are you?"))
    async with Line(unanswered) as line:
        await line.send(VADUserStartedSpeakingFrame(), interim("And what"))
    assert llm.read == []
    answered = stage(llm, *HELLO)
    async with Line(answered) as line:
        await line.send(BotStartedSpeakingFrame(), BotStoppedSpeakingFrame(), interim("And what"))
        await line.until(lambda: len(llm.read) == 1)


async def test_only_the_newest_is_read_behind_what_is_being_read() -> None:
    llm = SlowReader()
    async with Line(stage(llm, answers_ahead=True)) as line:
        await line.send(VADUserStartedSpeakingFrame())
        await line.until(lambda: len(llm.read) == 1)
        await line.send(interim("What is"), interim("What is this"))
        llm.may_go_on.set()
        await line.until(lambda: len(llm.read) == 2)
    assert llm.read == [[""], ["What is"]]


async def test_nothing_is_read_behind_a_question_that_is_being_answered() -> None:
    llm = SlowReader()
    async with Line(stage(llm, answers_ahead=True)) as line:
        await line.send(VADUserStartedSpeakingFrame())
        await line.until(lambda: len(llm.read) == 1)
        await line.send(interim("What is"), EagerTranscriptionFrame("What is this?", "", "now"))
        llm.may_go_on.set()
    assert llm.read == [[""]]


async def test_what_cannot_be_read_ahead_is_no_fault() -> None:
    llm = Reader()
    async with Line(stage(llm)) as line:
        await line.send(heard("too long"))
        await line.until(lambda: len(llm.read) == 1)
        await line.send(heard("again"))
        await line.until(lambda: len(llm.read) == 2)


@pytest.mark.parametrize("eager", ["true", "false"])
def test_a_model_that_cannot_read_ahead_is_left_alone(eager: str) -> None:
    settings = load_settings(flags=[f"turn.eager={eager}"], environment={})
    context, llm = LLMContext(), Reader()
    window = context_window.create(llm, context, 1000)
    assert create(settings, IdentityFilter(), context, window) is None
    assert create(settings, llm, context, window) is not None
