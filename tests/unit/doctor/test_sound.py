"""What was measured, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgebot.doctor.finding import Change, Finding
from edgebot.doctor.probe import SILENCE_DB, Measured
from edgebot.doctor.sound import explain

GOOD = Measured(
    noise_db=-61.0,
    peak_db=-9.0,
    clipped=0.0,
    delay_ms=95.0,
    heard_db=-26.0,
    gain_db=-14.0,
    echo_db=-34.0,
    cleaned_db=-64.0,
)


def told(measured: Measured, *, volume: float = 1.0, interrupt: bool = True) -> dict[str, Finding]:
    findings = explain(measured, volume=volume, interrupt=interrupt)
    return {finding.subject: finding for finding in findings}


def test_a_good_room() -> None:
    assert {key: (found.mark, found.text, found.advice) for key, found in told(GOOD).items()} == {
        "noise": ("ok", "The room's noise is at -61 dB of full scale.", ""),
        "speaker heard": (
            "ok",
            "The microphone hears the speaker 14 dB below what is played (-26 dB).",
            "",
        ),
        "delay": (
            "ok",
            "A sound takes 95 ms from the speaker's side to the microphone's.",
            "",
        ),
        "echo": (
            "ok",
            "Echo cancelling takes 30 dB of the echo: from -34 to -64 dB of full scale. "
            "You can interrupt it by voice.",
            "",
        ),
    }


def test_a_muted_microphone_is_all_that_is_told() -> None:
    muted = Measured(SILENCE_DB, SILENCE_DB, 0.0)
    assert [(found.mark, found.subject) for found in told(muted).values()] == [("fault", "hearing")]


def test_a_noisy_room() -> None:
    assert told(replace(GOOD, noise_db=-39.0))["noise"].mark == "warning"


def test_headphones() -> None:
    found = told(Measured(-60.0, -50.0, 0.0))
    assert list(found) == ["noise", "speaker heard"]
    assert found["speaker heard"].mark == "warning"


@pytest.mark.parametrize(("volume", "lower"), [(1.0, 0.5), (0.3, 0.15), (0.15, 0.1)])
def test_an_overdriven_microphone(volume: float, lower: float) -> None:
    found = told(replace(GOOD, clipped=0.02), volume=volume)["clipping"]
    assert (found.mark, found.changes) == ("fault", (Change("audio.volume", lower),))
    assert "2.0% is cut off" in found.text


def test_nothing_lower_than_the_lowest_volume_is_offered() -> None:
    assert told(replace(GOOD, clipped=0.02), volume=0.1)["clipping"].changes == ()


def test_louder_than_what_is_played() -> None:
    text = told(replace(GOOD, gain_db=3.0))["speaker heard"].text
    assert "hears the speaker 3 dB above what is played (-26 dB)" in text


def test_as_loud_as_what_is_played() -> None:
    text = told(replace(GOOD, gain_db=-0.4))["speaker heard"].text
    assert "hears the speaker as loud as it is played (-26 dB)" in text


@pytest.mark.parametrize(
    ("delay_ms", "mark"), [(300.0, "ok"), (301.0, "warning"), (501.0, "fault")]
)
def test_a_long_delay(delay_ms: float, mark: str) -> None:
    assert told(replace(GOOD, delay_ms=delay_ms))["delay"].mark == mark


def test_an_echo_that_stays() -> None:
    found = told(replace(GOOD, cleaned_db=-40.0))["echo"]
    assert (found.mark, found.changes) == ("warning", (Change("turn.interrupt", False),))
    assert told(replace(GOOD, cleaned_db=-40.0), interrupt=False)["echo"].mark == "ok"


def test_an_echo_below_the_noise_does_no_harm() -> None:
    noisy = replace(GOOD, noise_db=-44.0, cleaned_db=-40.0)
    assert told(noisy)["echo"].mark == "ok"


def test_without_a_canceller_there_is_no_echo_line() -> None:
    assert "echo" not in told(replace(GOOD, cleaned_db=None))
