"""Speech to text by Moonshine: the stand-in where no Vosk model of the language can be had."""

from __future__ import annotations

import asyncio
from pathlib import Path

from moonshine_voice import Transcriber, string_to_model_arch
from moonshine_voice.errors import MoonshineError
from pipecat.services.moonshine.stt import MoonshineSTTService

from edgebot.config import Settings
from edgebot.errors import BrokenModelError
from edgebot.models.installed import InstalledModel


class LocalMoonshineSTTService(MoonshineSTTService):
    """Pipecat's own service with the model from a local folder: it never asks a hub."""

    def __init__(self, *, path: Path, settings: MoonshineSTTService.Settings) -> None:
        """Load the model.

        Args:
            path: The folder with the encoder, the decoder and the tokenizer.
            settings: `model` is the architecture, `language` the language.

        Raises:
            BrokenModelError: Moonshine refuses the folder.
        """
        self._path = path
        super().__init__(settings=settings, ttfs_p99_latency=1.0)

    def _load(self) -> Transcriber:
        try:
            return Transcriber(str(self._path), string_to_model_arch(str(self._settings.model)))
        except (MoonshineError, ValueError, OSError) as error:
            raise BrokenModelError(f"Moonshine cannot load {self._path}: {error}") from None

    def warm(self) -> None:
        """Transcribe half a second of nothing, so that the first question is not the slowest."""
        self._transcriber.transcribe_without_streaming([0.0] * 8000, 16_000)


async def create(settings: Settings, model: InstalledModel) -> LocalMoonshineSTTService:
    """Load the model and return the stage."""

    def load() -> LocalMoonshineSTTService:
        service = LocalMoonshineSTTService(
            path=model.path,
            settings=MoonshineSTTService.Settings(
                model=model.model.options.get("arch", "tiny"), language=settings.language
            ),
        )
        service.warm()
        return service

    return await asyncio.to_thread(load)
