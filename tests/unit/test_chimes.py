"""Chimes: short, soft, without clicks, and no two alike."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from edgebot.chimes import NAMES, chime
from edgebot.config import ChimeName, load_settings

RATES_HZ = (16_000, 44_100, 48_000)


def samples(name: str, rate_hz: int, volume: float = 0.2) -> np.ndarray:
    return np.frombuffer(chime(name, rate_hz, volume), dtype="<i2").astype(float)


def test_those_that_can_be_named_are_those_that_there_are() -> None:
    assert set(NAMES) == set(get_args(ChimeName))
    assert load_settings(flags=[], environment={}).chimes.play == NAMES


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("name", NAMES)
def test_a_chime_is_short_soft_and_without_a_click(name: str, rate_hz: int) -> None:
    tone = samples(name, rate_hz)
    assert 0.05 < len(tone) / rate_hz < 0.4
    assert 0.1 * 32767 < np.abs(tone).max() <= 0.2 * 32767
    assert (tone[0], tone[-1]) == (0, 0)
    # A tone of this loudness and height rises no faster; a click would.
    steepest = 2 * np.pi * 1050 * (1 + 0.3) / 1.15 * 0.2 * 32767 / rate_hz
    assert np.abs(np.diff(tone)).max() < steepest


def test_no_two_are_alike() -> None:
    tones = [samples(name, 16_000) for name in NAMES]
    for number, first in enumerate(tones):
        for second in tones[:number]:
            size = max(len(first), len(second))
            one, other = (np.pad(tone, (0, size - len(tone))) for tone in (first, second))
            likeness = one @ other / np.sqrt((one @ one) * (other @ other))
            assert abs(likeness) < 0.8


def test_a_chime_has_its_volume() -> None:
    assert not samples("ready", 16_000, volume=0.0).any()
    loud, soft = (np.abs(samples("ready", 16_000, volume)).max() for volume in (0.4, 0.2))
    assert loud == pytest.approx(2 * soft, abs=2)
