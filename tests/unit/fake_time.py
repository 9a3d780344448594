"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

# How long to look for what a thread hands back.
_GLANCE_S = 0.005


class _Selector(selectors.DefaultSelector):
    loop: FakeTimeLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self.loop.threads_at_work:
            return super().select(_GLANCE_S)
        self.loop.skip(timeout)
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """Time stands still while code or a thread runs, and jumps when all wait for it."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._now_s = 1000.0
        self.threads_at_work = 0

    def time(self) -> float:
        return self._now_s

    def skip(self, seconds: float) -> None:
        # A little more, for a timer must not be early by a rounding error.
        self._now_s += seconds + 1e-9

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self.threads_at_work += 1
        future.add_done_callback(self._thread_returned)
        return future

    async def shutdown_default_executor(self, *limits: float | None) -> None:
        # Python 3.12 and later give the threads a time limit, which would pass at once here.
        await super().shutdown_default_executor()

    def _thread_returned(self, future: Future[Any] | asyncio.Future[Any]) -> None:
        self.threads_at_work -= 1


def run_in_fake_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; its sleeps cost nothing."""
    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(main)
