"""Writes out what a voice would not read as a person does: money, units, times, fractions.

Piper has its text read by espeak-ng, which reads decimals, percent, plus and minus, ordinals and
large numbers well. Of "$5" it makes "dollar five", of "5 km" "five kay em", and of "Dr. Smith" two
sentences. The rules here are English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "m/s": ("meter per second", "meters per second"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"),
    "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "oz": ("ounce", "ounces"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "kHz": ("kilohertz", "kilohertz"),
    "Hz": ("hertz", "hertz"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
}
_MONEY = {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds")}
_HALVES = {"2": "half", "3": "third", "4": "quarter", "5": "fifth", "8": "eighth", "10": "tenth"}
_WORDS = {
    **{"Dr": "Doctor", "Mr": "Mister", "Mrs": "Missis", "Ms": "Miz", "Prof": "Professor"},
    **{"St": "Saint", "Mt": "Mount", "vs": "versus", "approx": "approximately"},
}
_NUMBER = r"(?<![\w.,/:])(-?\d[\d,]*(?:\.\d+)?)"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"


def _counted(number: str, names: tuple[str, str]) -> str:
    return f"{number} {names[number.lstrip('-') != '1']}"


def _unit(match: re.Match[str]) -> str:
    return _counted(match[1], _UNITS[match[2]]) + (" squared" if match[3] else "")


def _money(match: re.Match[str]) -> str:
    one, many = _MONEY[match[1]]
    if match[4]:
        return f"{match[2]}{match[3] or ''} {match[4]} {many}"
    amount = _counted(match[2], (one, many))
    cents = (match[3] or "").lstrip(".").lstrip("0")
    return f"{amount} {cents}" if cents else amount


def _time(match: re.Match[str]) -> str:
    hour, minute, half = match[1].lstrip("0") or "0", match[2], match[3] or ""
    letters = f" {half if '.' in half else half.upper()}" if half else ""
    if minute == "00":
        return f"{hour}{letters}" if half else f"{hour} o'clock"
    spoken = f"oh {minute[1]}" if minute[0] == "0" else minute
    return f"{hour} {spoken}{letters}"


def _fraction(match: re.Match[str]) -> str:
    above, name = match[1], _HALVES[match[2]]
    if above == "1":
        return f"one {name}"
    return f"{above} {'halves' if name == 'half' else name + 's'}"


def _year(match: re.Match[str]) -> str:
    century, rest = match[2], match[3]
    if rest == "00":
        return f"{match[1]} {century} hundred"
    return f"{match[1]} {century} {'oh ' + rest[1] if rest[0] == '0' else rest}"


def _range(match: re.Match[str]) -> str:
    # A telephone number does not rise by a little.
    rises = float(match[1]) < float(match[2]) if match[2].count(".") < 2 else False
    return f"{match[1]} to {match[2]}" if rises and len(match[2]) < 4 else match[0]


def _one_of(names: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(rf"\b({_one_of(_WORDS)})\.(?=\s)"), lambda match: _WORDS[match[1]]),
    (re.compile(r"\b[Nn]o\. ?(?=\d)"), "number "),
    (re.compile(r"\be\.g\.,?"), "for example,"),
    (re.compile(r"\bi\.e\.,?"), "that is,"),
    (
        re.compile(r"([$€£])(\d[\d,]*)(\.\d+)?(?: (million|billion|trillion))?(?![\w/]|\.\d)"),
        _money,
    ),
    (re.compile(r"(?<![\w:.])([01]?\d|2[0-4]):([0-5]\d)(?: ?([aApP]\.?[mM]\b))?(?![:\d])"), _time),
    (re.compile(rf"(?<![\w/.])([1-9]\d?)/({_one_of(_HALVES)})(?![\w/]|\.\d)"), _fraction),
    (re.compile(rf"{_NUMBER} ?({_one_of(_UNITS)})([²2])?(?![\w/°'\u2019-])"), _unit),
    (
        re.compile(
            r"\b((?:[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|[Ff]rom|of"
            rf"|(?:{_MONTHS})(?: \d\d?(?:st|nd|rd|th)?)?),?)"
            r" (1[1-9])(\d\d)(?![\w,]*\d|\.\d| ?[%°]| (?:people|of|men|women|years|miles|times)\b)"
        ),
        _year,
    ),
    (
        re.compile(r"(?<![\w.,/:-])(\d[\d.]*)(?:-|\s?\u2013\s?)(\d[\d.]*\d|\d)(?![\w-]|[.,:]\d)"),
        _range,
    ),
]
# Pictures that espeak-ng reads by their names, with what joins and colours them.
_PICTURES = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f\u20e3\U000e0020-\U000e007f]"
)


async def read_aloud(text: str, aggregation_type: str = "") -> str:
    """Return an English text as a person would read it; a text transform of Pipecat's.

    Args:
        text: What is to be spoken.
        aggregation_type: Pipecat's name for the kind of piece; all are treated alike.
    """
    for pattern, written_out in _RULES:
        text = pattern.sub(written_out, text)
    return text


async def without_pictures(text: str, aggregation_type: str = "") -> str:
    """Return a text without its emoji: a voice would say their names."""
    return _PICTURES.sub("", text)
