"""Real engines, loaded once; a log that must stay clean; pieces of pipelines around a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from loguru import logger

from edgebot.engines.llama import LlamaEngine
from edgebot.engines.piper import PiperEngine
from edgebot.models.installed import InstalledModel
from tests.conftest import LLM, TTS

CONTEXT_TOKENS = 2048


@pytest.fixture(scope="session", autouse=True)
def _short_log() -> None:
    """Keep what Pipecat logs of every frame out of a failed test's report."""
    logger.remove()


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Collect what is logged as a warning or worse."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{level}: {message}")
    yield lines
    logger.remove(sink)


@pytest.fixture(scope="session")
def llama(model: Callable[[str], InstalledModel]) -> LlamaEngine:
    """SmolLM2-135M, with whatever conversation the test before left in it."""
    return LlamaEngine(model(LLM).path, context_tokens=CONTEXT_TOKENS)


@pytest.fixture(scope="session")
def piper(model: Callable[[str], InstalledModel]) -> PiperEngine:
    """The voice, as fast and as loud as it comes."""
    return PiperEngine(model(TTS).path)


def noise(seconds: float, rate_hz: int = 16_000, level: float = 0.05) -> bytes:
    """Return white noise as 16-bit mono PCM, the same each time."""
    samples = np.random.default_rng(1).normal(0.0, level, int(seconds * rate_hz))
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
