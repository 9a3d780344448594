"""Lengths of time, as they are said."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from num2words import num2words

from edgebot.stages.phrases import Phrases


@cache
def number_words(language: str) -> Mapping[str, int]:
    """Return the numbers from 0 to 99 by their words: "twenty one" is 21."""
    return {num2words(n, lang=language).replace("-", " "): n for n in range(100)}


def parse_duration(words: list[str], phrases: Phrases, language: str) -> float | None:
    """Return how many seconds words name, or None where they name no length of time.

    Args:
        words: Such as "an hour and a half", "1 hour 30 minutes", "ninety seconds".
        phrases: Of the language.
        language: Its code.
    """
    total = 0.0
    last_unit: int | None = None
    while words:
        if words[0] in phrases.joined:
            words = words[1:]
            continue
        # "An hour and a half": half of what was named last.
        if last_unit is not None and _is_half(words, phrases):
            return total + last_unit / 2
        amount, rest = _amount(words, phrases, language)
        rest = [*rest]
        while rest and rest[0] in phrases.articles | phrases.joined and amount is not None:
            rest = rest[1:]
        if amount is not None and rest and rest[0] in phrases.half:
            # "One and a half minutes."
            amount, rest = amount + 0.5, rest[1:]
        if amount is None or not rest or rest[0] not in phrases.units:
            return None
        last_unit = phrases.units[rest[0]]
        total += amount * last_unit
        words = rest[1:]
    return total or None


def _is_half(words: list[str], phrases: Phrases) -> bool:
    return [word for word in words if word not in phrases.articles] in [[h] for h in phrases.half]


def _amount(words: list[str], phrases: Phrases, language: str) -> tuple[float | None, list[str]]:
    """Return the number that words begin with, and the words behind it."""
    numbers = number_words(language)
    pair = " ".join(words[:2])
    if pair in numbers:
        return numbers[pair], words[2:]
    if words[0].isdecimal() and len(words[0]) < 6:
        return int(words[0]), words[1:]
    if words[0] in numbers:
        count, rest = numbers[words[0]], words[1:]
        return (count / 4, rest[1:]) if rest and rest[0] in phrases.quarter else (count, rest)
    if words[0] in phrases.articles:
        amount, rest = _amount(words[1:], phrases, language) if words[1:] else (None, [])
        return (1.0, words[1:]) if amount is None else (amount, rest)
    if words[0] in phrases.half:
        return 0.5, words[1:]
    if words[0] in phrases.quarter:
        return 0.25, words[1:]
    return None, words


def say_duration(seconds: float, phrases: Phrases) -> str:
    """Return a length of time as it is said: "1 hour and 30 minutes"."""
    left = max(1, round(seconds))
    parts = []
    for unit, (one, more) in sorted(phrases.unit_names.items(), reverse=True):
        count, left = divmod(left, unit)
        if count:
            parts.append(f"{count} {one if count == 1 else more}")
    return f" {phrases.said['and']} ".join(
        [", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts
    )
