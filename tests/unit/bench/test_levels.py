"""Where a sound begins and ends."""

from __future__ import annotations

import numpy as np
import pytest

from edgebot.bench.levels import LOUD_RMS, PIECE_S, RUN, first_loud_s, last_loud_s

RATE_HZ = 16_000


def tone(seconds: float, rms: float) -> bytes:
    return np.full(int(seconds * RATE_HZ), rms).astype("<i2").tobytes()


def test_a_sound_ends_with_its_last_loud_piece() -> None:
    audio = tone(0.5, 1000) + tone(0.3, 0) + tone(0.2, 1000) + tone(0.4, LOUD_RMS)
    assert last_loud_s(audio, RATE_HZ) == pytest.approx(1.0)


def test_silence_ends_nowhere() -> None:
    assert last_loud_s(tone(1, LOUD_RMS), RATE_HZ) == 0.0
    assert last_loud_s(b"", RATE_HZ) == 0.0


def test_the_last_piece_may_be_a_part_of_one() -> None:
    assert last_loud_s(tone(0.015, 1000), RATE_HZ) == pytest.approx(0.015)


def levels(*rms: float) -> list[tuple[float, float]]:
    return [(10 + PIECE_S * number, value) for number, value in enumerate(rms)]


def test_a_voice_begins_with_a_run() -> None:
    heard = levels(0, 200, 200, 0, 0, 200, 200, 200, 200)
    assert first_loud_s(heard, 0) == pytest.approx(10 + 5 * PIECE_S)


def test_what_came_before_is_not_looked_at() -> None:
    heard = levels(*[200] * (RUN + 2))
    assert first_loud_s(heard, 10 + PIECE_S) == pytest.approx(10 + 2 * PIECE_S)
    assert first_loud_s(heard, 10 + 2 * PIECE_S) is None


def test_a_louder_room_wants_a_louder_voice() -> None:
    assert first_loud_s(levels(*[200] * 5), 0, loud_rms=300) is None
