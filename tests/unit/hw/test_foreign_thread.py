"""The state that Python keeps of a thread that is none of its own."""

from __future__ import annotations

import ctypes
import threading

from edgebot.hw import foreign_thread
from edgebot.hw.foreign_thread import KeptState


class Counter:
    """Stands for Python's two functions; what is ensured is to be released with what it gave."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def ensure(self) -> int:
        self.calls.append("ensure")
        return 7

    def release(self, before: int) -> None:
        self.calls.append(f"release {before}")


def in_another_thread(call: object) -> None:
    thread = threading.Thread(target=call)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_it_is_kept_once_and_let_go_once() -> None:
    counter = Counter()
    kept = KeptState(counter.ensure, counter.release)
    for _ in range(3):
        kept.keep()
    assert counter.calls == ["ensure"]
    kept.let_go()
    kept.let_go()
    assert counter.calls == ["ensure", "release 7"]


def test_only_the_thread_that_keeps_it_lets_it_go() -> None:
    counter = Counter()
    kept = KeptState(counter.ensure, counter.release)
    kept.let_go()
    in_another_thread(kept.keep)
    kept.let_go()
    assert counter.calls == ["ensure"]


def test_pythons_own_functions_do_what_is_asked_of_them() -> None:
    counts: list[int] = []

    def count() -> None:
        kept = KeptState()
        kept.keep()
        # A second call tells that there is one already, and is made good.
        locked = foreign_thread.ensure()
        foreign_thread.release(locked)
        counts.append(locked)
        kept.let_go()

    in_another_thread(count)
    assert counts == [0]
    assert ctypes.pythonapi.PyGILState_Check() == 1
