"""How many other engines compute right now: the language model takes what they leave.

Its threads wait for each other hundreds of times a token. One that has to share its processor with
a voice or a recognizer holds all of them up, and one thread less is then faster by far.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class AtWork:
    """Counts engines that compute. Thread-safe."""

    def __init__(self, processors: int | None = None) -> None:
        """Begin with none.

        Args:
            processors: How many there are; None takes this machine's.
        """
        self._processors = processors or os.cpu_count() or 1
        self._lock = threading.Lock()
        self._count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one more while the block lasts."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    def left_of(self, threads: int) -> int:
        """Return how many of so many threads have a processor of their own; one at least."""
        return max(1, min(threads, self._processors - self._count))


# The voice and speech to text.
OTHERS = AtWork()
