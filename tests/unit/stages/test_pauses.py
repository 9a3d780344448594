"""The first moment of silence in speech."""

from __future__ import annotations

import numpy as np
import pytest

from edgebot.stages.pauses import PauseDetector

RATE_HZ = 16_000
FRAME = 320


def sound(level: float, seconds: float) -> list[bytes]:
    """Return frames of 20 ms of a square wave."""
    frames = round(seconds * RATE_HZ / FRAME)
    wave = np.tile([level, -level], FRAME // 2).astype("<i2").tobytes()
    return [wave] * frames


def heard(*parts: list[bytes]) -> list[bool]:
    """Return after each frame whether it pauses."""
    pauses = PauseDetector(RATE_HZ)
    return [pauses.hear(frame) for part in parts for frame in part]


def test_forty_milliseconds_of_quiet_are_a_pause() -> None:
    found = heard(sound(10, 0.5), sound(8000, 0.3), sound(10, 0.1))
    assert found.index(True) == 25 + 15 + 1
    assert all(found[41:])


def test_nothing_said_is_no_pause() -> None:
    pauses = PauseDetector(RATE_HZ)
    assert not pauses.is_pause
    assert not pauses.hear(b"")


def test_speech_ends_the_pause() -> None:
    found = heard(sound(10, 0.5), sound(8000, 0.3), sound(10, 0.1), sound(3000, 0.1))
    assert found[44] is True
    assert found[45:] == [False] * 5


def test_what_sounds_behind_a_pause_goes_on() -> None:
    pauses = PauseDetector(RATE_HZ)

    def gone_on(*parts: list[bytes]) -> bool:
        for part in parts:
            for frame in part:
                pauses.hear(frame)
        return pauses.has_gone_on

    assert not gone_on(sound(10, 0.5), sound(8000, 0.3))
    assert not gone_on(sound(10, 0.1))
    assert gone_on(sound(3000, 0.02))
    assert not gone_on(sound(10, 0.04))
    # Speech that a voice detector has noticed begins anew.
    pauses.begin()
    assert not gone_on(sound(8000, 0.3))


def test_a_soft_sound_is_none() -> None:
    # 20 dB softer is still speech, 34 dB softer is not.
    assert not any(heard(sound(10, 0.5), sound(8000, 0.3), sound(800, 0.3))[40:])
    assert any(heard(sound(10, 0.5), sound(8000, 0.3), sound(160, 0.3))[40:])


def test_the_room_is_no_speech() -> None:
    # A kitchen 18 dB below the voice: louder than silence must be, and it has been there before.
    assert any(heard(sound(1000, 0.5), sound(8000, 0.3), sound(1000, 0.1))[40:])


@pytest.mark.parametrize("room", [2000, 4000])
def test_in_a_loud_room_there_is_none(room: float) -> None:
    assert not any(heard(sound(room, 0.5), sound(8000, 0.3), sound(room, 0.5))[40:])


def test_a_new_utterance_begins_without_the_loudness_of_the_last() -> None:
    pauses = PauseDetector(RATE_HZ)
    for frame in [*sound(10, 0.5), *sound(20000, 0.3), *sound(10, 0.5)]:
        pauses.hear(frame)
    assert pauses.is_pause
    pauses.begin()
    assert not pauses.is_pause
    # 26 dB below the last one, and a voice nevertheless.
    assert not any(pauses.hear(frame) for frame in sound(900, 0.3))
    assert any([pauses.hear(frame) for frame in sound(10, 0.1)])
