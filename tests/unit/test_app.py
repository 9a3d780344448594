"""A conversation from its greeting to its end, between fake stages; and how stages are chosen."""

from __future__ import annotations

import asyncio
import gc
import importlib
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from line import PATIENCE_S
from pipecat.frames.frames import (
    Frame,
    StartFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.app import Box, Conversation, Engines, assemble, load_engine, load_engines
from edgebot.config import Settings, load_settings
from edgebot.errors import ConfigError, EngineError, MissingModelError
from edgebot.pipeline import Stages, build_pipeline
from edgebot.stages.commands import Commands
from edgebot.stages.intercom import Intercom
from edgebot.stages.recording import RecordingTransport
from edgebot.stages.speak_ahead import Listener
from edgebot.stages.wake import WakeGate

RATE_HZ = 16_000
# 40 ms: the output passes sound on in pieces of this size.
VOICE = b"\x10\x00" * 640


def settings_of(*flags: str) -> Settings:
    return load_settings(flags=flags, environment={})


class FakeVoice(FrameProcessor):
    """Says the same short sound for every text."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSSpeakFrame):
            self.texts.append(frame.text)
            await self.push_frame(TTSAudioRawFrame(VOICE, RATE_HZ, 1))
        else:
            await self.push_frame(frame, direction)


class FakeEar(FrameProcessor):
    """Breaks when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self.started.set()

    async def stumble(self, error: str) -> None:
        await self.push_error(error)

    async def break_down(self, error: str) -> None:
        await self.push_error(error, force_treat_as_permanent=True)


class Talk:
    """A conversation between fake stages."""

    def __init__(
        self, *flags: str, when_ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.ear, self.voice = FakeEar(), FakeVoice()
        self.ready = asyncio.Event()
        self.troubles: list[str] = []
        self.transport = RecordingTransport(rate_hz=RATE_HZ)
        context = LLMContext()
        user, assistant = LLMContextAggregatorPair(context)
        stages = Stages(
            echo=None,
            intercom=None,
            patience=None,
            wake=None,
            stt=self.ear,
            read_ahead=IdentityFilter(),
            user=user,
            commands=None,
            window=IdentityFilter(),
            llm=IdentityFilter(),
            spoken_text=IdentityFilter(),
            tts=self.voice,
            assistant=assistant,
            context=context,
        )
        self.conversation = Conversation(
            settings_of(*flags),
            stages,
            self.transport,
            rate_hz=RATE_HZ,
            when_ready=when_ready or self._when_ready,
            when_trouble=self.troubles.append,
        )

    async def _when_ready(self) -> None:
        self.ready.set()

    async def run(self) -> None:
        running = asyncio.create_task(self.conversation.run())
        done, _ = await asyncio.wait([running], timeout=PATIENCE_S)
        if not done:
            await self.conversation.worker.cancel()
            pytest.fail("the conversation does not end")
        await running

    async def from_ready_to_stop(self) -> bytes:
        """Run until it was ready and has been stopped; return what was put out."""
        running = asyncio.create_task(self.run())
        await asyncio.wait_for(self.ready.wait(), PATIENCE_S)
        await self.conversation.stop()
        await running
        return self.transport.take_spoken()


# From start to stop


async def test_it_greets() -> None:
    talk = Talk("assistant.greeting=Hello.")
    assert await talk.from_ready_to_stop() == VOICE
    assert talk.voice.texts == ["Hello."]


async def test_where_it_does_not_greet_nothing_is_spoken() -> None:
    talk = Talk()
    assert await talk.from_ready_to_stop() == b""
    assert talk.voice.texts == []


async def test_stopping_speaks_what_is_queued() -> None:
    talk = Talk()
    running = asyncio.create_task(talk.run())
    await asyncio.wait_for(talk.ready.wait(), PATIENCE_S)
    await talk.conversation.worker.queue_frames([TTSSpeakFrame("One."), TTSSpeakFrame("Two.")])
    await talk.conversation.stop()
    await running
    assert talk.transport.take_spoken() == VOICE * 2


async def test_it_may_be_cancelled() -> None:
    talk = Talk()
    running = asyncio.create_task(talk.run())
    await asyncio.wait_for(talk.ready.wait(), PATIENCE_S)
    await talk.conversation.worker.cancel()
    await running


# Faults


async def test_a_stage_that_breaks_down_ends_the_conversation() -> None:
    talk = Talk()
    running = asyncio.create_task(talk.run())
    await asyncio.wait_for(talk.ready.wait(), PATIENCE_S)
    await talk.ear.break_down("the ear fell off")
    with pytest.raises(EngineError) as caught:
        await running
    assert str(caught.value) == "The conversation cannot go on: the ear fell off."
    assert talk.troubles == []


async def test_the_first_fault_is_the_one_that_is_told() -> None:
    talk = Talk()
    running = asyncio.create_task(talk.run())
    await asyncio.wait_for(talk.ready.wait(), PATIENCE_S)
    await talk.ear.break_down("first")
    await talk.ear.break_down("second")
    with pytest.raises(EngineError, match="first"):
        await running


async def test_a_stage_that_stumbles_is_told_of_and_the_conversation_goes_on() -> None:
    talk = Talk()
    running = asyncio.create_task(talk.run())
    await asyncio.wait_for(talk.ready.wait(), PATIENCE_S)
    await talk.ear.stumble("a word was lost")
    await talk.conversation.worker.queue_frame(TTSSpeakFrame("One."))
    await talk.conversation.stop()
    await running
    assert talk.troubles == ["Something went wrong, and the conversation goes on: a word was lost."]
    assert talk.transport.take_spoken() == VOICE


# The order of the stages


def test_the_sound_goes_one_way_through_the_house() -> None:
    transport = RecordingTransport(rate_hz=RATE_HZ)
    context = LLMContext()
    user, assistant = LLMContextAggregatorPair(context)
    intercom = Intercom()
    echo, patience, wake, stt, ahead, commands, window, llm, spoken, tts = (
        IdentityFilter() for _ in range(10)
    )
    stages = Stages(
        *(echo, intercom, patience, wake, stt, ahead, user, commands),
        *(window, llm, spoken, tts, assistant, context),
    )
    pipeline = build_pipeline(transport, stages)
    way = [
        transport.input(),
        echo,
        intercom,
        patience,
        wake,
        stt,
        ahead,
        user,
        commands,
        window,
        llm,
        spoken,
        tts,
        transport.output(),
        assistant,
    ]
    assert pipeline.processors[1:-1] == way
    bare = replace(stages, echo=None, intercom=None, wake=None, commands=None)
    shorter = build_pipeline(transport, bare).processors[1:-1]
    assert shorter == [stage for stage in way if stage not in (echo, intercom, wake, commands)]


class WarmModel(IdentityFilter):
    """A language model that reads its prompt ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.warmed: list[list[Any]] = []

    async def warm(self, context: LLMContext) -> None:
        self.warmed.append(context.messages)


async def test_the_language_model_has_read_the_examples_before_anybody_speaks() -> None:
    settings = settings_of("assistant.examples=[{ user = 'Hi', assistant = 'Hello' }]")
    llm = WarmModel()
    engines = Engines(IdentityFilter, lambda: llm, IdentityFilter, ())
    stages = await assemble(settings, engines)
    examples = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert llm.warmed == [examples]
    assert stages.context.messages == examples
    assert stages.llm is llm


class TellingModel(IdentityFilter):
    """A language model that tells what it writes ahead."""

    listener: Listener

    def tell(self, listener: Listener) -> None:
        self.listener = listener


class ReadyVoice(IdentityFilter):
    """A voice that speaks into memory."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: list[str] = []

    async def speak_ahead(self, text: str) -> None:
        self.ahead.append(text)


async def test_the_voice_begins_with_what_is_answered_ahead() -> None:
    llm, voice = TellingModel(), ReadyVoice()
    await assemble(settings_of(), Engines(IdentityFilter, lambda: llm, lambda: voice, ()))
    await llm.listener.begin()
    await llm.listener.write("It is Paris. And so ")
    await llm.listener.write("on it goes.")
    await llm.listener.end()
    assert voice.ahead == ["It is Paris."]


async def test_a_language_model_need_not_be_warm() -> None:
    stages = await assemble(
        settings_of("assistant.examples=[]"),
        Engines(IdentityFilter, IdentityFilter, IdentityFilter, ()),
    )
    assert stages.context.messages == []


async def test_only_what_has_a_microphone_of_its_own_sleeps() -> None:
    engines = Engines(IdentityFilter, IdentityFilter, IdentityFilter, ())
    settings = settings_of("wake.words=['okay_nabu']")
    always = await assemble(settings, engines)
    assert (always.wake, always.commands) == (None, None)
    box = await assemble(settings, engines, Box("a microphone", lambda text: None))
    assert isinstance(box.wake, WakeGate)
    assert not box.wake.is_awake
    assert isinstance(box.commands, Commands)
    assert box.commands._names == ("okay Nabu",)


async def test_a_wrong_wake_word_is_refused_before_anything_runs() -> None:
    engines = Engines(IdentityFilter, IdentityFilter, IdentityFilter, ())
    with pytest.raises(ConfigError, match="Did you mean 'alexa'"):
        await assemble(settings_of("wake.words=['alexia']"), engines, Box("", lambda text: None))


# Engines of one's own

MODULE = """
from pipecat.processors.filters.identity_filter import IdentityFilter
NEEDS_MODEL = {needs_model}
loaded = []
async def load(settings, model):
    loaded.append((settings.language, model))
    return IdentityFilter
"""


@pytest.fixture
def own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "own_engine_for_test_app.py").write_text(MODULE.format(needs_model=False))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("own_engine_for_test_app")
    module.loaded.clear()
    return module


async def test_an_engine_without_a_model_is_handed_none(own_engine: Any) -> None:
    make, notes = await load_engine("stt", settings_of("stt.engine=own_engine_for_test_app"))
    assert isinstance(make(), IdentityFilter)
    assert notes == []
    assert own_engine.loaded == [("en", None)]


async def test_an_engine_may_have_something_to_say(
    own_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        own_engine, "notice", lambda settings: "Words leave this device.", raising=False
    )
    name = "own_engine_for_test_app"
    settings = settings_of(f"stt.engine={name}", f"llm.engine={name}", f"tts.engine={name}")
    engines = await load_engines(settings)
    assert engines.notes == ("Words leave this device.",) * 3
    assert len(own_engine.loaded) == 3


async def test_what_is_loaded_does_not_make_the_garbage_collector_slow(own_engine: Any) -> None:
    class Loop:
        def __init__(self) -> None:
            self.me = self

    name = "own_engine_for_test_app"
    settings = settings_of(f"stt.engine={name}", f"llm.engine={name}", f"tts.engine={name}")
    loop = Loop()
    gone = weakref.ref(loop)
    try:
        await load_engines(settings)
        del loop
        # Nobody looks at it, and so nobody finds out that it has no owner.
        gc.collect()
        assert gone() is not None
        # Other engines are loaded: now what is left of the first ones goes.
        await load_engines(settings)
        assert gone() is None
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


async def test_an_engine_that_needs_a_model_does_not_load_without_one(
    own_engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(own_engine, "NEEDS_MODEL", True)
    settings = settings_of(
        "stt.engine=own_engine_for_test_app", f"models.dir={tmp_path / 'models'}"
    )
    with pytest.raises((ConfigError, MissingModelError)):
        await load_engine("stt", settings)
    assert own_engine.loaded == []


@pytest.mark.parametrize("role", ["stt", "llm", "tts"])
async def test_a_machine_without_models_says_what_to_do(role: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="edgebot models pull"):
        await load_engine(role, settings_of(f"models.dir={tmp_path}"))
