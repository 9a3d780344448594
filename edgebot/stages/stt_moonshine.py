"""Speech to text by Moonshine: the stand-in where no Vosk model of the language can be had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from moonshine_voice import Transcriber, string_to_model_arch
from moonshine_voice.errors import MoonshineError
from pipecat.frames.frames import Frame, VADUserStoppedSpeakingFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.moonshine.stt import MoonshineSTTService, MoonshineSTTSettings

from edgebot.config import Settings
from edgebot.errors import BrokenModelError
from edgebot.frames import SleepFrame
from edgebot.models.installed import InstalledModel


class LocalMoonshineSTTService(MoonshineSTTService):
    """Pipecat's own service with the model from a local folder: it never asks a hub."""

    def __init__(self, *, transcriber: Transcriber, settings: MoonshineSTTSettings) -> None:
        """Wrap a loaded model.

        Args:
            transcriber: From `load_transcriber`.
            settings: `model` is the architecture, `language` the language.
        """
        self._loaded = transcriber
        self._forgotten = 0
        super().__init__(settings=settings, ttfs_p99_latency=1.0)

    def _load(self) -> Transcriber:
        return self._loaded

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Transcribe each utterance once, and none that was forgotten."""
        is_again = isinstance(frame, VADUserStoppedSpeakingFrame) and not self._user_speaking
        if is_again:
            # A button that is let go ends an utterance before the voice detector does. Pipecat's
            # service would transcribe its last second a second time.
            self._audio_buffer.clear()
            await self.push_frame(frame, direction)
            return
        if isinstance(frame, SleepFrame):
            self._forget()
        await super().process_frame(frame, direction)

    def _forget(self) -> None:
        """Hear no more of what was said until now."""
        self._user_speaking = False
        self._audio_buffer.clear()
        while not self._segment_queue.empty():
            self._segment_queue.get_nowait()
        self._forgotten += 1

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        """Transcribe an utterance.

        Args:
            audio: 16-bit mono PCM at 16 kHz.
        """
        forgotten = self._forgotten
        async for frame in super().run_stt(audio):
            if forgotten == self._forgotten:
                yield frame


def load_transcriber(path: Path, architecture: str) -> Transcriber:
    """Load a model and make it warm, so that the first question is not the slowest.

    Args:
        path: The folder with the encoder, the decoder and the tokenizer.
        architecture: Such as "tiny".

    Raises:
        BrokenModelError: Moonshine refuses the folder.
    """
    try:
        transcriber = Transcriber(str(path), string_to_model_arch(architecture))
        transcriber.transcribe_without_streaming([0.0] * 8000, 16_000)
    except (MoonshineError, ValueError, OSError) as error:
        raise BrokenModelError(f"Moonshine cannot load {path}: {error}") from None
    return transcriber


async def load(settings: Settings, model: InstalledModel) -> Callable[[], LocalMoonshineSTTService]:
    """Load the model and return what makes a stage of it."""
    architecture = str(model.model.options.get("arch", "tiny"))
    transcriber = await asyncio.to_thread(load_transcriber, model.path, architecture)
    return lambda: LocalMoonshineSTTService(
        transcriber=transcriber,
        settings=MoonshineSTTSettings(model=architecture, language=settings.language),
    )
