"""A pipeline at work, and everything that comes out of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from pipecat.frames.frames import Frame, InterruptionFrame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

PATIENCE_S = 60.0


class Tap(FrameProcessor):
    """Keeps every frame that passes downstream, in its order."""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.frames: list[Frame] = []
        self.came = asyncio.Event()
        self.when_frame: Callable[[Frame], object] = lambda frame: None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM:
            self.frames.append(frame)
            self.when_frame(frame)
            self.came.set()
        await self.push_frame(frame, direction)

    async def wait_for(self, *kinds: type[Frame], after: int = 0) -> int:
        """Wait for a frame of a kind; return the place just past it."""

        def place() -> int | None:
            found = range(after, len(self.frames))
            return next((at + 1 for at in found if isinstance(self.frames[at], kinds)), None)

        found = await self.until(place)
        assert isinstance(found, int)
        return found

    async def until(self, look: Callable[[], object]) -> object:
        """Wait until something is true, looking whenever a frame has come."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := look()):
                self.came.clear()
                await self.came.wait()
        return found

    def of(self, kind: type[Frame], after: int = 0) -> list[Any]:
        """Return the frames of a kind."""
        return [frame for frame in self.frames[after:] if isinstance(frame, kind)]


class Running:
    """A few stages in a pipeline, for one `async with` block."""

    def __init__(self, stages: Sequence[FrameProcessor]) -> None:
        """Put a tap behind the stages."""
        self.tap = Tap()
        self.worker = PipelineWorker(
            Pipeline([*stages, self.tap]),
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
            enable_rtvi=False,
            idle_timeout_secs=None,
        )

    async def __aenter__(self) -> Self:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        self._task = asyncio.create_task(runner.run())
        await self.tap.wait_for(StartFrame)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.worker.cancel()
        await self._task

    async def send(self, *frames: Frame) -> int:
        """Put frames in; return the place in the tap where what they bring about will begin."""
        here = len(self.tap.frames)
        await self.worker.queue_frames(list(frames))
        return here

    async def interrupt(self) -> int:
        """Interrupt, and wait until the interruption has reached the end; return its place."""
        here = await self.send(InterruptionFrame())
        return await self.tap.wait_for(InterruptionFrame, after=here)
