"""The examples, each run as its reader would: by WebRTC, with engines of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from line import Line
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
)
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

from edgebot import bot
from edgebot.app import load_engine
from edgebot.bot import House
from edgebot.config import Settings, load_settings
from tests.caller import PATIENCE_S, RATE_HZ, Caller, loudest
from tests.conftest import Spoken

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
OWN = ("stt.engine=own.ear", "llm.engine=own.mind", "tts.engine=own.voice", "bridge.greeting=")


def example(name: str) -> Any:
    """Import an example from its file."""
    spec = importlib.util.spec_from_file_location(f"examples.{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own_settings(*flags: str) -> Settings:
    return load_settings(flags=[*OWN, *flags], environment={})


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "HOUSE", House(own_settings))


@contextlib.asynccontextmanager
async def session(module: ModuleType, *more: object) -> AsyncIterator[tuple[Caller, Any]]:
    """A caller of an example's bot, and what serves them."""
    async with Caller() as caller:
        connection = SmallWebRTCConnection()
        await connection.initialize(**await caller.offer())
        serving = asyncio.create_task(module.bot(SmallWebRTCRunnerArguments(connection), *more))
        answer = connection.get_answer()
        assert answer is not None
        await caller.answer(answer)
        caller.send("client-ready", {"version": "2.1.0", "about": {"library": "edgebot-tests"}})
        await caller.message("bot-ready")
        try:
            yield caller, serving
            await caller.hang_up()
            await asyncio.wait_for(serving, PATIENCE_S)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def test_every_example_is_run_here_and_documented() -> None:
    names = {file.stem for file in EXAMPLES.glob("*.py")}
    text = Path(__file__).read_text()
    told = (ROOT / "docs" / "extending.md").read_text()
    assert names == {"reminder", "doorbell", "beeping_voice", "transcribe", "interview"}
    for name in names:
        assert f'example("{name}")' in text
        assert f"examples/{name}.py" in told


# A processor


async def test_the_reminder_speaks_when_nobody_answers() -> None:
    async with Line(example("reminder").Reminder("Hello?", after_s=0.05)) as line:
        await line.send(BotStoppedSpeakingFrame())
        await line.until_down(TTSSpeakFrame)
        assert line.of(TTSSpeakFrame)[0].text == "Hello?"
        # Once is enough.
        await line.send(BotStartedSpeakingFrame(), BotStoppedSpeakingFrame())
        await line.end()
        assert len(line.of(TTSSpeakFrame)) == 1


@pytest.mark.parametrize("frame", [UserStartedSpeakingFrame, BotStartedSpeakingFrame])
async def test_the_reminder_is_silent_when_somebody_speaks(frame: Callable[[], Any]) -> None:
    async with Line(example("reminder").Reminder(after_s=0.05)) as line:
        await line.send(BotStoppedSpeakingFrame(), frame())
        await asyncio.sleep(0.2)
        await line.end()
        assert line.of(TTSSpeakFrame) == []


async def test_the_reminder_in_a_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("reminder")
    monkeypatch.setattr(module.Reminder.__init__, "__kwdefaults__", {"after_s": 0.1})
    async with session(module) as (caller, _):
        caller.send("client-message", {"t": "say", "d": {"text": "What is your name?"}})
        await caller.message("bot-output", text="Are you still there?")


# An event


async def test_the_doorbell_is_counted_and_told_of() -> None:
    async with session(example("doorbell")) as (caller, _):
        for count, door in enumerate(("garden", "front"), start=1):
            caller.send("client-message", {"t": "ring", "d": {"door": door}})
            await caller.message("server-message", type="rang", door=door, count=count)
            await caller.message("bot-output", text=f"Somebody is at the {door} door.")
        caller.send("client-message", {"t": "ring", "d": {"door": "cellar"}})
        assert (await caller.message("error-response"))["error"] == "There is no cellar door."


# A voice


async def test_the_beeping_voice_beeps(monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("beeping_voice")
    monkeypatch.setitem(sys.modules, "examples.beeping_voice", module)
    settings = own_settings("tts.engine=examples.beeping_voice")
    make, notes = await load_engine("tts", settings)
    assert (type(make()), notes) == (module.BeepingTTSService, [])
    monkeypatch.setattr(bot, "HOUSE", House(lambda: settings))
    async with session(bot) as (caller, _):
        caller.send("client-message", {"t": "say", "d": {"text": "Hello there."}})
        await caller.message("bot-stopped-speaking")
        assert loudest(caller.heard) > 3000


def test_a_beep_is_a_letter() -> None:
    beeps = example("beeping_voice").beeps
    samples = np.frombuffer(beeps("a z"), dtype="<i2").reshape(3, -1)
    assert [int(abs(part).max()) > 7000 for part in samples.astype(int)] == [True, False, True]
    assert beeps("") == b""


# Transcription alone


async def test_what_is_said_is_written_down(spoken: Spoken) -> None:
    samples, rate_hz = soundfile.read(spoken("What is the capital of France?"), dtype="float32")
    voice = soxr.resample(samples, rate_hz, RATE_HZ)
    async with session(example("transcribe"), own_settings()) as (caller, _):
        caller.voice.say((voice * 32767).astype("<i2").tobytes())
        told = await caller.message("user-input", final=True, input_type="transcription")
        assert told["text"].startswith("one")
        assert "bot-llm-started" not in caller.kinds()


# An interview


async def test_an_interview_from_its_first_question_to_its_summary() -> None:
    async with session(example("interview")) as (caller, serving):
        answers = ("Ada.", "London.", "mathematics.", "pears.", "an engine.")
        questions = [question for _, question in example("interview").QUESTIONS]
        for question, answer in zip(questions, answers, strict=True):
            await caller.message("bot-output", text=question)
            stopped = caller.kinds_of("bot-stopped-speaking") + 1
            await caller.until(lambda n=stopped: caller.kinds_of("bot-stopped-speaking") >= n)
            caller.send("send-text", {"content": answer})
        await caller.message(
            "bot-output",
            text="Thank you, Ada. You live in London, you do mathematics, you like pears, "
            "and you wish for an engine. Goodbye.",
        )
        await asyncio.wait_for(serving, PATIENCE_S)
        assert "bot-llm-started" not in caller.kinds()
