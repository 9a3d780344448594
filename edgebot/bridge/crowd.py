"""Holds back a crowd: too many or too old connections, and too frequent requests."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import cast

MOST_CONNECTIONS = 256
# A request takes less than a second; a call itself goes another way.
CONNECTION_LASTS_S = 30.0


class Rate:
    """So many in so long, and no more."""

    def __init__(
        self, most: int, within_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._within_s, self._clock = most, within_s, clock
        self._stamps: deque[float] = deque()

    def takes(self) -> bool:
        """Count one more; tell whether it is within the rate."""
        now = self._clock()
        while self._stamps and self._stamps[0] <= now - self._within_s:
            self._stamps.popleft()
        if len(self._stamps) >= self._most:
            return False
        self._stamps.append(now)
        return True


class Crowd:
    """All connections of a server: the oldest leaves when there are too many.

    So whoever keeps connections open, and says nothing, keeps nobody else out.
    """

    def __init__(self, *, most: int = MOST_CONNECTIONS, last_s: float = CONNECTION_LASTS_S) -> None:
        self._most, self._last_s = most, last_s
        self._inside: OrderedDict[Doorman, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._inside)

    def admit(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return what makes a protocol for each connection, with a doorman before it."""
        return lambda: Doorman(self, make(), self._last_s)

    def enter(self, doorman: Doorman) -> None:
        """Let one more in."""
        self._inside[doorman] = None
        while len(self._inside) > self._most:
            oldest, _ = self._inside.popitem(last=False)
            oldest.throw_out()

    def leave(self, doorman: Doorman) -> None:
        """Forget one."""
        self._inside.pop(doorman, None)


class Doorman(asyncio.Protocol):
    """Stands before one connection, passes all on, and closes it when its time is over."""

    def __init__(self, crowd: Crowd, inner: asyncio.Protocol, lasts_s: float) -> None:
        self._crowd, self._inner, self._lasts_s = crowd, inner, lasts_s
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to count the time."""
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._lasts_s, self.throw_out)
        self._inner.connection_made(transport)
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        if self._timer is not None:
            self._timer.cancel()
        self._crowd.leave(self)
        self._inner.connection_lost(exc)

    def throw_out(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._inner.resume_writing()
