"""One process: settings → stages → a running conversation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pipecat.frames.frames import EndFrame, ErrorFrame, TTSSpeakFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from edgebot.config import Settings
from edgebot.engines.memory import keep_from_collector
from edgebot.errors import EngineError
from edgebot.frames import ChimeFrame
from edgebot.models.catalog import Catalog
from edgebot.models.choose import choose, stand_in_note
from edgebot.models.installed import InstalledModel, check
from edgebot.models.model import Role
from edgebot.models.store import Store
from edgebot.pipeline import Stages, build_pipeline
from edgebot.stages import (
    commands,
    context,
    context_window,
    echo,
    interruption,
    read_ahead,
    speak_ahead,
    spoken_text,
    wake,
)
from edgebot.stages.engine import find_engine
from edgebot.stages.intercom import Intercom
from edgebot.stages.patience import Patience

# A big model on a slow card takes its time.
START_TIMEOUT_S = 300.0
# An engine's thread comes back to Python many times for each token, and would wait up to 5 ms each
# time for the thread that moves the sound.
SWITCH_S = 0.0005


T = TypeVar("T")
MakeStage = Callable[[], FrameProcessor]


@dataclass(frozen=True)
class Engines:
    """What makes the stages of a conversation from loaded engines, and notes for a person."""

    stt: MakeStage
    llm: MakeStage
    tts: MakeStage
    notes: tuple[str, ...]


async def load_engine(role: Role, settings: Settings) -> tuple[MakeStage, list[str]]:
    """Load the engine of one role and return what makes its stage, with notes for a person.

    Args:
        role: "stt", "llm" or "tts".
        settings: Name the engine and the model.

    Raises:
        ConfigError: There is no such engine or model.
        ModelError: The model is missing or broken.
        ServerError: The engine is a server that does not answer.
    """
    name = getattr(settings, role).engine
    module = None if name == "auto" else find_engine(role, name)
    model: InstalledModel | None = None
    notes: list[str] = []
    if module is None or getattr(module, "NEEDS_MODEL", True):
        model, notes = choose_model(role, settings)
        await asyncio.to_thread(check, model)
        module = module or find_engine(role, model.model.engine)
    if note := getattr(module, "notice", lambda _: None)(settings):
        notes.append(note)
    return await module.load(settings, model), notes


def choose_model(role: Role, settings: Settings) -> tuple[InstalledModel, list[str]]:
    """Return the model of one role, with a note where it is a stand-in."""
    wanted = getattr(settings, role)
    catalog, model_set = Catalog.load(), settings.models.set
    model = choose(
        Store(settings.models.dir),
        catalog,
        role,
        engine=wanted.engine,
        model=wanted.model,
        language=settings.language,
        model_set=model_set,
    )
    note = None
    if wanted.model == "auto":
        note = stand_in_note(
            catalog,
            role,
            model,
            engine=wanted.engine,
            language=settings.language,
            model_set=model_set,
        )
    return model, [note] if note else []


async def load_engines(settings: Settings) -> Engines:
    """Load speech to text, the language model and the voice, side by side."""
    sys.setswitchinterval(SWITCH_S)
    loaded = await asyncio.gather(
        load_engine("stt", settings), load_engine("llm", settings), load_engine("tts", settings)
    )
    (stt, _), (llm, _), (tts, _) = loaded
    keep_from_collector()
    return Engines(stt, llm, tts, tuple(note for _, notes in loaded for note in notes))


@dataclass(frozen=True)
class Box:
    """What only a box in a room has, and neither a file nor a caller.

    Attributes:
        microphone: What the driver calls it: some take its own voice out themselves.
        when_trouble: Called with one sentence when its own voice cannot be told from a person's.
    """

    microphone: str
    when_trouble: Callable[[str], None]


async def assemble(settings: Settings, engines: Engines, box: Box | None = None) -> Stages:
    """Return all stages of one conversation; the language model has read its prompt.

    Args:
        settings: All of them.
        engines: From `load_engines`.
        box: With it, the conversation has a name, a button, commands, and an open loudspeaker;
            without it, it hears all, always.

    Raises:
        ConfigError: There is no such wake word.
        ModelError: A wake word's model is missing or broken.
    """
    ear = wake.load_engine(settings) if box else None
    guard = interruption.create(settings, box.when_trouble) if box else None
    memory = context.new_context(settings)
    names = ear.names if ear else ()
    user, assistant = context.create(settings, memory, guard=guard, names=names)
    llm, tts = engines.llm(), engines.tts()
    speak_ahead.connect(settings, llm, tts)
    if guard is not None:
        guard.watch(tts)
    await read_ahead.read_opening(llm, memory)
    window = context_window.create(llm, memory, settings.llm.context_tokens)
    return Stages(
        echo=echo.create(settings, box.microphone) if box else None,
        intercom=Intercom() if box and settings.bridge.enabled else None,
        patience=Patience(),
        wake=wake.create(settings, ear) if box else None,
        stt=engines.stt(),
        read_ahead=read_ahead.create(settings, llm, memory, window),
        user=user,
        commands=commands.create(settings, names) if box else None,
        window=window,
        llm=llm,
        spoken_text=spoken_text.create(settings),
        tts=tts,
        assistant=assistant,
        context=memory,
    )


async def unless_ended(running: asyncio.Task[None], waiting: Awaitable[T]) -> T:
    """Wait for something, unless a running conversation ends first: then raise its fault."""
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait([task, running], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            running.result()
            raise KeyboardInterrupt
        return task.result()
    finally:
        task.cancel()


class Conversation:
    """One pipeline at work between a transport's two ends."""

    def __init__(
        self,
        settings: Settings,
        stages: Stages,
        transport: BaseTransport,
        *,
        rate_hz: int,
        is_call: bool = False,
        handles_signals: bool = True,
        idle_timeout_s: float | None = None,
        observers: list[BaseObserver] | None = None,
        when_ready: Callable[[], Awaitable[None]] | None = None,
        when_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Build the pipeline.

        Args:
            settings: Name the greeting and the chime.
            stages: From `assemble`.
            transport: Where the sound comes from and goes to.
            rate_hz: The rate of the sound that goes to the transport.
            is_call: Whether somebody is at the other end: RTVI tells them what happens, and nobody
                is greeted before they are there.
            handles_signals: Whether SIGINT and SIGTERM end it.
            idle_timeout_s: It ends when nobody has spoken for so long; None is never, for an
                appliance waits for its next question as long as it takes.
            observers: Are shown every frame.
            when_ready: Called when the pipeline runs.
            when_trouble: Called with what went wrong once and does not end the conversation.
        """
        self._settings = settings
        self._rate_hz = rate_hz
        self._is_call = is_call
        self._handles_signals = handles_signals
        self._when_ready = when_ready
        self._when_trouble = when_trouble
        self._fault: str | None = None
        self.worker = PipelineWorker(
            build_pipeline(transport, stages),
            params=PipelineParams(
                audio_in_sample_rate=16_000,
                audio_out_sample_rate=rate_hz,
                enable_metrics=True,
                enable_usage_metrics=True,
            ),
            observers=observers or [],
            enable_rtvi=is_call,
            # Pipecat's own log of turns would be shown every frame, and nobody reads it.
            enable_turn_tracking=False,
            idle_timeout_secs=idle_timeout_s,
            # What cannot work any more is a fault, not a silence.
            processor_unusable_policy=ProcessorUnusablePolicy.CANCEL,
            setup_timeout_secs=START_TIMEOUT_S,
            start_timeout_secs=START_TIMEOUT_S,
        )
        self.worker.add_event_handler("on_pipeline_started", self._started)
        self.worker.add_event_handler("on_pipeline_error", self._failed)

    async def run(self) -> None:
        """Converse until `stop`, or a signal if it handles them.

        Raises:
            EngineError: A stage can no longer work.
        """
        runner = WorkerRunner(
            handle_sigint=self._handles_signals,
            handle_sigterm=self._handles_signals,
            # One call after the other: what refers to itself is not left to chance.
            force_gc=self._is_call,
        )
        await runner.add_workers(self.worker)
        await runner.run()
        if self._fault is not None:
            raise EngineError(self._fault)

    async def stop(self) -> None:
        """End when all that is queued has been spoken."""
        await self.worker.queue_frame(EndFrame())

    async def _started(self, worker: PipelineWorker, frame: object) -> None:
        greeting = self._settings.assistant.greeting
        if not self._is_call:
            await worker.queue_frame(TTSSpeakFrame(greeting) if greeting else ChimeFrame("ready"))
        if self._when_ready is not None:
            await self._when_ready()

    async def _failed(self, worker: PipelineWorker, frame: ErrorFrame) -> None:
        stage: Any = frame.processor
        if stage is None or stage.is_usable:
            self._when_trouble(
                f"Something went wrong, and the conversation goes on: {frame.error}."
            )
        elif self._fault is None:
            self._fault = f"The conversation cannot go on: {frame.error}."
