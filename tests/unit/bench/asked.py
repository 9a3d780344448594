"""A question that was asked, for tests of what is made of it."""

from __future__ import annotations

from typing import Any

from edgebot.bench.turns import Asked


def asked(sound_s: float | None = 1.0, **changed: Any) -> Asked:
    """Return a question and its answer."""
    times_s = {"end of turn": 0.6, "first token": 0.7}
    if sound_s is not None:
        times_s["first sound"] = sound_s
    values: dict[str, Any] = {
        "question": "Where is it?",
        "heard": "where is it",
        "said": "It is here.",
        "speech_s": 1.5,
        "times_s": times_s,
        "first_clause": "It is here.",
        "answer_s": 0.9,
        "turns": 1,
        "withdrawn": 0,
        "gaps_s": [],
    }
    return Asked(**(values | changed))
