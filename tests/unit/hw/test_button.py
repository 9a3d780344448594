"""Buttons: one event a press, however the contact chatters."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory, MockPin
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebot.errors import PinError
from edgebot.hw.button import SETTLE_S, Button, Contact, Touch

from .fake_pins import BusyPin, Told

PRESSED, HELD, RELEASED = Touch.PRESSED, Touch.HELD, Touch.RELEASED
MARKS_S = (0.4, 5.0)


def play(
    contact: Contact, moves: list[tuple[float, bool]], until_s: float
) -> list[tuple[float, Touch]]:
    """Move a contact at times, look when it wants that; return what it means and when."""
    told: list[tuple[float, Touch]] = []
    moves = list(moves)
    is_closed = False
    while True:
        due_s = contact.due_s
        if moves and (due_s is None or moves[0][0] <= due_s):
            now_s, is_closed = moves.pop(0)
        elif due_s is not None and due_s <= until_s:
            now_s = due_s
        else:
            return told
        told += [(round(now_s, 6), touch) for touch in contact.note(is_closed, now_s)]


# The contact, in a time of our own


def test_a_press_is_told_at_once_and_a_release_when_it_is_still() -> None:
    told = play(Contact(), [(1.0, True), (1.2, False)], 9)
    assert told == [(1.0, PRESSED), (1.2 + SETTLE_S, RELEASED)]


def test_it_is_held_at_each_mark_and_never_again() -> None:
    told = play(Contact(MARKS_S), [(1.0, True), (9.0, False)], 20)
    assert told == [(1.0, PRESSED), (1.4, HELD), (6.0, HELD), (9.0 + SETTLE_S, RELEASED)]


def test_a_tap_that_ends_just_before_the_mark_is_not_held() -> None:
    told = play(Contact(MARKS_S), [(1.0, True), (1.39, False)], 20)
    assert told == [(1.0, PRESSED), (round(1.39 + SETTLE_S, 6), RELEASED)]


def test_a_short_gap_in_a_hold_is_no_release() -> None:
    told = play(Contact(MARKS_S), [(1.0, True), (1.39, False), (1.405, True), (2.0, False)], 20)
    assert told == [(1.0, PRESSED), (1.405, HELD), (2.0 + SETTLE_S, RELEASED)]


def test_an_open_contact_is_not_held() -> None:
    contact = Contact(MARKS_S)
    moves = [(1.0, True), (1.39, False), (1.405, False), (1.409, True)]
    assert [contact.note(is_closed, now_s) for now_s, is_closed in moves] == [
        [PRESSED],
        [],
        [],
        [HELD],
    ]


@pytest.mark.parametrize("chatter_s", [0.005, 0.1, 1.0])
def test_chatter_at_1_khz_is_one_press(chatter_s: float) -> None:
    edges = int(chatter_s * 2000)
    down = [(1.0 + n / 2000, n % 2 == 0) for n in range(edges + 1)]
    up = [(3.0 + n / 2000, n % 2 == 1) for n in range(edges + 1)]
    told = play(Contact(), [*down, *up], 9)
    last_s = max(at_s for at_s, is_closed in up if not is_closed)
    assert told == [(1.0, PRESSED), (round(last_s + SETTLE_S, 6), RELEASED)]


@given(
    st.lists(st.tuples(st.floats(0.0001, 0.5), st.booleans()), max_size=60),
    st.lists(st.floats(0.1, 6), max_size=3).map(sorted),
)
@settings(max_examples=200)
def test_whatever_it_does_presses_and_releases_take_turns(
    moves: list[tuple[float, bool]], marks_s: list[float]
) -> None:
    now_s, timed = 0.0, []
    for wait_s, is_closed in moves:
        now_s += wait_s
        timed.append((now_s, is_closed))
    timed.append((now_s + 1, False))
    contact = Contact(marks_s)
    told = [touch for _, touch in play(contact, timed, now_s + 9)]
    assert [touch for touch in told if touch is not HELD] == [PRESSED, RELEASED] * (
        sum(touch is not HELD for touch in told) // 2
    )
    assert told[:1] in ([], [PRESSED])
    assert not contact.is_pressed
    assert contact.due_s is None


# gpiozero's real Button on mock pins


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    made = MockFactory()
    yield made
    made.close()


def chatter(pin: MockPin, *, closes: bool) -> float:
    """Let a contact chatter at 1 kHz for 50 ms and rest; return its longest rest in between."""
    times_s = [time.monotonic()]
    for _ in range(50):
        pin.drive_low()
        time.sleep(0.0005)
        pin.drive_high()
        time.sleep(0.0005)
        times_s.append(time.monotonic())
    (pin.drive_low if closes else pin.drive_high)()
    times_s.append(time.monotonic())
    return max(after - before for before, after in itertools.pairwise(times_s))


def test_a_chattering_button_is_one_event_a_press(pins: MockFactory) -> None:
    pin = pins.pin(17)
    for _ in range(10):
        told, longest_s = Told(), 0.0
        button = Button(17, pins, told, key="panel.talk_pin")
        for press in range(1, 4):
            for closes in (True, False):
                longest_s = max(longest_s, chatter(pin, closes=closes))
                told.wait_for(2 * press - closes)
        button.close()
        # On a machine that stands still for so long, the contact does not chatter: it rests.
        if longest_s < SETTLE_S:
            assert told.all == [PRESSED, RELEASED] * 3
            return
    pytest.skip("this machine is too busy to let a contact chatter")


def test_a_press_is_told_in_the_thread_of_the_edge(pins: MockFactory) -> None:
    told = Told()
    button = Button(17, pins, told, key="panel.talk_pin")
    pins.pin(17).drive_low()
    assert told.all == [PRESSED]
    assert button.is_pressed
    pins.pin(17).drive_high()
    assert told.all == [PRESSED]
    assert told.wait_for(2) == [PRESSED, RELEASED]
    assert not button.is_pressed
    button.close()


def test_a_held_button_is_told_while_it_is_down(pins: MockFactory) -> None:
    told = Told()
    button = Button(17, pins, told, key="panel.talk_pin", marks_s=(0.05, 0.1))
    pins.pin(17).drive_low()
    assert told.wait_for(3) == [PRESSED, HELD, HELD]
    button.close()


def test_an_edge_that_is_lost_is_noticed_when_it_is_looked_at(pins: MockFactory) -> None:
    told = Told()
    button = Button(17, pins, told, key="panel.talk_pin", marks_s=(0.05,))
    pins.pin(17).drive_low()
    pins.pin(17)._change_state(True)  # The line is high again, and nobody is told.
    assert told.wait_for(2) == [PRESSED, RELEASED]
    button.close()


def test_a_switch_that_is_closed_at_the_start_counts(pins: MockFactory) -> None:
    class ClosedPin(type(pins.pin(17))):  # type: ignore[misc]
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            self.drive_low()

    pins.reset()
    pins.pin_class = ClosedPin
    told = Told()
    button = Button(17, pins, told, key="panel.mute_pin")
    assert (told.all, button.is_pressed) == ([PRESSED], True)
    button.close()


def test_nothing_is_told_after_it_is_closed(pins: MockFactory) -> None:
    told = Told()
    button = Button(17, pins, told, key="panel.talk_pin", marks_s=(0.02,))
    pin = pins.pin(17)
    pin.drive_low()
    button.close()
    time.sleep(0.05)
    assert told.all == [PRESSED]
    Button(17, pins, told, key="panel.talk_pin").close()  # The pin is free again.


# Pins that cannot be used


def test_a_busy_pin_is_told_in_one_sentence() -> None:
    pins = MockFactory(pin_class=BusyPin)
    with pytest.raises(PinError) as caught:
        Button(17, pins, Told(), key="panel.talk_pin")
    assert str(caught.value) == (
        "panel.talk_pin cannot be GPIO17: another program or a device tree overlay holds this pin "
        "(gpioinfo names it); end that, or choose another pin."
    )


def test_a_pin_that_is_used_twice_is_told(pins: MockFactory) -> None:
    first = Button(17, pins, Told(), key="panel.talk_pin")
    with pytest.raises(PinError) as caught:
        Button(17, pins, Told(), key="panel.mute_pin")
    assert str(caught.value) == (
        "panel.mute_pin cannot be GPIO17: another setting uses this pin already; give each its own."
    )
    first.close()


def test_a_pin_that_is_none_is_told(pins: MockFactory) -> None:
    with pytest.raises(PinError) as caught:
        Button(99, pins, Told(), key="panel.talk_pin")
    assert str(caught.value).startswith("panel.talk_pin cannot be GPIO99: 99 is not a valid pin")
