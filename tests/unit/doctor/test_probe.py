"""What a recording tells, exactly: recordings that are computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebot.doctor.probe import (
    GAP_S,
    MURMUR_DB,
    RATE_HZ,
    SILENCE_DB,
    SWEEP_DB,
    Recording,
    Sound,
    clipped_share,
    find_sweep,
    from_pcm,
    level_db,
    measure,
    murmur,
    probe,
    silence,
    sweep,
    to_pcm,
)

QUIET = silence(1.0)


def echo(delay_ms: float, gain_db: float, noise_db: float | None = None) -> Recording:
    """Return what a microphone hears that is so far from the speaker, in such a room."""
    late = silence(delay_ms / 1000)
    sound = np.concatenate([late, probe(), silence(1.0)]) * np.float32(10 ** (gain_db / 20))
    quiet = QUIET
    if noise_db is not None:
        noise = np.random.default_rng(3).standard_normal(sound.size + quiet.size)
        noise *= 10 ** (noise_db / 20)
        sound, quiet = sound + noise[quiet.size :], quiet + noise[: quiet.size]
    return Recording(quiet.astype(np.float32), sound.astype(np.float32))


def test_what_is_played_has_its_level_and_is_not_cut_off() -> None:
    assert level_db(murmur()) == pytest.approx(MURMUR_DB, abs=0.01)
    assert level_db(sweep()) == pytest.approx(SWEEP_DB, abs=0.01)
    assert np.max(np.abs(probe())) < 0.95
    assert clipped_share(probe()) == 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 780), st.floats(-40, 6))
def test_delay_and_level_are_exact(delay_ms: int, gain_db: float) -> None:
    measured = measure(echo(delay_ms, gain_db))
    assert measured.delay_ms == pytest.approx(delay_ms, abs=0.1)
    assert measured.gain_db == pytest.approx(gain_db, abs=0.05)
    assert measured.heard_db == pytest.approx(SWEEP_DB + gain_db, abs=0.05)
    assert measured.echo_db == pytest.approx(MURMUR_DB + gain_db, abs=1.0)


def test_a_faint_echo_is_found_in_noise() -> None:
    measured = measure(echo(120, -30, noise_db=-40))
    assert measured.delay_ms == pytest.approx(120, abs=0.1)
    assert measured.noise_db == pytest.approx(-40, abs=0.2)
    assert measured.gain_db == pytest.approx(-30, abs=1.0)


def test_no_echo_is_found_where_there_is_none() -> None:
    for noise_db in (-80, -40, -10):
        measured = measure(echo(0, -200, noise_db=noise_db))
        assert (measured.delay_ms, measured.gain_db, measured.echo_db) == (None, None, None)
    assert find_sweep(silence(3.0)) is None


def test_a_muted_microphone() -> None:
    measured = measure(Recording(QUIET, silence(9.0)))
    assert measured.is_silent
    assert (measured.noise_db, measured.clipped) == (SILENCE_DB, 0.0)
    assert not measure(echo(60, -12)).is_silent


@pytest.mark.parametrize("limit", [1.0, 0.6])
def test_what_is_cut_off_is_counted(limit: float) -> None:
    loud = np.clip(probe() * 6, -limit, limit).astype(np.float32)
    assert clipped_share(loud) > 0.05
    faint: Sound = (loud * 0.1).astype(np.float32)
    assert clipped_share(faint) == 0.0


def test_a_square_top_of_two_samples_is_no_clipping() -> None:
    assert clipped_share(np.array([0, 0.9, 0.9, 0, -0.9, 0], dtype=np.float32)) == 0.0
    assert clipped_share(np.array([0, 0.9, 0.9, 0.9, 0, 0], dtype=np.float32)) == 0.5


def test_the_canceller_is_judged_by_what_it_leaves_of_the_murmur() -> None:
    handed: list[int] = []

    def half(far: bytes, near: bytes) -> bytes:
        handed.extend((len(far), len(near)))
        assert from_pcm(far)[: probe().size] == pytest.approx(probe(), abs=1e-4)
        return to_pcm(from_pcm(near) / 2)

    measured = measure(echo(60, -12), half)
    assert measured.echo_db is not None
    assert measured.cleaned_db == pytest.approx(measured.echo_db - 6.02, abs=0.05)
    assert handed[0] == handed[1]


def test_pcm_goes_both_ways() -> None:
    sound = np.array([-1.0, -0.5, 0.0, 0.5], dtype=np.float32)
    assert from_pcm(to_pcm(sound)).tolist() == sound.tolist()
    assert from_pcm(to_pcm(np.array([2.0], dtype=np.float32)))[0] == pytest.approx(1.0, abs=1e-4)


def test_the_gap_is_longer_than_any_room_rings() -> None:
    assert round(GAP_S * RATE_HZ) > 0.8 * RATE_HZ
