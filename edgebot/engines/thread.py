"""A thread of its own for an engine that may be used by one thread only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class EngineThread:
    """Runs an engine's calls one after the other, and never leaves one behind.

    A call that is cancelled from asyncio is told to stop and then waited for: the engine is free
    again when the cancellation returns, so the next call never meets a half-finished one.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[[], T], *, stop: Callable[[], None] | None = None) -> T:
        """Run `call` in the engine's thread and return its result.

        Args:
            call: The work.
            stop: Makes a running `call` return early; called when the awaiting task is cancelled.
        """
        return await self._wait(self._executor.submit(call), stop)

    async def stream(
        self, items: Callable[[], Iterator[T]], *, stop: Callable[[], None] | None = None
    ) -> AsyncGenerator[T, None]:
        """Yield what `items` yields in the engine's thread, as it comes.

        Close the generator (`contextlib.aclosing`) to stop early: `stop` is called and the engine
        waited for.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[T | None] = asyncio.Queue()
        # An engine that is told to stop just before it begins may forget it.
        closed = threading.Event()

        def produce() -> None:
            try:
                for item in items():
                    if closed.is_set():
                        return
                    loop.call_soon_threadsafe(queue.put_nowait, item)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        future = self._executor.submit(produce)
        try:
            while (item := await queue.get()) is not None:
                yield item
        except BaseException:
            closed.set()
            _stop(future, stop)
            raise
        finally:
            if not future.cancelled():
                await self._wait(future, None)

    def close(self) -> None:
        """Let the thread end when its last call has returned."""
        self._executor.shutdown(wait=False)

    @staticmethod
    async def _wait(future: Future[T], stop: Callable[[], None] | None) -> T:
        wrapped = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(wrapped)
        except asyncio.CancelledError:
            _stop(future, stop)
            while not future.done():
                try:
                    await asyncio.wait([wrapped])
                except asyncio.CancelledError:
                    continue
            raise


def _stop(future: Future[Any], stop: Callable[[], None] | None) -> None:
    """End a call: one that waits never begins, and one that has ended stops nobody else's."""
    if not future.cancel() and not future.done() and stop is not None:
        stop()
