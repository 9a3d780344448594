"""Patterns: exactly what each kind of light is given, and that people can tell them apart.

`patterns.txt` beside this file holds the levels and bytes as they were seen and approved;
`python -m tests.unit.hw.test_patterns` writes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from edgebot.config import LightSettings
from edgebot.hw.animation import Animation
from edgebot.hw.leds import open_light
from edgebot.hw.patterns import (
    BLINKS,
    DARK,
    MAGENTA,
    Film,
    Kind,
    Look,
    Step,
    film,
)
from edgebot.state import AssistantState, Fault

from .fake_pins import BoardWithSpi

APPROVED = Path(__file__).with_name("patterns.txt")
STATE = AssistantState
LIGHTS = {
    "led": (27,),
    "three": (22, 27, 17),
    "rgb": (22, 27, 17),
    "apa102": (10, 11),
    "ws2812": (10,),
}
KINDS: list[tuple[Kind, int]] = [("led", 1), ("three", 3), ("rgb", 1), ("strip", 3), ("strip", 1)]


def looks() -> Iterator[Look]:
    """All that can be told: every state, every fault, a timer, a connection."""
    for is_connected in (False, True):
        for state in STATE:
            if state is STATE.FAULT:
                yield from (Look(state, fault, connected=is_connected) for fault in Fault)
            elif is_connected or state is not STATE.CALL:
                # A call without a connection is none.
                yield Look(state, connected=is_connected)
        yield Look(STATE.ASLEEP, timer=True, connected=is_connected)


def levels_of(kind: str, pins: BoardWithSpi) -> Callable[[], str]:
    """Return what reads a light: the pins' duty cycles, or the colours in the bytes on the bus."""

    def of_pins() -> str:
        return " ".join(f"{pins.pin(number).state:.3f}" for number in LIGHTS[kind])

    def of_apa102() -> str:
        data = pins.buses[0].written[-1]
        lights = [data[4 + 4 * n : 8 + 4 * n] for n in range(3)]
        assert all(light[0] == 0xFF for light in lights)
        return " ".join(f"{red:02x}{green:02x}{blue:02x}" for _, blue, green, red in lights)

    def of_ws2812() -> str:
        nibbles = {0b1000: "0", 0b1100: "1"}
        data = pins.buses[0].written[-1][1:37]
        bits = "".join(nibbles[half] for value in data for half in (value >> 4, value & 15))
        octets = [int(bits[at : at + 8], 2) for at in range(0, 72, 8)]
        lights = [octets[3 * n : 3 * n + 3] for n in range(3)]
        return " ".join(f"{red:02x}{green:02x}{blue:02x}" for green, red, blue in lights)

    return {"apa102": of_apa102, "ws2812": of_ws2812}.get(kind, of_pins)


def record(kind: str, look: Look) -> str:
    """Return when which levels were on the mock pins or the mock bus, for one film's length."""
    pins = BoardWithSpi()
    settings = LightSettings(
        kind=kind,  # type: ignore[arg-type]
        pins=LIGHTS[kind],
        count=3,
        brightness=1.0,
        night="",
        night_brightness=0.1,
    )
    now_s = 100.0
    light = open_light(settings, pins)
    animation = Animation(light, settings, clock=lambda: now_s)
    animation.show(look)
    read, seen = levels_of(kind, pins), []
    end_s = now_s + film(look, light.kind, light.count).length_ms / 1000
    while True:
        wait_s = animation.step()
        if not seen or seen[-1][1] != read():
            seen.append((round((now_s - 100.0) * 1000), read()))
        if wait_s is None or now_s + wait_s >= end_s - 1e-6:
            break
        now_s += wait_s
    animation.close()
    told = "; ".join(f"{ms} ms {levels}" for ms, levels in seen)
    return told + (
        "" if wait_s is None else f"; again after {round((now_s + wait_s - 100) * 1000)} ms"
    )


def title(kind: str, look: Look) -> str:
    words = [kind, look.state.value]
    words += [look.fault.value] if look.fault else []
    words += ["timer"] if look.timer else []
    words += ["connected"] if look.connected else []
    return " ".join(words)


def recordings() -> dict[str, str]:
    return {title(kind, look): record(kind, look) for kind in LIGHTS for look in looks()}


def test_every_pattern_on_every_light_is_as_approved() -> None:
    lines = APPROVED.read_text().splitlines()
    approved = dict(line.split(": ", 1) for line in lines if not line.startswith("#"))
    found = recordings()
    assert list(found) == list(approved)
    for name, told in found.items():
        assert told == approved[name], name


# What a person can make of them


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_no_two_looks_are_alike(kind: Kind, count: int) -> None:
    for one, other in combinations(looks(), 2):
        assert film(one, kind, count) != film(other, kind, count), (one, other)


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_asleep_is_dark_and_still(kind: Kind, count: int) -> None:
    asleep = film(Look(STATE.ASLEEP), kind, count)
    assert asleep.is_still
    assert set(asleep.at(0)[0]) == {DARK}


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_a_closed_microphone_never_looks_open(kind: Kind, count: int) -> None:
    """Muted, a single LED is dark nearly always; all others are red and nothing else."""
    steps = film(Look(STATE.MUTED), kind, count).steps
    if kind == "led":
        lit_ms = sum(step.ms for step in steps if set(step.picture) != {DARK})
        assert lit_ms / sum(step.ms for step in steps) < 0.05
    else:
        assert {(g, b) for step in steps for _, g, b in step.picture} == {(0.0, 0.0)}


@pytest.mark.parametrize(("kind", "count"), KINDS)
@pytest.mark.parametrize("fault", Fault)
def test_faults_can_be_counted(kind: Kind, count: int, fault: Fault) -> None:
    steps = film(Look(STATE.FAULT, fault), kind, count).steps
    lit = [set(step.picture) != {DARK} for step in steps]
    assert lit == [True, False] * BLINKS[fault]
    assert [step.ms for step in steps] == [250] * (2 * BLINKS[fault] - 1) + [1750]


def test_the_gravest_fault_has_the_fewest_blinks() -> None:
    assert list(BLINKS.items()) == list(zip(Fault, (2, 3, 4, 5, 6), strict=True))


@pytest.mark.parametrize(("kind", "count"), KINDS)
@pytest.mark.parametrize("state", STATE)
def test_a_connection_is_visible_in_every_state(kind: Kind, count: int, state: STATE) -> None:
    look = Look(state, Fault.SPEAKER if state is STATE.FAULT else None, connected=True)
    moving = film(look, kind, count)
    if count > 1 and kind == "strip":
        assert {step.picture[0] for step in moving.steps} == {MAGENTA}
        return
    assert moving.length_ms % 2000 == 0
    for begin_ms in range(0, moving.length_ms, 2000):
        flicker = [moving.at(begin_ms + 60 * n)[0] for n in range(6)]
        lit, dark = flicker[:2]
        assert flicker == [lit, dark] * 3
        assert set(dark) == {DARK}
        assert DARK not in lit


def test_behind_the_sign_of_a_connection_the_film_goes_on() -> None:
    plain = film(Look(STATE.SPEAKING), "rgb")
    both = film(Look(STATE.SPEAKING, connected=True), "rgb")
    for ms in (*range(360, 2000), *range(2360, 4000)):
        assert both.at(ms)[0] == plain.at(ms)[0], ms


# Films


def test_a_film_repeats_and_tells_when_it_changes() -> None:
    one: Any = ((1.0, 0.0, 0.0),)
    two: Any = ((0.0, 1.0, 0.0),)
    moving = Film((Step(one, 100), Step(two, 50)))
    told = [moving.at(ms) for ms in (0, 99, 100, 149, 150, 300_000_120)]
    assert told == [(one, 100), (one, 1), (two, 50), (two, 1), (one, 100), (two, 30)]
    assert Film((Step(one, 0),)).at(12345) == (one, None)


def test_a_strip_may_have_any_length() -> None:
    for count in (1, 2, 12, 64):
        for look in looks():
            assert {len(step.picture) for step in film(look, "strip", count).steps} == {count}


if __name__ == "__main__":
    APPROVED.write_text(
        "# What each light is given: LEDs as duty cycles, strips as red, green and blue bytes.\n"
        + "".join(f"{name}: {told}\n" for name, told in recordings().items())
    )
