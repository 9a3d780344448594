"""The voice that asks and the ear that judges, both on this machine, for Pipecat's evals.

EDGEBOT_STT__MODEL and EDGEBOT_TTS__MODEL choose them, as they choose the bot's own.
"""

from __future__ import annotations

from typing import Any

from pipecat.services.moonshine.stt import MoonshineSTTSettings

from edgebot.app import choose_model
from edgebot.config import load_settings
from edgebot.engines.piper import PiperEngine
from edgebot.engines.thread import EngineThread
from edgebot.stages.stt_moonshine import LocalMoonshineSTTService, load_transcriber
from edgebot.stages.tts_piper import PiperTTSService


def voice(config: dict[str, Any]) -> PiperTTSService:
    """Return what speaks the user's turns: Piper."""
    model, _ = choose_model("tts", load_settings())
    return PiperTTSService(engine=PiperEngine(model.path), thread=EngineThread("user"))


def ear(config: dict[str, Any]) -> LocalMoonshineSTTService:
    """Return what hears the bot's answers: Moonshine."""
    model, _ = choose_model("stt", load_settings())
    return LocalMoonshineSTTService(
        transcriber=load_transcriber(model.path, "tiny"),
        settings=MoonshineSTTSettings(model="tiny", language="en"),
    )
