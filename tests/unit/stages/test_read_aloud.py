"""What a voice would not read as a person does is written out, and nothing else is touched."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.stages.read_aloud import read_aloud, without_pictures


def spoken(text: str) -> str:
    return asyncio.run(read_aloud(text))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        # Units
        ("It is 3.5 km away.", "It is 3.5 kilometers away."),
        ("1 km", "1 kilometer"),
        ("1.0 km", "1.0 kilometers"),
        ("5kg of rice", "5 kilograms of rice"),
        ("100 km/h", "100 kilometers per hour"),
        ("at 50 mph.", "at 50 miles per hour."),
        ("20°C or 68 °F", "20 degrees Celsius or 68 degrees Fahrenheit"),
        ("-1 °C", "-1 degree Celsius"),
        ("120 m²", "120 meters squared"),
        ("2 L, 3 l", "2 liters, 3 liters"),
        ("1,000 m", "1,000 meters"),
        # Money
        ("It costs $5.", "It costs 5 dollars."),
        ("$1", "1 dollar"),
        ("$5.50", "5 dollars 50"),
        ("£3.05", "3 pounds 5"),
        ("€20.00", "20 euros"),
        ("$1,000", "1,000 dollars"),
        ("$2.5 million", "2.5 million dollars"),
        # Times
        ("at 9:00", "at 9 o'clock"),
        ("at 14:30.", "at 14 30."),
        ("at 02:05,", "at 2 oh 5,"),
        ("5:00 pm", "5 PM"),
        ("at 5:30 p.m. we eat", "at 5 30 p.m. we eat"),
        # Fractions
        ("1/2 cup", "one half cup"),
        ("3/4 of it", "3 quarters of it"),
        ("2/3", "2 thirds"),
        # Years
        ("in 1969.", "in 19 69."),
        ("since 1905", "since 19 oh 5"),
        ("on July 20, 1969", "on July 20, 19 69"),
        ("In 1800", "In 18 hundred"),
        # Ranges
        ("10-20 people", "10 to 20 people"),
        ("from 3 \u2013 5", "from 3 to 5"),
        # Abbreviations that would be two sentences or letters
        ("Dr. Smith and Mrs. Jones", "Doctor Smith and Missis Jones"),
        ("St. Mary on Mt. Everest", "Saint Mary on Mount Everest"),
        ("cats vs. dogs", "cats versus dogs"),
        ("No. 5", "number 5"),
        ("Cats, e.g. lions", "Cats, for example, lions"),
        ("cats, i.e., lions", "cats, that is, lions"),
    ],
)
def test_as_a_person_reads_it(written: str, read: str) -> None:
    assert spoken(written) == read


@pytest.mark.parametrize(
    "text",
    [
        # What espeak-ng reads well by itself
        *("3.5", "20 %", "20%", "1,000,000", "21st", "5 + 3 = 8", "-5", "A & B", "2024"),
        # What only looks alike
        *("I'm 5 minutes late", "in 5 minutes", "5 more", "5 mice", "a 5 go", "version 1.2.3"),
        *("1969 people", "in 1969 people", "in 1500 miles", "24/7", "9/11", "12/25/2024", "1/2/3"),
        *("555-1234", "2024-01-05", "5 - 3", "20-10", "1:2:3", "10:75", "3:1", "no. 5 of", "5W-30"),
        *("AC/DC", "and/or", "km", "the m", "Yes.", "No. It is not.", "St Mary", "$", "$a", "US$"),
    ],
)
def test_what_is_left_alone(text: str) -> None:
    if text == "no. 5 of":
        assert spoken(text) == "number 5 of"
        return
    assert spoken(text) == text


@given(st.text(st.sampled_from("0123456789.,:/$€£-\u2013% kmgLhoC°²NnDrstpe'\n"), max_size=40))
def test_whatever_is_written_it_stays_speakable(text: str) -> None:
    read = spoken(text)
    assert read.strip() or not text.strip()
    # It is done once: what is written out has nothing more to write out of the same kind.
    assert len(read) < 20 * len(text) + 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("🙂", ""),
        ("Hello 👋🏽!", "Hello !"),
        ("👨‍👩‍👧 ❤️ ☀", "  "),
        ("🇩🇪 ok ✅", " ok "),
        ("20 °C, “so” — 5 € … 한국어 é", "20 °C, “so” — 5 € … 한국어 é"),
    ],
)
def test_pictures_are_not_named(written: str, read: str) -> None:
    assert asyncio.run(without_pictures(written)) == read
