"""A microphone is opened before anybody listens, and handed over once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from edgebot.errors import DeviceError
from edgebot.hw.opened_ahead import OpenedAhead

PATIENCE_S = 5.0


class FakeMicrophone:
    def __init__(self, when_audio: Callable[[bytes], None]) -> None:
        self.deliver = when_audio
        self.is_closed = threading.Event()

    def close(self) -> None:
        self.is_closed.set()


class Room:
    """Opens microphones, as soon as it is let."""

    def __init__(self, *faults: DeviceError | None) -> None:
        self.faults = list(faults)
        self.opened: list[FakeMicrophone] = []
        self.may_open = threading.Event()
        self.may_open.set()

    def open(self, when_audio: Callable[[bytes], None]) -> FakeMicrophone:
        assert self.may_open.wait(PATIENCE_S)
        if fault := self.faults.pop(0) if self.faults else None:
            raise fault
        self.opened.append(FakeMicrophone(when_audio))
        return self.opened[-1]


def test_what_was_opened_ahead_is_handed_over_and_heard_from_then_on() -> None:
    room, heard = Room(), []
    ahead = OpenedAhead(room.open)
    ahead._opening.join(PATIENCE_S)
    (microphone,) = room.opened
    microphone.deliver(b"before")
    assert ahead.open(heard.append) is microphone
    microphone.deliver(b"after")
    assert heard == [b"after"]
    ahead.close()
    assert not microphone.is_closed.is_set()


def test_the_second_time_another_one_is_opened() -> None:
    room, heard = Room(), []
    ahead = OpenedAhead(room.open)
    first, second = ahead.open(lambda audio: None), ahead.open(heard.append)
    assert room.opened == [first, second]
    second.deliver(b"sound")
    assert heard == [b"sound"]


def test_one_that_is_still_being_opened_is_waited_for() -> None:
    room = Room()
    room.may_open.clear()
    ahead = OpenedAhead(room.open)
    threading.Timer(0.05, room.may_open.set).start()
    assert [ahead.open(lambda audio: None)] == room.opened


def test_a_fault_is_told_to_whoever_wants_the_microphone() -> None:
    room = Room(DeviceError("ahead"), DeviceError("now"), None)
    ahead = OpenedAhead(room.open)
    with pytest.raises(DeviceError, match="now"):
        ahead.open(lambda audio: None)
    assert ahead.open(lambda audio: None) is room.opened[0]


def test_one_that_nobody_wanted_is_given_back() -> None:
    room = Room()
    ahead = OpenedAhead(room.open)
    ahead._opening.join(PATIENCE_S)
    ahead.close()
    assert room.opened[0].is_closed.is_set()


def test_one_that_is_opened_too_late_is_given_back() -> None:
    room = Room()
    room.may_open.clear()
    ahead = OpenedAhead(room.open)
    ahead.close()
    room.may_open.set()
    ahead._opening.join(PATIENCE_S)
    assert room.opened[0].is_closed.is_set()
