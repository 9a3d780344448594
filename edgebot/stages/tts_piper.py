"""Text to speech by Piper."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from loguru import logger
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EagerEndOfTurnCancelFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.utils.text.base_text_aggregator import TextType
from pipecat.utils.text.transforms import strip_markdown
from pipecat.utils.text.transforms.text_transform import TextTransform

from edgebot.config import Settings
from edgebot.engines.memory import trim
from edgebot.engines.piper import PiperEngine
from edgebot.engines.right_of_way import FIRST_SOUND
from edgebot.engines.thread import EngineThread
from edgebot.models.installed import InstalledModel
from edgebot.stages.read_aloud import read_aloud, without_pictures

_SILENCE_S = 0.01


class Synthesizer(Protocol):
    """What the service needs of an engine; `PiperEngine` is one."""

    rate_hz: int

    def synthesize(self, text: str) -> Iterator[bytes]: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class SpokenAhead:
    """A text that is being spoken into memory.

    Attributes:
        text: As the engine is given it.
        pieces: Its sound so far; None ends it.
        task: Speaks it.
    """

    text: str
    pieces: asyncio.Queue[bytes | None]
    task: asyncio.Task[None]


class PiperTTSService(TTSService):
    """Speaks with a local Piper voice that is already loaded; it never downloads.

    Pipecat's own service loads the voice with onnxruntime's defaults (all threads, spinning) and
    cannot stop in the middle of a sentence; an interruption stops this one at once.
    """

    def __init__(
        self, *, engine: Synthesizer, thread: EngineThread, settings: TTSSettings | None = None
    ) -> None:
        """Wrap a loaded engine.

        Args:
            engine: The voice, used in `thread` only.
            thread: The engine's own thread.
            settings: The voice's name and language.
        """
        default = TTSSettings(model=None, voice=None, language=None)
        if settings is not None:
            default.apply_update(settings)
        super().__init__(
            sample_rate=engine.rate_hz,
            push_start_frame=True,
            push_stop_frames=True,
            text_transforms=[("*", transform) for transform in transforms(default.language)],
            # A text without sound, such as a lone emoji, is no reason to give the voice up.
            max_consecutive_zero_audio_contexts=0,
            settings=default,
        )
        self._engine = engine
        self._thread = thread
        self._ahead: SpokenAhead | None = None
        # While it speaks, nobody waits for the first sound of what comes next.
        self._is_heard = False
        self._trimming: asyncio.Task[None] | None = None

    def can_generate_metrics(self) -> bool:
        """Return True: time to the first sound is measured."""
        return True

    async def cleanup(self) -> None:
        """Forget what was spoken ahead."""
        await self.forget_ahead()
        trimming, self._trimming = self._trimming, None
        if trimming is not None:
            await self.cancel_task(trimming)
        await super().cleanup()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Speak; forget what was spoken ahead when its turn goes on or is interrupted."""
        if isinstance(frame, EagerEndOfTurnCancelFrame | InterruptionFrame):
            await self.forget_ahead()
        elif isinstance(frame, BotStartedSpeakingFrame):
            self._is_heard = True
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._is_heard = False
            # onnxruntime leaves tens of megabytes of free memory behind each answer.
            self._trimming = self.create_task(self._thread.run(trim))
        await super().process_frame(frame, direction)

    async def speak_ahead(self, text: str) -> None:
        """Begin to speak a text into memory; when it is to be said, its sound is there.

        Args:
            text: As it will be handed to this stage.
        """
        await self.forget_ahead()
        prepared = await self._transform_text(text, TextType.SENTENCE)
        if prepared:
            pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
            task = self.create_task(self._fill(prepared, pieces))
            self._ahead = SpokenAhead(prepared, pieces, task)

    async def forget_ahead(self) -> None:
        """Stop speaking ahead, and drop what was spoken."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await self.cancel_task(ahead.task)

    async def _fill(self, text: str, pieces: asyncio.Queue[bytes | None]) -> None:
        async with contextlib.aclosing(self._synthesize(text)) as sound:
            async for audio in sound:
                pieces.put_nowait(audio)
        pieces.put_nowait(None)

    async def _synthesize(self, text: str) -> AsyncGenerator[bytes, None]:
        pieces = self._thread.stream(lambda: self._engine.synthesize(text), stop=self._engine.stop)
        with contextlib.ExitStack() as waited_for:
            if not self._is_heard:
                waited_for.enter_context(FIRST_SOUND.taken())
            async with contextlib.aclosing(pieces):
                async for audio in pieces:
                    waited_for.close()
                    yield audio

    async def _take(self, text: str) -> AsyncGenerator[bytes, None]:
        """Yield the sound of a text: from memory, as far as it is there."""
        ahead = self._ahead
        if ahead is None or ahead.text != text:
            await self.forget_ahead()
            async with contextlib.aclosing(self._synthesize(text)) as sound:
                async for audio in sound:
                    yield audio
            return
        try:
            while (piece := await ahead.pieces.get()) is not None:
                yield piece
        finally:
            if self._ahead is ahead:
                await self.forget_ahead()

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the sound of a text, a frame for each piece as soon as it is decoded.

        Args:
            text: What to say.
            context_id: The turn that it belongs to.
        """
        await self.start_tts_usage_metrics(text)
        silent = True
        async with contextlib.aclosing(self._take(text)) as pieces:
            async for audio in pieces:
                await self.stop_ttfb_metrics()
                silent = False
                yield TTSAudioRawFrame(audio, self._engine.rate_hz, 1, context_id=context_id)
        if silent:
            # Pipecat would wait 3 s for the sound of a text that has none, and call it a failure.
            nothing = bytes(2 * int(self._engine.rate_hz * _SILENCE_S))
            yield TTSAudioRawFrame(nothing, self._engine.rate_hz, 1, context_id=context_id)


def transforms(language: object) -> list[TextTransform]:
    """Return what a text goes through before it is spoken; the context keeps what was written."""
    found: list[TextTransform] = [strip_markdown, without_pictures]
    if str(language or "en").lower().startswith("en"):
        found.append(read_aloud)
    return found


async def load(settings: Settings, model: InstalledModel) -> Callable[[], PiperTTSService]:
    """Load the voice and return what makes a stage of it."""
    chosen = settings.tts
    thread = EngineThread("piper")

    def load_engine() -> PiperEngine:
        engine = PiperEngine(
            model.path, threads=chosen.threads, speed=chosen.speed, volume=chosen.volume
        )
        engine.warm()
        if engine.whole_because:
            logger.warning(
                f"The voice {model.model.id} speaks a sentence at a time, so its first sound comes "
                f"late: {engine.whole_because}."
            )
        return engine

    engine = await thread.run(load_engine)
    return lambda: PiperTTSService(
        engine=engine,
        thread=thread,
        settings=TTSSettings(
            model=model.model.id, voice=model.model.id, language=settings.language
        ),
    )
