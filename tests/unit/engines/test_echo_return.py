"""Whether anything of what is played is found to come back."""

from __future__ import annotations

import numpy as np
import pytest

from edgebot.engines.echo_return import EchoReturn

SECOND = 100
HALF = SECOND // 2


def sound(rms: int) -> bytes:
    """Return 10 ms."""
    return np.full(160, rms, "<i2").tobytes()


def judge(found: EchoReturn, *heard: int, played: int = 1000) -> bool:
    for rms in heard:
        found.play(sound(played))
        found.hear(sound(rms))
    return found.is_none


@pytest.mark.parametrize(
    ("played", "room", "heard", "is_none"),
    [
        (3000, 0, 5, True),
        (3000, 0, 10, False),  # 50 dB softer
        (9000, 0, 14, True),  # 56 dB softer
        (1000, 40, 49, True),  # hardly more than the room's own noise
        (1000, 40, 51, False),
        (90, 0, 0, False),  # as good as nothing is played
    ],
)
def test_what_counts_as_nothing(played: int, room: int, heard: int, is_none: bool) -> None:
    found = EchoReturn()
    found.rest(sound(room), 0.01)
    assert judge(found, *[heard] * SECOND, played=played) == is_none


def test_before_the_room_is_known_only_silence_counts() -> None:
    assert not judge(EchoReturn(), *[50] * SECOND)


def test_it_takes_a_second_either_way() -> None:
    found = EchoReturn()
    assert not judge(found, *[0] * (SECOND - 1))
    assert judge(found, 0)
    assert judge(found, *[250] * (SECOND - 1))
    assert not judge(found, 250)


def test_half_a_second_of_nothing_behind_an_echo_is_not_enough() -> None:
    assert not judge(EchoReturn(), *[250] * HALF, *[0] * HALF)


def test_one_who_speaks_up_for_half_a_second_is_no_echo() -> None:
    found = EchoReturn()
    for heard in (0, 0, 2000, 0, 2000, 0):
        judge(found, *[heard] * HALF)
    assert found.is_none


def test_a_room_that_grows_louder_is_followed_slowly() -> None:
    for seconds, is_none in ((1, False), (5, True)):
        found = EchoReturn()
        found.rest(sound(20), 0.01)
        for _ in range(seconds):
            found.rest(sound(60), 1.0)
        assert judge(found, *[60] * SECOND) == is_none


def test_a_room_that_has_fallen_silent_hides_no_echo() -> None:
    found = EchoReturn()
    found.rest(sound(1000), 60.0)
    with_a_pause = [250] * 40 + [5] * 10
    assert not judge(found, *with_a_pause * 2)
