"""Opening a device may hang: nobody waits for it, and it is not forgotten either.

What becomes of a device that fails is in test_device.py, with the stages that tell of it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from fake_time import run_in_fake_time

from edgebot.stages.keeper import Daemons, Keeper

PATIENCE_S = 5.0


class Slow:
    """A device that opens when it is let."""

    silent_s = 0.0
    is_running = True
    is_lost = False
    is_given_up = False

    def __init__(self) -> None:
        self.tried, self.may_open = threading.Event(), threading.Event()
        self.closed = threading.Event()

    def open(self) -> Slow:
        self.tried.set()
        assert self.may_open.wait(PATIENCE_S)
        return self

    def close(self) -> None:
        assert not self.closed.is_set()
        self.closed.set()


class LateStream:
    """A device that is open, and does not call all the time."""

    is_running = True
    is_lost = False
    is_given_up = False

    def __init__(self, now: Callable[[], float], begun_s: float, ended_s: float) -> None:
        """Name the time since its opening, from and to, in which it does not call."""
        self._now, self._opened_s = now, now()
        self._begun_s, self._ended_s = begun_s, ended_s

    @property
    def silent_s(self) -> float:
        age_s = self._now() - self._opened_s
        return age_s - self._begun_s if self._begun_s <= age_s < self._ended_s else 0.0

    def close(self) -> None: ...


class Kept:
    """A keeper of a slow device, and what it tells."""

    def __init__(self, open_device: Callable[[], Any] | None = None) -> None:
        self.slow = Slow()
        self.told: list[str] = []
        self.keeper = Keeper(
            open_device or self.slow.open,
            stopped="It stopped.",
            when_opened=lambda device: self.told.append("opened"),
            when_working=self._works,
            when_fault=self._fails,
        )

    async def _works(self) -> None:
        self.told.append("works")

    async def _fails(self, text: str) -> None:
        self.told.append(text)

    async def begin(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.keeper.run())
        assert await asyncio.to_thread(self.slow.tried.wait, PATIENCE_S)
        return task


async def test_nobody_waits_for_an_opening_that_hangs() -> None:
    kept = Kept()
    task = await kept.begin()
    task.cancel()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kept.told == []
    kept.slow.may_open.set()
    assert await asyncio.to_thread(kept.slow.closed.wait, PATIENCE_S)


async def test_what_opens_when_it_is_no_longer_wanted_is_closed() -> None:
    kept = Kept()
    task = await kept.begin()
    kept.keeper.want(False)
    kept.slow.may_open.set()
    assert await asyncio.to_thread(kept.slow.closed.wait, PATIENCE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept.told == ["opened"]
    assert kept.keeper.device is None


async def test_a_device_that_is_kept_no_longer_is_closed() -> None:
    kept = Kept()
    kept.slow.may_open.set()
    task = await kept.begin()
    await asyncio.wait_for(kept.keeper.is_settled.wait(), PATIENCE_S)
    assert kept.keeper.device is kept.slow
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept.slow.closed.is_set()


@pytest.mark.parametrize(
    ("silence", "told"),
    [((0.0, 2.5), ["opened", "works"]), ((3.0, 5.5), ["opened", "works", "It stopped.", "opened"])],
)
def test_a_new_stream_may_be_late(silence: tuple[float, float], told: list[str]) -> None:
    """A sound server on a busy machine lets it wait; one that has worked is not to stop so long."""

    async def main() -> None:
        now = asyncio.get_running_loop().time
        kept = Kept(lambda: LateStream(now, *silence))
        task = asyncio.create_task(kept.keeper.run())
        await asyncio.sleep(6.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert kept.told[: len(told)] == told

    run_in_fake_time(main())


@pytest.mark.parametrize(("looked_s", "told"), [(0.1, ["opened"]), (0.3, ["opened", "works"])])
def test_one_that_has_called_before_it_was_handed_over_works_soon(
    looked_s: float, told: list[str]
) -> None:
    async def main() -> None:
        now = asyncio.get_running_loop().time
        kept = Kept(lambda: LateStream(now, 9.0, 9.0))
        task = asyncio.create_task(kept.keeper.run())
        await asyncio.wait_for(kept.keeper.is_settled.wait(), PATIENCE_S)
        await asyncio.sleep(looked_s)
        assert kept.told == told
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_in_fake_time(main())


def test_a_thread_that_hangs_keeps_no_program_from_its_end() -> None:
    seen: list[bool] = []
    Daemons().submit(lambda: seen.append(threading.current_thread().daemon)).result(PATIENCE_S)
    assert seen == [True]


def test_what_fails_in_a_thread_is_told_to_who_waits() -> None:
    future = Daemons().submit(int, "x")
    with pytest.raises(ValueError, match="'x'"):
        future.result(PATIENCE_S)
