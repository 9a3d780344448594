"""Speech to text by Moonshine: the stand-in where no Vosk model of the language can be had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from moonshine_voice import Transcriber, string_to_model_arch
from moonshine_voice.errors import MoonshineError
from pipecat.services.moonshine.stt import MoonshineSTTService, MoonshineSTTSettings

from edgebot.config import Settings
from edgebot.errors import BrokenModelError
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
        super().__init__(settings=settings, ttfs_p99_latency=1.0)

    def _load(self) -> Transcriber:
        return self._loaded


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
