"""What the assistant is doing, as the frames tell it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
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

from edgebot.frames import (
    CallFrame,
    FaultFrame,
    MuteFrame,
    RingFrame,
    SleepFrame,
    TimerFrame,
    WakeFrame,
)
from edgebot.observe.state import StateObserver
from edgebot.state import ALLOWED, AssistantState, Facts, Fault

FRAMES: dict[str, Frame] = {
    "user": UserStartedSpeakingFrame(),
    "/user": UserStoppedSpeakingFrame(),
    "llm": LLMFullResponseStartFrame(),
    "text": LLMTextFrame("a"),
    "/llm": LLMFullResponseEndFrame(),
    "bot": BotStartedSpeakingFrame(),
    "/bot": BotStoppedSpeakingFrame(),
    "interruption": InterruptionFrame(),
    "wake": WakeFrame(),
    "sleep": SleepFrame(),
    "mute": MuteFrame(True),
    "/mute": MuteFrame(False),
    "lost": FaultFrame(Fault.MICROPHONE),
    "found": FaultFrame(Fault.MICROPHONE, is_over=True),
    "ring": RingFrame(True),
    "/ring": RingFrame(False),
    "call": CallFrame(True, intercom=True),
    "called": CallFrame(True),
    "/call": CallFrame(False),
}


def frame(name: str) -> Frame:
    return FRAMES[name]


@pytest.mark.parametrize(
    ("frames", "states"),
    [
        ("", "listening"),
        # A turn; who is heard is still listened to.
        ("user /user llm text /llm bot /bot", "listening thinking speaking listening"),
        # The voice begins before the answer is complete.
        ("user /user llm text bot text /llm /bot", "listening thinking speaking listening"),
        # Nothing was understood, or there is nothing to say.
        ("user /user", "listening"),
        ("user /user llm /llm", "listening thinking listening"),
        # A function is called: an answer without words, then one with.
        (
            "llm /llm llm text /llm bot /bot",
            "listening thinking listening thinking speaking listening",
        ),
        # The greeting
        ("bot /bot", "listening speaking listening"),
        # Interruptions: while it speaks, while it thinks
        (
            "llm text bot user interruption /bot /user llm text /llm bot /bot",
            "listening thinking speaking listening thinking speaking listening",
        ),
        ("llm text /llm interruption user /user", "listening thinking listening"),
        # Sleep and waking
        (
            "sleep wake llm text bot /bot sleep",
            "listening asleep listening thinking speaking listening asleep",
        ),
        ("llm text sleep", "listening thinking asleep"),
        # A timer rings in its sleep.
        ("sleep bot /bot", "listening asleep speaking asleep"),
        # Muted is shown whatever else happens.
        ("mute bot /bot lost /mute found", "listening muted fault listening"),
        # A fault is shown above what it does, and tells its cause.
        ("lost wake bot /bot found", "listening fault listening"),
        # A call for whoever is beside it: refused, taken, taken and muted meanwhile
        ("ring /ring", "listening ringing listening"),
        ("sleep ring bot call /bot /call", "listening asleep ringing in_a_call asleep"),
        ("ring call mute /mute /call", "listening ringing in_a_call muted in_a_call listening"),
        # Nobody is put through who has not rung; a call to the assistant is no such call.
        ("call /call ring called", "listening listening listening ringing listening"),
        # The same again changes nothing.
        ("user user sleep sleep wake wake", "listening asleep listening"),
    ],
)
def test_states(frames: str, states: str) -> None:
    seen: list[Facts] = []
    observer = StateObserver(seen.append)
    observer.ready()
    for name in frames.split():
        observer.note(frame(name))
    assert [str(facts.state).replace(" ", "_") for facts in seen] == states.split()
    assert observer.facts == seen[-1] or observer.facts.state == seen[-1].state


def test_it_is_starting_until_it_is_ready() -> None:
    seen: list[Facts] = []
    observer = StateObserver(seen.append)
    observer.note(TextFrame("hello"))
    assert observer.facts.state is AssistantState.STARTING
    observer.ready()
    assert [facts.state for facts in seen] == [AssistantState.LISTENING]


def test_it_may_begin_asleep() -> None:
    observer = StateObserver(lambda facts: None, awake=False)
    observer.ready()
    assert observer.facts.state is AssistantState.ASLEEP


def test_the_gravest_fault_is_told_and_a_change_of_fault_is_news() -> None:
    seen: list[Fault | None] = []
    observer = StateObserver(lambda facts: seen.append(facts.fault))
    observer.ready()
    observer.note(FaultFrame(Fault.SPEAKER))
    observer.note(FaultFrame(Fault.MICROPHONE))
    observer.note(FaultFrame(Fault.MICROPHONE, is_over=True))
    observer.note(FaultFrame(Fault.SPEAKER, is_over=True))
    assert seen == [None, Fault.SPEAKER, Fault.MICROPHONE, Fault.SPEAKER, None]


def test_timers_and_callers_are_told() -> None:
    seen: list[Facts] = []
    observer = StateObserver(seen.append)
    observer.ready()
    del seen[:]
    observer.note(CallFrame(True))
    observer.note(CallFrame(False))
    assert [facts.connected for facts in seen] == [True, False]
    del seen[:]
    observer.note(TimerFrame(True))
    observer.note(TimerFrame(True))
    observer.note(TimerFrame(False))
    assert [(facts.state, facts.timer) for facts in seen] == [
        (AssistantState.LISTENING, True),
        (AssistantState.LISTENING, False),
    ]


@given(st.lists(st.sampled_from([*FRAMES, "ready"]), max_size=60), st.booleans())
def test_whatever_comes_only_allowed_transitions_are_told(names: list[str], awake: bool) -> None:
    told = [Facts()]
    observer = StateObserver(told.append, awake=awake)
    for name in names:
        if name == "ready":
            observer.ready()
        else:
            observer.note(frame(name))
    for before, after in itertools.pairwise(told):
        if before.state is after.state:
            # A fault may change its cause, and a caller may come and go.
            assert (before.fault, before.connected) != (after.fault, after.connected)
        else:
            assert after.state in ALLOWED[before.state]
    assert told[-1].state is observer.facts.state


async def test_it_sees_what_passes_through_a_pipeline() -> None:
    seen: list[AssistantState] = []
    observer = StateObserver(lambda facts: seen.append(facts.state))
    observer.ready()
    frames = [LLMFullResponseStartFrame(), LLMTextFrame("a"), LLMFullResponseEndFrame()]
    await run_test(IdentityFilter(), frames_to_send=frames, observers=[observer])
    assert seen == [AssistantState.LISTENING, AssistantState.THINKING]
