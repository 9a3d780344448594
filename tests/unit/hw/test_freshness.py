"""What a device catches up with after a pause is not live; what it merely lost does not matter."""

from __future__ import annotations

from edgebot.hw.freshness import Freshness

PERIOD_S = 0.02


def hear(freshness: Freshness, times_s: list[float]) -> list[bool]:
    return [freshness.is_live(time_s, PERIOD_S) for time_s in times_s]


def steady(start_s: float, count: int) -> list[float]:
    return [start_s + PERIOD_S * number for number in range(count)]


def test_sound_that_comes_steadily_is_live() -> None:
    assert all(hear(Freshness(), steady(100, 50)))


def test_sound_may_come_in_bursts_of_what_was_made_meanwhile() -> None:
    times_s = [100 + 0.2 * (number // 10) for number in range(50)]
    assert all(hear(Freshness(), times_s))


def test_what_piled_up_during_a_freeze_is_thrown_away() -> None:
    freshness = Freshness()
    hear(freshness, steady(100, 10))
    piled_up = [110 + 0.0001 * number for number in range(500)]
    assert not any(hear(freshness, piled_up))
    live = hear(freshness, steady(110.07, 30))
    # It takes two looks of 0.1 s: the first still has the burst in it.
    assert live.index(True) == 8
    assert all(live[8:])


def test_after_a_pause_in_which_sound_was_lost_it_is_live_again_within_a_look() -> None:
    freshness = Freshness()
    hear(freshness, steady(100, 10))
    live = hear(freshness, steady(101, 20))
    assert live.index(True) in (5, 6)
    assert all(live[6:])


def test_a_short_pause_is_none() -> None:
    freshness = Freshness()
    hear(freshness, steady(100, 10))
    assert all(hear(freshness, steady(100.18 + 0.29, 10)))
