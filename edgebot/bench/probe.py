"""How fast the language model writes inside the house, whatever else is done meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    MetricsFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.workers.runner import WorkerRunner

from edgebot.app import MakeStage
from edgebot.bench.bare import ENDLESS, PROBE_TOKENS
from edgebot.config import Settings

# Fewer tell nothing of a speed.
_FEWEST_TOKENS = 16
_PATIENCE_S = 120.0


def endless(settings: Settings) -> Settings:
    """Return settings with which every answer has as many tokens as the bare engine's."""
    update = {"max_tokens": PROBE_TOKENS, "max_sentences": 0}
    return settings.model_copy(update={"llm": settings.llm.model_copy(update=update)})


class Probe(BaseObserver):
    """The language model's stage in a pipeline of its own; see `start`."""

    def __init__(self) -> None:
        super().__init__(observe_every_push=False)
        self._pieces_ns: list[int] = []
        self._tokens = 0
        self._is_done = asyncio.Event()
        self._worker: PipelineWorker

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, make_llm: MakeStage) -> AsyncIterator[Probe]:
        """Run the stage until the block ends.

        Args:
            make_llm: From engines that were loaded with `endless` settings.
        """
        self = cls()
        self._worker = PipelineWorker(
            Pipeline([make_llm()]),
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
            observers=[self],
            enable_rtvi=False,
            # As in a conversation.
            enable_turn_tracking=False,
            idle_timeout_secs=None,
        )
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        running = asyncio.create_task(runner.run())
        try:
            yield self
        finally:
            await self._worker.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def tokens_per_s(self) -> float | None:
        """Let it write, and return how fast its text came; None if there was too little."""
        self._pieces_ns.clear()
        self._tokens = 0
        self._is_done.clear()
        context = LLMContext(messages=[{"role": "user", "content": ENDLESS}])
        await self._worker.queue_frame(LLMContextFrame(context))
        await asyncio.wait_for(self._is_done.wait(), _PATIENCE_S)
        if self._tokens < _FEWEST_TOKENS:
            return None
        # The first piece is one token; later ones may be several.
        return (self._tokens - 1) / ((self._pieces_ns[-1] - self._pieces_ns[0]) / 1e9)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Note when a piece of text came, and how many tokens they were."""
        frame: Frame = data.frame
        if isinstance(frame, LLMTextFrame):
            self._pieces_ns.append(data.timestamp)
        elif isinstance(frame, MetricsFrame):
            for one in frame.data:
                if isinstance(one, LLMUsageMetricsData):
                    self._tokens = one.value.completion_tokens
        elif isinstance(frame, LLMFullResponseEndFrame):
            self._is_done.set()
