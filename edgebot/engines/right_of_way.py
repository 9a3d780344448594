"""One engine computes alone for a moment, because somebody waits for just that."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# From here on each engine has processors of its own.
ENOUGH_PROCESSORS = 4
# Nobody gives way for longer: whoever took it may hang.
LONGEST_S = 0.3


class RightOfWay:
    """Where engines share the processors, whoever has it computes and the others wait.

    They wait with their next step; one that runs goes on. Thread-safe.
    """

    def __init__(self, processors: int | None = None) -> None:
        """Nobody has it.

        Args:
            processors: With enough of them nobody need give way; None takes this machine's.
        """
        self._is_wanted = (processors or os.cpu_count() or 1) < ENOUGH_PROCESSORS
        self._lock = threading.Lock()
        self._takers = 0
        self._is_free = threading.Event()
        self._is_free.set()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Compute alone while the block lasts."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._takers += change
            if self._takers and self._is_wanted:
                self._is_free.clear()
            else:
                self._is_free.set()

    def give(self) -> None:
        """Wait until nobody has it; call it before each step of a long computation."""
        self._is_free.wait(LONGEST_S)


# An answer is waited for until the voice has computed its first sound; what the language model
# writes meanwhile has time.
FIRST_SOUND = RightOfWay()
