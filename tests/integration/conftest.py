"""Real engines, loaded once; a log that must stay clean; pieces of pipelines around a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from loguru import logger

from edgebot.engines.llama import LlamaEngine
from edgebot.engines.piper import PiperEngine
from edgebot.models.installed import InstalledModel
from tests.conftest import LLM, TTS

CONTEXT_TOKENS = 1024


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


class CountingLlama(LlamaEngine):
    """The engine, and a list of how many tokens each step of its computation has evaluated.

    Attributes:
        steps: The sizes of the batches that were begun, in their order.
        when_step: Called before each step, in the engine's thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps: list[int] = []
        self.when_step: Callable[[], object] = lambda: None
        decode = self._llama._ctx.decode

        def counted(batch: Any) -> None:
            self.steps.append(batch.n_tokens())
            self.when_step()
            decode(batch)

        self._llama._ctx.decode = counted

    def _decode(self, tokens: Sequence[int]) -> bool:
        self.steps.append(len(tokens))
        self.when_step()
        return super()._decode(tokens)

    def evaluated(self, work: Callable[[], object]) -> int:
        """Return how many tokens a piece of work evaluates."""
        before = len(self.steps)
        work()
        return sum(self.steps[before:])


@pytest.fixture(scope="session")
def llama(model: Callable[[str], InstalledModel]) -> CountingLlama:
    """SmolLM2-135M, with whatever conversation the test before left in it."""
    return CountingLlama(model(LLM).path, context_tokens=CONTEXT_TOKENS)


@pytest.fixture(scope="session")
def piper(model: Callable[[str], InstalledModel]) -> PiperEngine:
    """The voice, as fast and as loud as it comes."""
    return PiperEngine(model(TTS).path)


def noise(seconds: float, rate_hz: int = 16_000, level: float = 0.05) -> bytes:
    """Return white noise as 16-bit mono PCM, the same each time."""
    samples = np.random.default_rng(1).normal(0.0, level, int(seconds * rate_hz))
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
