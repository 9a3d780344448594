"""A pipeline of one stage: frames go in, and what comes out is waited for, not slept for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, ServiceMetadataFrame, StartFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

PATIENCE_S = 5.0
LOOK_EVERY_S = 0.01


class Ear(FrameProcessor):
    """Keeps what passes in one direction."""

    def __init__(self, direction: FrameDirection, when_frame: Callable[[Frame], None]) -> None:
        super().__init__(enable_direct_mode=True)
        self._direction = direction
        self._when_frame = when_frame

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is self._direction and not isinstance(frame, StartFrame):
            self._when_frame(frame)
        await self.push_frame(frame, direction)


class Line:
    """Runs one stage; use it as `async with Line(stage) as line`."""

    def __init__(
        self,
        stage: FrameProcessor,
        *,
        metrics: bool = False,
        observers: Sequence[BaseObserver] = (),
        **params: Any,
    ) -> None:
        self.stage: Any = stage
        self.down: list[Frame] = []
        self.up: list[Frame] = []
        before = Ear(FrameDirection.UPSTREAM, lambda frame: self._keep(self.up, frame))
        after = Ear(FrameDirection.DOWNSTREAM, lambda frame: self._keep(self.down, frame))
        self.worker = PipelineWorker(
            Pipeline([before, stage, after]),
            params=PipelineParams(enable_metrics=metrics, enable_usage_metrics=metrics, **params),
            observers=list(observers),
            enable_rtvi=False,
            idle_timeout_secs=None,
        )
        self._started = asyncio.Event()
        self._seen = asyncio.Event()

        async def started(worker: PipelineWorker, frame: object) -> None:
            self._started.set()

        self.worker.add_event_handler("on_pipeline_started", started)

    def _keep(self, frames: list[Frame], frame: Frame) -> None:
        frames.append(frame)
        self._seen.set()

    async def __aenter__(self) -> Self:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        self._running = asyncio.create_task(runner.run())
        await asyncio.wait_for(self._started.wait(), PATIENCE_S)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            await self.worker.cancel()
        elif not self._running.done():
            await self.worker.queue_frame(EndFrame())
        await asyncio.wait_for(self._running, PATIENCE_S)

    async def send(self, *frames: Frame) -> None:
        """Put frames in at the top."""
        await self.worker.queue_frames(list(frames))

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something holds; every frame that comes out is a reason to look."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_true():
                self._seen.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._seen.wait(), LOOK_EVERY_S)

    async def until_down(self, kind: type[Frame], count: int = 1) -> None:
        """Wait until so many frames of a kind have come out at the bottom."""
        await self.until(lambda: len(self.of(kind)) >= count)

    async def until_up(self, kind: type[Frame], count: int = 1) -> None:
        """Wait until so many frames of a kind have come out at the top."""
        await self.until(lambda: len(of(self.up, kind)) >= count)

    def of(self, kind: type[Frame]) -> list[Any]:
        """Return the frames of a kind that have come out at the bottom."""
        return of(self.down, kind)

    async def end(self) -> None:
        """End the pipeline and wait until it has ended."""
        await self.worker.queue_frame(EndFrame())
        await asyncio.wait_for(asyncio.shield(self._running), PATIENCE_S)

    async def cancel(self) -> None:
        """Cancel the pipeline and wait until it has ended."""
        await self.worker.cancel()
        await asyncio.wait_for(asyncio.shield(self._running), PATIENCE_S)


def of(frames: list[Frame], kind: type[Frame]) -> list[Any]:
    """Return the frames of exactly one kind."""
    return [frame for frame in frames if type(frame) is kind]


def kinds(frames: list[Frame]) -> list[type[Frame]]:
    """Return the kinds of frames, without those that begin and end every pipeline."""
    every = EndFrame | CancelFrame | ServiceMetadataFrame
    return [type(frame) for frame in frames if not isinstance(frame, every)]
