"""Whether a turn sounds complete: what is handed to the judge, and what becomes of its word."""

from __future__ import annotations

import asyncio

from loguru import logger

from edgebot.errors import EngineError
from edgebot.stages.melody import BEFORE_S, BEHIND_S, Melody
from edgebot.stages.recent_sound import RATE_HZ
from edgebot.stages.smart_turn import LOOKS_AT_S


def piece(number: int) -> bytes:
    """Return a tenth of a second that is like no other one."""
    return bytes([number, 0]) * (RATE_HZ // 10)


def heard_by(melody: Melody, first: int, last: int) -> None:
    for number in range(first, last + 1):
        melody.hear(piece(number))


class Judge:
    """Says what it is told to say, and keeps what it was asked about."""

    def __init__(self, likely: float) -> None:
        self._likely = likely
        self.asked: list[bytes] = []

    def completeness(self, audio: bytes) -> float:
        self.asked.append(audio)
        return self._likely


def judge(melody: Melody) -> float | None:
    return asyncio.run(melody.completeness())


def test_the_sound_of_the_turn_is_judged_with_a_little_around_it() -> None:
    asked = Judge(1.0)
    melody = Melody(asked.completeness)
    heard_by(melody, 1, 12)
    # Somebody has spoken for two pieces, so the first of these is the eleventh.
    melody.begin(0.2)
    heard_by(melody, 13, 20)
    # ... and been silent for the last three.
    melody.end(0.3)
    heard_by(melody, 21, 25)
    assert judge(melody) == 1.0
    first, last = 11 - round(BEFORE_S * 10), 17 + round(BEHIND_S * 10)
    assert asked.asked == [b"".join(map(piece, range(first, last + 1)))]


def test_of_a_long_turn_the_end_is_judged() -> None:
    asked = Judge(1.0)
    melody = Melody(asked.completeness)
    melody.begin(0.0)
    heard_by(melody, 1, 120)
    melody.end(0.2)
    assert judge(melody) == 1.0
    assert asked.asked[0].endswith(piece(118) + piece(119))
    assert len(asked.asked[0]) >= LOOKS_AT_S * RATE_HZ * 2


def test_a_pause_does_not_begin_the_turn_anew() -> None:
    asked = Judge(0.0)
    melody = Melody(asked.completeness)
    melody.begin(0.0)
    heard_by(melody, 1, 5)
    melody.end(0.1)
    assert judge(melody) == 0.0
    heard_by(melody, 6, 9)
    melody.end(0.1)
    assert judge(melody) == 0.0
    assert asked.asked[1].startswith(asked.asked[0])
    assert len(asked.asked[1]) > len(asked.asked[0])


def test_a_judge_that_fails_is_told_of_once_and_not_asked_again() -> None:
    asked, told = [], []

    def completeness(audio: bytes) -> float:
        asked.append(audio)
        raise EngineError("it is broken")

    melody = Melody(completeness)
    sink = logger.add(lambda message: told.append(message.record["message"]), level="WARNING")
    try:
        assert judge(melody) is None
        assert judge(melody) is None
    finally:
        logger.remove(sink)
    assert len(asked) == 1
    assert told == ["Whether a turn is complete is told by its words only, because it is broken"]
