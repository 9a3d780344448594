"""Commands are obeyed and never reach the language model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_time import run_in_fake_time
from line import Line, kinds, of
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    InterruptionFrame,
    LLMContextFrame,
    TTSSpeakFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext

from edgebot.config import load_settings
from edgebot.frames import ChimeFrame, SleepFrame, TimerFrame, WakeFrame
from edgebot.stages.commands import RING_EVERY_S, RING_S, Commands, create
from edgebot.stages.phrases import ENGLISH


def stage() -> Commands:
    return Commands(phrases=ENGLISH, names=["hey Jarvis"])


def said(text: str, *before: dict[str, str]) -> LLMContextFrame:
    messages: list[Any] = [*before, {"role": "user", "content": text}]
    return LLMContextFrame(LLMContext(messages=messages))


HELLO = {"role": "assistant", "content": "Hello!"}


async def test_stop_is_silence_and_nothing_else() -> None:
    frame = said("Stop.", HELLO)
    async with Line(stage()) as line:
        await line.send(frame)
        await line.until_down(InterruptionFrame)
        await line.until_up(InterruptionFrame)
    assert kinds(line.down) == [InterruptionFrame]
    assert frame.context.messages == [HELLO]


async def test_its_name_alone_is_no_question() -> None:
    frame = said("Hey, Jarvis!")
    async with Line(stage()) as line:
        await line.send(frame)
        await line.until_down(InterruptionFrame)
    assert frame.context.messages == []


async def test_never_mind_is_sleep_for_all() -> None:
    frame = said("Never mind.", HELLO)
    async with Line(stage()) as line:
        await line.send(frame)
        await line.until_down(SleepFrame)
        await line.until_up(SleepFrame)
    assert kinds(line.down) == [InterruptionFrame, SleepFrame]
    assert of(line.down, SleepFrame)[0].cancelled
    assert of(line.up, SleepFrame)[0].cancelled
    assert frame.context.messages == [HELLO]


async def test_a_question_passes_untouched() -> None:
    frame = said("When does the bus stop?", HELLO)
    async with Line(stage()) as line:
        await line.send(frame)
        await line.until_down(LLMContextFrame)
    assert line.of(LLMContextFrame) == [frame]
    assert len(frame.context.messages) == 2


@pytest.mark.parametrize(
    "messages", [[], [{"role": "assistant", "content": "stop"}], [{"role": "user", "content": []}]]
)
async def test_what_no_person_said_is_no_command(messages: list[Any]) -> None:
    async with Line(stage()) as line:
        await line.send(LLMContextFrame(LLMContext(messages=messages)))
        await line.until_down(LLMContextFrame)
    assert kinds(line.down) == [LLMContextFrame]


async def test_a_timer_is_confirmed_aloud() -> None:
    frame = said("Set a timer for five minutes.")
    async with Line(stage()) as line:
        await line.send(frame)
        await line.until_down(TTSSpeakFrame)
    assert kinds(line.down) == [TimerFrame, TTSSpeakFrame]
    assert line.of(TimerFrame)[0].running
    (spoken,) = line.of(TTSSpeakFrame)
    assert spoken.text == "The timer is set for 5 minutes."
    assert not spoken.append_to_context
    assert frame.context.messages == []


async def test_a_cancelled_timer_is_shown_no_more() -> None:
    async with Line(stage()) as line:
        await line.send(said("timer for five minutes"), said("cancel the timer"))
        await line.until_down(TTSSpeakFrame, 2)
    assert [frame.running for frame in line.of(TimerFrame)] == [True, False]


def ring(until: object) -> tuple[list[float], list[bool], float]:
    """Let a timer ring; return when it rang, what the light was told, and when it had been set."""

    async def main() -> tuple[list[float], list[bool], float]:
        loop = asyncio.get_running_loop()
        rang: list[float] = []
        line = Line(stage())
        keep = line._keep

        def note(frames: list[Any], frame: Any) -> None:
            if isinstance(frame, ChimeFrame) and frames is line.down:
                rang.append(loop.time())
            keep(frames, frame)

        line._keep = note  # type: ignore[method-assign]
        async with line:
            began = loop.time()
            await line.send(said("set a timer for one minute"))
            await asyncio.sleep(60 + 5)
            if until is not None:
                await line.send(until)  # type: ignore[arg-type]
            await asyncio.sleep(RING_S * 2)
        return rang, [frame.running for frame in line.of(TimerFrame)], began

    return run_in_fake_time(main())


def test_it_rings_for_a_minute() -> None:
    rang, shown, began = ring(None)
    assert len(rang) == RING_S / RING_EVERY_S
    assert [round(at - began) for at in rang[:3]] == [60, 62, 64]
    assert shown == [True, False]


@pytest.mark.parametrize(
    "until", [WakeFrame(), InterruptionFrame(), SleepFrame(cancelled=True), said("Stop!")]
)
def test_it_rings_until_it_is_told_to_be_quiet(until: object) -> None:
    rang, shown, began = ring(until)
    assert [round(at - began) for at in rang] == [60, 62, 64]
    assert shown == [True, False]


def test_sleeping_by_itself_does_not_silence_it() -> None:
    rang, _, _ = ring(SleepFrame())
    assert len(rang) == RING_S / RING_EVERY_S


def test_a_language_without_commands_has_none() -> None:
    assert create(load_settings(flags=["language=ko"], environment={})) is None
    assert create(load_settings(flags=["language=en"], environment={})) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Stop.",
        "Go to sleep.",
        "Hey Jarvis.",
        "Set a timer for five minutes.",
        "How much, um, time is left on the timer?",
    ],
)
async def test_a_command_is_not_obeyed_before_the_turn_has_ended(text: str) -> None:
    frame = said(text, HELLO)
    ahead = LLMContextFrame(frame.context, speculation=True)
    async with Line(stage()) as line:
        await line.send(ahead)
        await line.until_up(EagerEndOfTurnCancelFrame)
        await line.until_down(EagerEndOfTurnCancelFrame)
        assert kinds(line.down) == [EagerEndOfTurnCancelFrame]
        assert len(frame.context.messages) == 2
        await line.send(frame)
        await line.until(lambda: len(frame.context.messages) == 1)
    assert line.of(LLMContextFrame) == []


async def test_a_question_is_answered_ahead() -> None:
    frame = LLMContextFrame(said("When does the bus stop?").context, speculation=True)
    async with Line(stage()) as line:
        await line.send(frame)
        await line.until_down(LLMContextFrame)
    assert kinds(line.down) == [LLMContextFrame]
