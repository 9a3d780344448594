"""Python's own state of a thread that another library has made.

Whenever such a thread calls Python, Python makes a state for it, with memory from the kernel, and
throws it away at the end of the call. For a thread that calls a hundred times a second that is
most of what a call costs.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

ensure: Callable[[], int] = ctypes.pythonapi.PyGILState_Ensure
release: Callable[[int], None] = ctypes.pythonapi.PyGILState_Release


class KeptState:
    """Keeps the state of the thread that uses it, from `keep` to `let_go`.

    A thread that ends without `let_go` leaves its state behind: a few kB until the process ends.
    """

    def __init__(
        self, ensure: Callable[[], int] = ensure, release: Callable[[int], None] = release
    ) -> None:
        """Keep none yet.

        Args:
            ensure: Python's own, which makes the state or counts one more user of it.
            release: Python's own, which takes what `ensure` gave.
        """
        self._ensure, self._release = ensure, release
        self._thread: int | None = None
        self._before = 0

    def keep(self) -> None:
        """Keep the calling thread's; do it in every call, in one and the same thread."""
        if self._thread is None:
            self._thread, self._before = threading.get_ident(), self._ensure()

    def let_go(self) -> None:
        """Let it go at the end of this call; in any other thread, do nothing."""
        if self._thread == threading.get_ident():
            self._thread = None
            self._release(self._before)
