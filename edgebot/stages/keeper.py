"""Keeps a device open: it may be lost, frozen or not there at all, and comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import Any, Generic, Protocol, TypeVar

from edgebot.errors import DeviceError

WATCH_EVERY_S = 0.2
# A device has stopped when it was found silent more often than this; a call weighs against two.
_MOST_SILENT_LOOKS = 6
# A sound server on a busy machine lets a new stream wait for its first sound.
_MOST_SILENT_LOOKS_AT_FIRST = 14
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 2.0
_BACK_OFF = 1.5
# A device that stops sooner is tried again only after a pause.
_SHORT_LIFE_S = 5.0


class Device(Protocol):
    """What can be kept open."""

    @property
    def silent_s(self) -> float: ...
    @property
    def is_running(self) -> bool: ...
    @property
    def is_lost(self) -> bool: ...
    @property
    def is_given_up(self) -> bool: ...
    def close(self) -> None: ...


D = TypeVar("D", bound=Device)
T = TypeVar("T")


class Daemons(Executor):
    """Threads that may hang without keeping the program from its end."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in a thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="audio device", daemon=True).start()
        return future


class Keeper(Generic[D]):
    """Opens a device, watches it, and opens it again as often as it takes.

    Attributes:
        device: What is open now, or None.
        is_settled: Set when the device was opened for the first time, or when that failed.
    """

    def __init__(
        self,
        open_device: Callable[[], D],
        *,
        stopped: str,
        when_opened: Callable[[D], None],
        when_working: Callable[[], Awaitable[None]],
        when_fault: Callable[[str], Awaitable[None]],
    ) -> None:
        """Open nothing yet.

        Args:
            open_device: Opens it, in a thread; raises DeviceError.
            stopped: Says what is wrong with a device that does not call any more.
            when_opened: Called with the device each time.
            when_working: Awaited when the device has shown that it works, after each opening.
            when_fault: Awaited with a sentence each time that it cannot be opened or has stopped.
        """
        self.device: D | None = None
        self.is_settled = asyncio.Event()
        self._open_device = open_device
        self._stopped = stopped
        self._when_opened = when_opened
        self._when_working = when_working
        self._when_fault = when_fault
        self._threads = Daemons()
        self._wanted, self._unwanted = asyncio.Event(), asyncio.Event()
        self._wanted.set()

    def want(self, wanted: bool) -> None:
        """Keep the device open, or closed."""
        on, off = (self._wanted, self._unwanted) if wanted else (self._unwanted, self._wanted)
        on.set()
        off.clear()

    async def run(self) -> None:
        """Keep it until cancelled, and close it then."""
        retry_s = FIRST_RETRY_S
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            began_s = loop.time()
            problem, worked = await self._one_life()
            self.is_settled.set()
            if worked:
                retry_s = FIRST_RETRY_S
            elif problem:
                await self._pause(max(WATCH_EVERY_S, began_s + retry_s - loop.time()))
                retry_s = min(LONGEST_RETRY_S, retry_s * _BACK_OFF)

    async def _one_life(self) -> tuple[str, bool]:
        """Return what went wrong, if anything, and whether the device has worked for a while."""
        try:
            device = await self._opened()
        except DeviceError as error:
            await self._when_fault(str(error))
            return str(error), False
        try:
            self.device = device
            self._when_opened(device)
            self.is_settled.set()
            problem, worked = await self._watch(device)
            if problem:
                await self._when_fault(problem)
            return problem, worked
        finally:
            self.device = None
            await asyncio.shield(self._in_thread(device.close))

    async def _watch(self, device: D) -> tuple[str, bool]:
        worked, calls, silences = False, 0, 0
        loop = asyncio.get_running_loop()
        opened_s = loop.time()
        while not device.is_given_up:
            is_calling = device.is_running and device.silent_s < WATCH_EVERY_S
            # Some devices call once and then stop, or call once a second.
            calls = calls + 1 if is_calling else 0
            silences = max(0, silences - 2) if is_calling else silences + 1
            if calls > 1 and not worked:
                worked = True
                await self._when_working()
            most = _MOST_SILENT_LOOKS if worked else _MOST_SILENT_LOOKS_AT_FIRST
            if device.is_lost or silences > most:
                return self._stopped, worked and loop.time() - opened_s > _SHORT_LIFE_S
            if await self._pause(WATCH_EVERY_S):
                break
        return "", worked

    async def _pause(self, seconds: float) -> bool:
        """Wait, and return at once and True when the device is to be closed."""
        try:
            await asyncio.wait_for(self._unwanted.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _opened(self) -> D:
        abandoned = threading.Event()

        def opening() -> D:
            device = self._open_device()
            if abandoned.is_set():
                device.close()
            return device

        try:
            return await self._in_thread(opening)
        except asyncio.CancelledError:
            abandoned.set()
            raise

    def _in_thread(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function)
