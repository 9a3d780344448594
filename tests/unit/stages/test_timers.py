"""What is said of timers, and what they answer."""

from __future__ import annotations

import pytest

from edgebot.stages.phrases import ENGLISH
from edgebot.stages.timers import Timer, Timers


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timers(clock: Clock) -> Timers:
    return Timers(ENGLISH, "en", clock)


@pytest.mark.parametrize(
    "text",
    [
        "Set a timer for five minutes.",
        "Set a timer for 5 minutes, please.",
        "please set a five minute timer",
        "Can you set a timer for five minutes?",
        "Start a 5-minute timer.",
        "timer for five minutes",
        "Five minute timer.",
        "I need a timer for five minutes",
    ],
)
def test_a_timer_is_set(timers: Timers, clock: Clock, text: str) -> None:
    assert timers.answer(text) == "The timer is set for 5 minutes."
    assert timers.next_s == 300.0
    clock.now_s += 299.9
    assert timers.take_due() == []
    clock.now_s += 0.1
    assert timers.take_due() == [Timer(300.0, 400.0)]
    assert not timers.is_running


@pytest.mark.parametrize(
    "text",
    [
        "What is an egg timer?",
        "Who invented the timer?",
        "How long is the Nile?",
        "How much time is left?",
        "Set the table for five.",
        "What happens in five minutes?",
    ],
)
def test_what_is_no_wish_for_a_timer_is_a_question(timers: Timers, text: str) -> None:
    assert timers.answer(text) is None


@pytest.mark.parametrize(
    ("text", "is_wish"),
    [
        ("Five minute timer, please.", True),
        ("Um, cancel the timer.", True),
        ("How much time, please, is left on the timer?", True),
        ("What is the capital of France?", False),
    ],
)
def test_a_wish_is_known_before_it_is_obeyed(timers: Timers, text: str, is_wish: bool) -> None:
    assert timers.understands(text) == is_wish
    assert not timers.is_running


def test_a_timer_is_cancelled(timers: Timers) -> None:
    timers.answer("set a timer for five minutes")
    assert timers.answer("Cancel the timer.") == "The timer is cancelled."
    assert not timers.is_running
    assert timers.answer("Cancel the timer.") == "There is no timer."


def test_one_of_several_is_cancelled_by_its_length(timers: Timers) -> None:
    timers.answer("set a timer for five minutes")
    timers.answer("set a timer for ten minutes")
    assert timers.answer("cancel the seven minute timer") == "There is no timer for 7 minutes."
    assert timers.answer("cancel the five minute timer") == "The timer is cancelled."
    assert timers.next_s == 600.0


def test_all_of_several_are_cancelled(timers: Timers) -> None:
    timers.answer("set a timer for five minutes")
    timers.answer("set a timer for ten minutes")
    assert timers.answer("stop all timers") == "All 2 timers are cancelled."
    assert not timers.is_running


def test_the_rest_is_told(timers: Timers, clock: Clock) -> None:
    assert timers.answer("how much time is left on the timer") == "There is no timer."
    timers.answer("set a timer for five minutes")
    clock.now_s += 240
    assert timers.answer("How much time is left?") == "1 minute left."
    timers.answer("set a timer for an hour")
    assert timers.answer("how long is left on the timers") == (
        "1 minute left of the timer for 5 minutes. 1 hour left of the timer for 1 hour."
    )


def test_the_next_one_is_first_whenever_it_was_set(timers: Timers, clock: Clock) -> None:
    timers.answer("set a timer for ten minutes")
    timers.answer("set a timer for five minutes")
    assert timers.next_s == 300.0
    clock.now_s += 1000
    assert [timer.length_s for timer in timers.take_due()] == [300.0, 600.0]


def test_nobody_waits_for_more_than_a_day(timers: Timers) -> None:
    assert timers.answer("set a timer for 25 hours") == "A timer can run for a day at most."
    assert timers.next_s is None
