"""A voice's level is even, and no peak is cut off."""

from __future__ import annotations

import numpy as np
import pytest

from edgebot.engines.loudness import SPEECH_LEVEL, Limiter, gain_for, without_lead


def wave(peak: float, samples: int = 4000) -> np.ndarray:
    return (peak * np.sin(np.arange(samples) / 9)).astype(np.float32)


@pytest.mark.parametrize("peak", [0.01, 0.1, 0.9])
def test_the_gain_brings_a_voice_to_the_level_of_speech(peak: float) -> None:
    louder = wave(peak) * gain_for(wave(peak))
    assert np.sqrt(np.mean(louder**2)) == pytest.approx(SPEECH_LEVEL, rel=1e-3)


@pytest.mark.parametrize("silence", [np.zeros(100, np.float32), np.zeros(0, np.float32)])
def test_silence_is_left_alone(silence: np.ndarray) -> None:
    assert gain_for(silence) == 1.0
    assert Limiter(3.0)(silence).tolist() == silence.tolist()


def test_what_stays_below_the_peak_is_multiplied_and_no_more() -> None:
    limit = Limiter(2.0)
    for _ in range(2):
        np.testing.assert_array_equal(limit(wave(0.4)), wave(0.4) * 2)


def test_a_peak_is_brought_down_and_not_cut_off() -> None:
    limit = Limiter(4.0)
    limit(wave(0.2))
    loud = limit(wave(0.5))
    assert np.max(np.abs(loud)) <= 1.0
    np.testing.assert_allclose(loud[200:], wave(0.5)[200:] * 2, rtol=1e-4, atol=1e-6)
    # The rest of the sentence stays at that gain.
    np.testing.assert_allclose(limit(wave(0.1)), wave(0.1) * 2, rtol=1e-4, atol=1e-6)


def test_the_gain_falls_without_a_leap() -> None:
    limit = Limiter(4.0)
    before = limit(np.full(1000, 0.25, np.float32))
    after = limit(np.append(np.full(1000, 0.25), 0.5).astype(np.float32))
    steps = np.diff(np.concatenate([before, after[:-1]]))
    assert (before[-1], after[-2], after[-1]) == (1.0, 0.5, 1.0)
    assert np.max(np.abs(steps)) < 0.005


def test_a_piece_shorter_than_the_ramp() -> None:
    assert len(Limiter(9.0)(wave(0.9, 50))) == 50


@pytest.mark.parametrize(("still", "kept"), [(0, 0), (5, 5), (10, 10), (11, 10), (500, 10)])
def test_an_answer_begins_at_once(still: int, kept: int) -> None:
    speech = np.full(50, 0.1, np.float32)
    piece = np.concatenate([np.full(still, 0.002, np.float32), speech])
    begun = without_lead(piece, 1000)
    assert begun.tolist() == piece[still - kept :].tolist()


def test_of_nothing_but_silence_nothing_is_left() -> None:
    assert len(without_lead(np.zeros(100, np.float32), 1000)) == 0
    assert len(without_lead(np.full(100, 0.002, np.float32), 1000)) == 0
    assert len(without_lead(np.zeros(0, np.float32), 1000)) == 0
