"""Pipecat's entry point: its transports, and whole sessions by WebRTC with engines of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pipecat.evals.transport import EvalTransportParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

from edgebot import bot
from edgebot.bot import House, transport_params
from edgebot.call import LONGEST_TEXT, Call
from edgebot.config import Settings, load_settings
from edgebot.errors import MissingModelError
from edgebot.stages.recording import RecordingTransport
from edgebot.stages.stt_vosk import VoskSTTService
from edgebot.stages.tts_piper import PiperTTSService
from tests.caller import PATIENCE_S, Caller, loudest

OWN = ("stt.engine=own.ear", "llm.engine=own.mind", "tts.engine=own.voice")


def own_settings(*flags: str) -> Settings:
    return load_settings(flags=[*OWN, *flags], environment={})


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "HOUSE", House(own_settings))


async def end(serving: asyncio.Task[None]) -> None:
    """Leave nothing behind, also where a test fails."""
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def session() -> AsyncIterator[tuple[Caller, asyncio.Task[None]]]:
    """A caller who is connected, and the bot that serves them."""
    async with contextlib.AsyncExitStack() as stack:
        caller = await stack.enter_async_context(Caller())
        connection = SmallWebRTCConnection()
        await connection.initialize(**await caller.offer())
        serving = asyncio.create_task(bot.bot(SmallWebRTCRunnerArguments(connection)))
        stack.push_async_callback(end, serving)
        answer = connection.get_answer()
        assert answer is not None
        await caller.answer(answer)
        caller.send("client-ready", {"version": "2.1.0", "about": {"library": "edgebot-tests"}})
        await caller.message("bot-ready")
        yield caller, serving
        await caller.hang_up()
        await asyncio.wait_for(serving, PATIENCE_S)


# The transports


def test_the_transports_are_those_of_the_documentation() -> None:
    assert list(transport_params) == ["daily", "webrtc", "eval"]


@pytest.mark.parametrize("name", ["webrtc", "eval"])
def test_a_transport_takes_sound_both_ways(name: str) -> None:
    params = transport_params[name]()
    assert (params.audio_in_enabled, params.audio_out_enabled) == (True, True)
    assert not params.video_in_enabled
    assert isinstance(params, EvalTransportParams) == (name == "eval")


def test_in_a_daily_room_it_hears_with_its_own_ear() -> None:
    daily = pytest.importorskip("pipecat.transports.daily.transport")
    params = transport_params["daily"]()
    assert isinstance(params, daily.DailyParams)
    assert (params.audio_in_enabled, params.audio_out_enabled) == (True, True)
    assert params.transcription_enabled is False


async def test_the_runners_arguments_choose_the_transport() -> None:
    connection = SmallWebRTCConnection()
    transport = await create_transport(SmallWebRTCRunnerArguments(connection), transport_params)
    assert isinstance(transport, SmallWebRTCTransport)


async def test_the_pipeline_is_the_same_for_all() -> None:
    settings, engines = await bot.HOUSE.open()
    recording = RecordingTransport(rate_hz=24_000)
    webrtc = SmallWebRTCTransport(
        SmallWebRTCConnection(), TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    )

    async def stages(transport: BaseTransport) -> list[type[FrameProcessor]]:
        with_events(transport)
        call = await Call.create(settings, engines, transport)
        ends = (transport.input(), transport.output())
        pipeline = call.conversation.worker._pipeline
        return [type(stage) for stage in leaves(pipeline) if stage not in ends]

    found = await stages(recording)
    assert VoskSTTService in found
    assert PiperTTSService in found
    assert found == await stages(webrtc)


def leaves(stage: FrameProcessor) -> list[FrameProcessor]:
    """Return what a pipeline is made of, and what the pipelines in it are made of."""
    inner = stage.processors
    return [leaf for one in inner for leaf in leaves(one)] if inner else [stage]


def with_events(transport: BaseTransport) -> None:
    """Let a transport without callers be listened to as one with them."""
    if isinstance(transport, RecordingTransport):
        transport._register_event_handler("on_client_connected")
        transport._register_event_handler("on_client_disconnected")


# The house


async def test_the_engines_are_loaded_once_for_all_callers() -> None:
    first, second = await asyncio.gather(bot.HOUSE.open(), bot.HOUSE.open())
    assert first[1] is second[1]


async def test_what_was_missing_is_looked_for_again(tmp_path: Path) -> None:
    flags = ["llm.engine=llama_cpp", f"models.dir={tmp_path}"]
    house = House(lambda: own_settings(*flags))
    with pytest.raises(MissingModelError):
        await house.open()
    flags.clear()
    settings, _ = await house.open()
    assert settings.llm.engine == "own.mind"


# A session


async def test_it_introduces_itself_to_whoever_comes() -> None:
    async with session() as (caller, _):
        said = await caller.message("bot-output")
        assert said["text"] == "Hello, I am Edgebot. How can I help you?"
        await caller.until(lambda: loudest(caller.heard) > 3000)


async def test_an_answer_is_heard_read_and_measured() -> None:
    async with session() as (caller, _):
        options = {"run_immediately": True, "audio_response": True}
        await caller.message("bot-stopped-speaking")
        caller.send("send-text", {"content": "Where is it?", "options": options})
        turn = await caller.message("server-message", type="turn", said="You said Where is it?.")
        assert turn["interrupted"] is False
        assert {"bot-ready", "bot-llm-started", "bot-tts-started", "metrics"} <= set(caller.kinds())


async def test_an_error_reaches_the_caller() -> None:
    async with session() as (caller, _):
        caller.send("send-text", {"content": "break"})
        error = await caller.message("error")
        assert "no memory" in error["error"]


async def test_a_client_may_have_a_text_spoken() -> None:
    async with session() as (caller, _):
        asked = caller.send("client-message", {"t": "say", "d": {"text": " Dinner is ready. "}})
        answer = await caller.message("server-response", d={"said": True})
        assert answer["id"] == asked
        await caller.message("bot-output", text="Dinner is ready.")


@pytest.mark.parametrize(
    "data", [None, {}, {"text": 7}, {"text": "  "}, {"text": "x" * (LONGEST_TEXT + 1)}, "x"]
)
async def test_a_text_that_cannot_be_spoken_is_refused(data: object) -> None:
    async with session() as (caller, _):
        asked = caller.send("client-message", {"t": "say", "d": data})
        answer = await caller.message("error-response")
        assert answer == {"id": asked, "error": "say wants a text of 1 to 500 characters."}


async def test_a_message_that_nobody_knows_is_refused() -> None:
    async with session() as (caller, _):
        caller.send("client-message", {"t": "dance"})
        assert (await caller.message("error-response"))["error"] == "There is no message 'dance'."


async def test_a_client_may_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Call] = []

    class KeptCall(Call):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            calls.append(self)

    monkeypatch.setattr(bot, "Call", KeptCall)
    async with session() as (caller, _):
        messages = calls[0]._stages.context
        opening = list(messages.messages)
        caller.send("send-text", {"content": "One?"})
        await caller.message("server-message", type="turn", said="You said One?.")
        assert len(messages.messages) > len(opening)
        caller.send("client-message", {"t": "forget"})
        await caller.message("server-response", d={"forgotten": True})
        assert messages.messages == opening


async def test_whoever_leaves_is_not_waited_for() -> None:
    async with session() as (caller, serving):
        await caller.message("bot-started-speaking")
        await caller.hang_up()
        await asyncio.wait_for(serving, PATIENCE_S)
    assert serving.exception() is None


async def test_ten_sessions_leave_nothing_behind() -> None:
    async def one() -> None:
        async with session() as (caller, _):
            await caller.message("bot-started-speaking")

    def kept() -> tuple[int, int]:
        gc.collect()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        return len(tasks), psutil.Process().num_fds()

    def own_threads() -> int:
        # asyncio's own pool fills up to its size, and no further.
        names = [thread.name for thread in threading.enumerate()]
        return sum(not name.startswith("asyncio_") for name in names)

    await one()  # The first one loads the engines and starts their threads.
    before, threads = kept(), own_threads()
    for _ in range(10):
        await one()
    tasks, fds = kept()
    assert tasks == before[0]
    # What was open before may have been closed since.
    assert fds <= before[1]
    assert own_threads() <= threads
