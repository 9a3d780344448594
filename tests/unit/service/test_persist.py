"""Staying up, and trying again."""

from __future__ import annotations

import asyncio

import pytest

from edgebot import errors
from edgebot.errors import EdgebotError
from edgebot.service.persist import fault_of, persist
from edgebot.state import Fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (errors.NoSpeakerError("a"), Fault.SPEAKER),
        (errors.NoMicrophoneError("a"), Fault.MICROPHONE),
        (errors.DeviceBusyError("a"), Fault.MICROPHONE),
        (errors.BrokenModelError("a"), Fault.MODEL),
        (errors.MissingModelError("a"), Fault.MODEL),
        (errors.ConfigError("a"), Fault.SETTINGS),
        (errors.ServerError("a"), Fault.ENGINE),
        (errors.EngineError("a"), Fault.ENGINE),
    ],
)
def test_each_error_is_a_fault(error: EdgebotError, fault: Fault) -> None:
    assert fault_of(error) is fault


def tried(*outcomes: BaseException | None) -> tuple[list[tuple[Fault, str]], list[float]]:
    told: list[tuple[Fault, str]] = []
    waits: list[float] = []
    left = list(outcomes)

    async def attempt() -> None:
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    asyncio.run(persist(attempt, when_fault=lambda *fault: told.append(fault), sleep=sleep))
    assert left == []
    return told, waits


def test_it_ends_when_the_conversation_ends() -> None:
    assert tried(None) == ([], [])


def test_a_device_that_comes_back_is_found_soon() -> None:
    told, waits = tried(*[errors.NoSpeakerError("Plug it in.")] * 4, None)
    assert told == [(Fault.SPEAKER, "Plug it in.")] * 4
    assert waits == [2.0, 3.0, 3.0, 3.0]


def test_a_model_is_tried_ever_more_rarely() -> None:
    _, waits = tried(*[errors.BrokenModelError("a")] * 8, None)
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize("error", [ValueError("a"), asyncio.CancelledError()])
def test_what_nobody_understands_ends_the_process(error: BaseException) -> None:
    with pytest.raises(type(error)):
        tried(error)
