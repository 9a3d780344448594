"""An engine's thread: one call after the other, and none left behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from edgebot.engines.thread import EngineThread

PATIENCE_S = 5.0


@pytest.fixture
async def thread() -> AsyncIterator[EngineThread]:
    made = EngineThread("test")
    yield made
    made.close()


class SlowEngine:
    """Works until it is told to stop, and tells when it began and when it returned."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.stopped = threading.Event()
        self.returned = threading.Event()

    def work(self) -> str:
        self.began.set()
        assert self.stopped.wait(PATIENCE_S)
        self.returned.set()
        return "half"

    def items(self) -> Iterator[int]:
        yield 1
        yield 2
        self.work()
        yield 3

    def stop(self) -> None:
        self.stopped.set()


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


async def test_a_call_runs_in_the_engines_own_thread(thread: EngineThread) -> None:
    names = {await thread.run(lambda: threading.current_thread().name) for _ in range(3)}
    assert names == {"test_0"}


async def test_a_call_returns_its_result_or_its_fault(thread: EngineThread) -> None:
    assert await thread.run(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    assert await thread.run(lambda: "still there") == "still there"


async def test_calls_keep_their_order(thread: EngineThread) -> None:
    done: list[int] = []
    await asyncio.gather(*(thread.run(lambda n=n: done.append(n)) for n in range(20)))
    assert done == list(range(20))


async def test_the_event_loop_goes_on_while_the_engine_works(thread: EngineThread) -> None:
    engine = SlowEngine()
    call = asyncio.create_task(thread.run(engine.work))
    await until(engine.began)
    assert not call.done()
    engine.stop()
    assert await call == "half"


async def test_a_cancelled_call_is_stopped_and_waited_for(thread: EngineThread) -> None:
    engine = SlowEngine()
    call = asyncio.create_task(thread.run(engine.work, stop=engine.stop))
    await until(engine.began)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert engine.returned.is_set()


async def test_impatience_does_not_leave_a_call_behind(thread: EngineThread) -> None:
    engine = SlowEngine()
    call = asyncio.create_task(thread.run(engine.work))
    await until(engine.began)
    for _ in range(3):
        call.cancel()
        await asyncio.sleep(0)
    assert not call.done()
    engine.stop()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert engine.returned.is_set()


async def test_a_call_that_fails_when_stopped_is_cancelled_all_the_same(
    thread: EngineThread,
) -> None:
    engine = SlowEngine()

    def work() -> None:
        engine.work()
        raise RuntimeError("aborted")

    call = asyncio.create_task(thread.run(work, stop=engine.stop))
    await until(engine.began)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_call_cancelled_before_its_turn_never_runs(thread: EngineThread) -> None:
    engine = SlowEngine()
    ran: list[str] = []
    first = asyncio.create_task(thread.run(engine.work))
    second = asyncio.create_task(thread.run(lambda: ran.append("second")))
    await until(engine.began)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    engine.stop()
    await first
    await thread.run(lambda: ran.append("third"))
    assert ran == ["third"]


async def test_a_stream_yields_as_the_engine_does(thread: EngineThread) -> None:
    assert [item async for item in thread.stream(lambda: iter(range(5)))] == [0, 1, 2, 3, 4]
    assert [item async for item in thread.stream(lambda: iter(()))] == []


async def test_items_come_while_the_engine_still_works(thread: EngineThread) -> None:
    engine = SlowEngine()
    items = thread.stream(engine.items)
    async with contextlib.aclosing(items):
        assert [await anext(items), await anext(items)] == [1, 2]
        assert not engine.returned.is_set()
        engine.stop()
        assert [item async for item in items] == [3]


async def test_a_streams_fault_comes_after_its_items(thread: EngineThread) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    stream = thread.stream(items)
    assert await anext(stream) == 1
    with pytest.raises(ZeroDivisionError):
        await anext(stream)
    assert await thread.run(lambda: "still there") == "still there"


async def test_closing_a_stream_stops_the_engine_and_waits(thread: EngineThread) -> None:
    engine = SlowEngine()
    items = thread.stream(engine.items, stop=engine.stop)
    async with contextlib.aclosing(items):
        assert await anext(items) == 1
    assert engine.stopped.is_set()
    assert await thread.run(lambda: engine.returned.is_set() or not engine.began.is_set())


async def test_cancelling_a_stream_stops_the_engine_and_waits(thread: EngineThread) -> None:
    engine = SlowEngine()
    found: list[int] = []

    async def consume() -> None:
        async with contextlib.aclosing(thread.stream(engine.items, stop=engine.stop)) as items:
            async for item in items:
                found.append(item)

    consumer = asyncio.create_task(consume())
    await until(engine.began)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert engine.returned.is_set()
    assert 3 not in found


async def test_a_stopped_stream_takes_no_further_item(thread: EngineThread) -> None:
    # An engine that forgets it was told to stop, as one that begins just then does.
    made: list[int] = []
    go_on = threading.Event()

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number
            assert go_on.wait(PATIENCE_S)

    stream = thread.stream(items, stop=go_on.set)
    async with contextlib.aclosing(stream):
        assert await anext(stream) == 0
    assert await thread.run(lambda: len(made)) <= 2


async def test_a_stream_closed_before_its_turn_never_begins(thread: EngineThread) -> None:
    engine = SlowEngine()
    ran: list[str] = []

    def items() -> Iterator[int]:
        ran.append("items")
        yield 1

    first = asyncio.create_task(thread.run(engine.work))
    await until(engine.began)
    stream = thread.stream(items)
    second = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    engine.stop()
    await first
    assert await thread.run(lambda: ran) == []


async def test_the_next_call_waits_for_the_stream_before_it(thread: EngineThread) -> None:
    order: list[str] = []

    def items() -> Iterator[int]:
        for number in range(3):
            order.append(f"item {number}")
            yield number

    stream = thread.stream(items)
    assert await anext(stream) == 0
    await thread.run(lambda: order.append("call"))
    assert [item async for item in stream] == [1, 2]
    assert order == ["item 0", "item 1", "item 2", "call"]


async def test_a_closed_thread_takes_no_more_calls(thread: EngineThread) -> None:
    thread.close()
    with pytest.raises(RuntimeError):
        await thread.run(lambda: None)
