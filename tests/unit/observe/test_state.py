"""What the assistant is doing, as the frames tell it."""

from __future__ import annotations

import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.tests.utils import run_test

from edgebot.observe.state import StateObserver
from edgebot.state import AssistantState

FRAMES: dict[str, type[Frame]] = {
    "user": UserStartedSpeakingFrame,
    "/user": UserStoppedSpeakingFrame,
    "llm": LLMFullResponseStartFrame,
    "/llm": LLMFullResponseEndFrame,
    "bot": BotStartedSpeakingFrame,
    "/bot": BotStoppedSpeakingFrame,
    "interruption": InterruptionFrame,
}


def frame(name: str) -> Frame:
    return LLMTextFrame("a") if name == "text" else FRAMES[name]()


@pytest.mark.parametrize(
    ("frames", "states"),
    [
        ("", "listening"),
        # A turn
        (
            "user /user llm text /llm bot /bot",
            "listening hearing listening thinking speaking listening",
        ),
        # The voice begins before the answer is complete.
        (
            "user /user llm text bot text /llm /bot",
            "listening hearing listening thinking speaking listening",
        ),
        # Nothing was understood, or there is nothing to say.
        ("user /user", "listening hearing listening"),
        ("user /user llm /llm", "listening hearing listening thinking listening"),
        # A function is called: an answer without words, then one with.
        (
            "llm /llm llm text /llm bot /bot",
            "listening thinking listening thinking speaking listening",
        ),
        # The greeting
        ("bot /bot", "listening speaking listening"),
        # Between two sentences that are apart it thinks on.
        ("llm text bot /bot", "listening thinking speaking listening"),
        # Interruptions: while it speaks, while it thinks
        (
            "llm text bot user interruption /bot /user llm text /llm bot /bot",
            "listening thinking speaking hearing listening thinking speaking listening",
        ),
        (
            "llm text /llm interruption user /user",
            "listening thinking listening hearing listening",
        ),
        ("llm user interruption /llm /user", "listening thinking hearing listening"),
        # Who speaks into its voice is heard; it goes on if that was no interruption.
        ("bot user /user /bot", "listening speaking hearing speaking listening"),
        # The same again changes nothing.
        ("user user /user /user", "listening hearing listening"),
    ],
)
def test_states(frames: str, states: str) -> None:
    seen: list[str] = []
    observer = StateObserver(seen.append)
    observer.ready()
    for name in frames.split():
        observer.note(frame(name))
    assert seen == states.split()
    assert observer.state == seen[-1]


def test_it_is_starting_until_it_is_ready() -> None:
    seen: list[AssistantState] = []
    observer = StateObserver(seen.append)
    assert observer.state is AssistantState.STARTING
    observer.note(TextFrame("hello"))
    assert observer.state is AssistantState.STARTING
    observer.ready()
    assert seen == [AssistantState.LISTENING]


def test_a_state_reads_as_a_word() -> None:
    assert [str(state) for state in AssistantState] == [
        "starting",
        "listening",
        "hearing",
        "thinking",
        "speaking",
    ]


async def test_it_sees_what_passes_through_a_pipeline() -> None:
    seen: list[AssistantState] = []
    observer = StateObserver(seen.append)
    observer.ready()
    frames = [LLMFullResponseStartFrame(), LLMTextFrame("a"), LLMFullResponseEndFrame()]
    await run_test(IdentityFilter(), frames_to_send=frames, observers=[observer])
    assert seen == [AssistantState.LISTENING, AssistantState.THINKING]
