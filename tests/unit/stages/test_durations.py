"""Lengths of time in words and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from edgebot.stages.durations import parse_duration, say_duration
from edgebot.stages.phrases import ENGLISH, plain


def parse(text: str) -> float | None:
    return parse_duration(plain(text), ENGLISH, "en")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("five minutes", 300),
        ("twenty-one minutes", 1260),
        ("twenty one minutes", 1260),
        ("ninety nine seconds", 99),
        ("30 seconds", 30),
        ("an hour", 3600),
        ("a minute", 60),
        ("one hour", 3600),
        ("an hour and a half", 5400),
        ("one and a half hours", 5400),
        ("two and a half minutes", 150),
        ("half an hour", 1800),
        ("a half hour", 1800),
        ("a quarter of an hour", 900),
        ("three quarters of an hour", 2700),
        ("two hours and ten minutes", 7800),
        ("1 hour 30 minutes", 5400),
        ("one minute and thirty seconds", 90),
        ("five minute", 300),
    ],
)
def test_a_length_of_time_is_understood(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "five", "minutes", "the eggs", "five eggs", "zero minutes"])
def test_what_is_none_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.integers(1, 99), st.sampled_from([("second", 1), ("minute", 60), ("hour", 3600)]))
def test_every_number_is_understood(number: int, unit: tuple[str, int]) -> None:
    assert parse(f"{num2words(number)} {unit[0]}s") == number * unit[1]


@given(st.integers(1, 86_399))
def test_what_is_said_is_understood_again(seconds: int) -> None:
    assert parse(say_duration(seconds, ENGLISH)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (0.2, "1 second"),
        (60, "1 minute"),
        (300, "5 minutes"),
        (5400, "1 hour and 30 minutes"),
        (3661, "1 hour, 1 minute and 1 second"),
    ],
)
def test_it_is_said_as_people_do(seconds: float, text: str) -> None:
    assert say_duration(seconds, ENGLISH) == text
