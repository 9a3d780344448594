"""The last seconds of sound."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from edgebot.stages.recent_sound import RATE_HZ, RecentSound, pieces


def second(letter: str) -> bytes:
    return letter.encode() * RATE_HZ * 2


def test_the_newest_sound_is_kept() -> None:
    recent = RecentSound(keep_s=2.0)
    for letter in "abcd":
        recent.add(second(letter))
    assert recent.now_s == 4.0
    assert recent.last(1.5) == second("c")[RATE_HZ:] + second("d")
    assert recent.last(100.0) == second("c") + second("d")


def test_spoiled_sound_is_not_clean() -> None:
    recent = RecentSound(keep_s=3.0)
    recent.add(second("a"))
    recent.spoil(0.5)
    assert recent.clean_s == 0.0
    recent.add(second("b"))
    assert recent.clean_s == 0.5
    # A shorter spoil takes nothing back.
    recent.spoil(-1.0)
    assert recent.clean_s == 0.5


def test_sound_is_spoiled_until_further_notice() -> None:
    recent = RecentSound(keep_s=3.0)
    recent.add(second("a"))
    recent.spoil(math.inf)
    recent.add(second("b"))
    assert recent.clean_s == 0.0
    recent.spoil(0.0)
    recent.add(second("c"))
    assert recent.clean_s == 1.0


@given(st.binary(max_size=3000))
def test_pieces_lose_nothing(audio: bytes) -> None:
    assert b"".join(pieces(audio)) == audio
    assert all(len(piece) == 640 for piece in list(pieces(audio))[:-1])
