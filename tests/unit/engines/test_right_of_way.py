"""The others wait with their next step while one engine computes alone."""

from __future__ import annotations

import threading
import time

from edgebot.engines.right_of_way import ENOUGH_PROCESSORS, LONGEST_S, RightOfWay

PATIENCE_S = 5.0


def giving(way: RightOfWay) -> tuple[threading.Thread, threading.Event]:
    """Give way in a thread; the event says that it goes on."""
    goes_on = threading.Event()

    def run() -> None:
        way.give()
        goes_on.set()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, goes_on


def test_nobody_waits_when_nobody_has_it() -> None:
    way = RightOfWay(2)
    began_s = time.monotonic()
    way.give()
    with way.taken():
        pass
    way.give()
    assert time.monotonic() - began_s < LONGEST_S


def test_it_is_waited_for_until_all_have_given_it_back() -> None:
    way = RightOfWay(2)
    with way.taken():
        with way.taken():
            thread, goes_on = giving(way)
        assert not goes_on.wait(0.05)
    assert goes_on.wait(PATIENCE_S)
    thread.join()


def test_it_is_given_back_when_its_owner_fails() -> None:
    way = RightOfWay(2)
    try:
        with way.taken():
            raise ValueError
    except ValueError:
        pass
    assert way._is_free.is_set()


def test_whoever_hangs_with_it_does_not_stop_the_others_for_good() -> None:
    way = RightOfWay(2)
    with way.taken():
        thread, goes_on = giving(way)
        assert goes_on.wait(PATIENCE_S)
    thread.join()


def test_with_enough_processors_nobody_gives_way() -> None:
    way = RightOfWay(ENOUGH_PROCESSORS)
    with way.taken():
        began_s = time.monotonic()
        way.give()
        assert time.monotonic() - began_s < LONGEST_S
