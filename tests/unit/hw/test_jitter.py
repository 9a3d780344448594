"""A caller's sound comes as networks bring it, and is played in one piece, not much later."""

from __future__ import annotations

import numpy as np

from edgebot.hw.jitter import AHEAD_S, FORGET_S, MORE_S, MOST_AHEAD_S, MOST_S, QUIET, Jitter

RATE_HZ = 1000
AHEAD, MORE, MOST = (int(seconds * RATE_HZ) for seconds in (AHEAD_S, MORE_S, MOST_S))
LOUD = 2 * QUIET


def pcm(count: int, level: int = LOUD) -> bytes:
    return np.full(count, level, dtype="<i2").tobytes()


def take(jitter: Jitter, frames: int) -> list[int]:
    return [int(sample) for sample in np.frombuffer(jitter.take(frames), dtype="<i2")]


def stumble(jitter: Jitter) -> None:
    """Let it play until nothing is left in the middle of a piece."""
    jitter.put(pcm(int(MOST_AHEAD_S * RATE_HZ)))
    while len(take(jitter, 7)) == 7:
        pass


def test_nothing_is_played_before_enough_has_come() -> None:
    jitter = Jitter(RATE_HZ)
    jitter.put(pcm(AHEAD - 1))
    assert take(jitter, 20) == []
    jitter.put(pcm(1))
    assert take(jitter, 20) == [LOUD] * 20
    # From now on it flows.
    assert take(jitter, AHEAD - 20) == [LOUD] * (AHEAD - 20)


def test_after_a_hiccup_more_is_waited_for() -> None:
    jitter = Jitter(RATE_HZ)
    jitter.put(pcm(AHEAD))
    assert take(jitter, AHEAD + 5) == [LOUD] * AHEAD
    jitter.put(pcm(AHEAD + MORE - 1))
    assert take(jitter, 5) == []
    jitter.put(pcm(1))
    assert take(jitter, 5) == [LOUD] * 5


def test_it_does_not_wait_longer_and_longer() -> None:
    jitter = Jitter(RATE_HZ)
    for _ in range(20):
        stumble(jitter)
    jitter.put(pcm(int(MOST_AHEAD_S * RATE_HZ) - 1))
    assert take(jitter, 5) == []
    jitter.put(pcm(1))
    assert take(jitter, 5) == [LOUD] * 5


def test_the_next_call_begins_anew() -> None:
    jitter = Jitter(RATE_HZ)
    stumble(jitter)
    for _ in range(int(FORGET_S * RATE_HZ / 20) + 1):
        assert take(jitter, 20) == []
    jitter.put(pcm(AHEAD))
    assert take(jitter, 5) == [LOUD] * 5


def test_what_waits_too_long_is_made_up_for_in_a_pause() -> None:
    jitter = Jitter(RATE_HZ)
    jitter.put(pcm(AHEAD + MORE + 1))
    jitter.put(pcm(20, QUIET - 1))
    assert jitter.waiting_s == (AHEAD + MORE + 1) / RATE_HZ
    # No word is left out, and no pause while little waits.
    jitter.put(pcm(20, -QUIET))
    assert take(jitter, AHEAD + MORE + 21)[-20:] == [-QUIET] * 20
    jitter.put(pcm(AHEAD, 0))
    assert jitter.waiting_s == AHEAD_S


def test_there_is_an_end_to_waiting() -> None:
    jitter = Jitter(RATE_HZ)
    jitter.put(pcm(MOST))
    assert jitter.waiting_s == MOST_S
    jitter.put(pcm(1, -LOUD))
    assert take(jitter, AHEAD) == [LOUD] * (AHEAD - 1) + [-LOUD]
