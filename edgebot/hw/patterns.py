"""What the lights show: a picture for every moment, as a pure function of time.

A pattern is a short film that repeats: pictures, each with how long it stands, in whole
milliseconds. A film of one picture never changes, so nothing needs to wake for it.

A picture is a tuple of colours, one for each light that there is. A colour is red, green and blue,
0.0 to 1.0, as bright as it looks to the eye; `edgebot.hw.leds` makes of it what each kind of light
can do. A single LED shows how bright a colour is; three LEDs are a red, a yellow and a green one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from edgebot.state import AssistantState, Facts, Fault

Kind = Literal["led", "three", "rgb", "strip"]
Colour = tuple[float, float, float]
Picture = tuple[Colour, ...]

DARK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (1.0, 1.0, 1.0)
RED: Colour = (1.0, 0.0, 0.0)
AMBER: Colour = (1.0, 0.6, 0.0)
YELLOW: Colour = (1.0, 0.8, 0.0)
GREEN: Colour = (0.0, 1.0, 0.0)
BLUE: Colour = (0.0, 0.4, 1.0)
MAGENTA: Colour = (1.0, 0.0, 0.8)

# How many blinks each fault has. One blink would be taken for the sign of a closed microphone.
BLINKS = {fault: number for number, fault in enumerate(Fault, start=2)}
BLINK_MS = 250
BLINK_PAUSE_MS = 1500
RING_MS = 500  # on and off, evenly: no fault blinks so slowly, and none without a rest

STEP_MS = 50  # of whatever swells and fades
SWELL_EVERY_MS = 4000  # a running timer
WINK_EVERY_MS = 2000  # somebody is connected


@dataclass(frozen=True)
class Look:
    """All that the lights tell.

    Attributes:
        state: What the assistant is doing.
        fault: What is wrong, in the state `FAULT`.
        timer: Whether a timer is running; told while it sleeps, for else it says so itself.
        connected: Whether somebody hears or is heard from elsewhere; told in every state.
    """

    state: AssistantState = AssistantState.STARTING
    fault: Fault | None = None
    timer: bool = False
    connected: bool = False


def look_of(facts: Facts) -> Look:
    """Return what the lights tell of what is known."""
    return Look(facts.state, facts.fault, facts.timer, facts.connected)


@dataclass(frozen=True)
class Step:
    """One picture and how long it stands."""

    picture: Picture
    ms: int


@dataclass(frozen=True)
class Film:
    """Pictures that repeat for ever; one alone stands still."""

    steps: tuple[Step, ...]

    @property
    def is_still(self) -> bool:
        """Whether it never changes."""
        return len(self.steps) == 1

    @property
    def length_ms(self) -> int:
        """How long it takes to begin anew."""
        return sum(step.ms for step in self.steps)

    def at(self, ms: int) -> tuple[Picture, int | None]:
        """Return the picture at a time since the beginning, and in how many ms it changes."""
        if self.is_still:
            return self.steps[0].picture, None
        left_ms = ms % self.length_ms
        for step in self.steps:
            if left_ms < step.ms:
                return step.picture, step.ms - left_ms
            left_ms -= step.ms
        raise AssertionError("a film is as long as its steps")


@cache
def film(look: Look, kind: Kind, count: int = 1) -> Film:
    """Return what a kind of light shows.

    Args:
        look: What is to be told.
        kind: Of the lights; APA102 and WS2812 are a "strip".
        count: How many lights a strip has.
    """
    shown = _state_film(look, kind, {"three": 3, "strip": count}.get(kind, 1))
    return _with_wink(shown, kind) if look.connected else shown


def _state_film(look: Look, kind: Kind, count: int) -> Film:
    match look.state:
        case AssistantState.STARTING:
            return _run(WHITE, count, 300) if kind == "strip" else _breathe(kind, WHITE, 2000)
        case AssistantState.ASLEEP if look.timer:
            return _swell(kind, AMBER, count)
        case AssistantState.ASLEEP:
            return _still((DARK,) * count)
        case AssistantState.LISTENING:
            return _still(_all(kind, BLUE, count))
        case AssistantState.THINKING if kind == "strip":
            return _run(YELLOW, count, 100)
        case AssistantState.THINKING:
            return _blink(_all(kind, YELLOW, count), 100, 100)
        case AssistantState.SPEAKING:
            return _breathe(kind, GREEN, 1000, count, lowest=0.2)
        case AssistantState.RINGING:
            return _blink(_caller(kind, count), RING_MS, RING_MS)
        case AssistantState.CALL if kind == "led":
            # A steady light means that the assistant listens.
            return _blink(_caller(kind, count), 1500, 500)
        case AssistantState.CALL:
            return _still(_caller(kind, count))
        case AssistantState.MUTED if kind == "led":
            # A steady light means that it listens: here it is dark, but for one short blink.
            return _blink(_all(kind, RED, count), 100, 2900)
        case AssistantState.MUTED:
            return _still(_all(kind, RED, count))
        case AssistantState.FAULT:
            return _blinks(_all(kind, RED, count), BLINKS[look.fault or Fault.ENGINE])


def _all(kind: Kind, colour: Colour, count: int) -> Picture:
    """Return all lights in a colour; of three LEDs, the one that means it."""
    if kind == "three":
        meaning = {RED: 0, WHITE: 1, AMBER: 1, YELLOW: 1, BLUE: 2, GREEN: 2}[colour]
        of_three = (RED, YELLOW, GREEN)
        return tuple(of_three[n] if n == meaning else DARK for n in range(3))
    return (WHITE if kind == "led" else colour,) * count


def _caller(kind: Kind, count: int) -> Picture:
    """Return all lights in the colour that is a caller's alone."""
    if kind == "three":
        return (RED, YELLOW, GREEN)
    return (WHITE if kind == "led" else MAGENTA,) * count


def dimmed(picture: Picture, level: float) -> Picture:
    """Return a picture at a share of its brightness."""
    return tuple((r * level, g * level, b * level) for r, g, b in picture)


def _still(picture: Picture) -> Film:
    return Film((Step(picture, 0),))


def _blink(picture: Picture, on_ms: int, off_ms: int) -> Film:
    return Film((Step(picture, on_ms), Step((DARK,) * len(picture), off_ms)))


def _blinks(picture: Picture, number: int) -> Film:
    once = _blink(picture, BLINK_MS, BLINK_MS).steps
    pause = Step(once[1].picture, BLINK_MS + BLINK_PAUSE_MS)
    return Film((*(once * number)[:-1], pause))


def _breathe(
    kind: Kind, colour: Colour, every_ms: int, count: int = 1, lowest: float = 0.0
) -> Film:
    number = every_ms // STEP_MS
    waves = [(1 - math.cos(2 * math.pi * n / number)) / 2 for n in range(number)]
    levels = [round(lowest + (1 - lowest) * wave, 3) for wave in waves]
    return Film(tuple(Step(dimmed(_all(kind, colour, count), level), STEP_MS) for level in levels))


def _swell(kind: Kind, colour: Colour, count: int) -> Film:
    """Return one slow swell and a long rest; of a strip, its last light alone."""
    picture = _all(kind, colour, count)
    if kind == "strip":
        picture = (DARK,) * (count - 1) + picture[-1:]
    number = 1000 // STEP_MS
    levels = [round(0.6 * math.sin(math.pi * n / number), 3) for n in range(1, number)]
    swell = [Step(dimmed(picture, level), STEP_MS) for level in levels]
    return Film((*swell, Step((DARK,) * len(picture), SWELL_EVERY_MS - 1000 + STEP_MS)))


def _run(colour: Colour, count: int, step_ms: int) -> Film:
    """Return one light that runs along a strip; where there is no way to run, it blinks."""
    if count == 1:
        return _blink((colour,), step_ms, step_ms)
    pictures = [tuple(colour if n == m else DARK for n in range(count)) for m in range(count)]
    return Film(tuple(Step(picture, step_ms) for picture in pictures))


def _with_wink(under: Film, kind: Kind) -> Film:
    """Lay the sign of a connection over a film.

    A strip keeps its first light for it, in a colour that nothing else has. Where there is no light
    to spare, all flicker every two seconds, whatever they show: then no state is still or dark.
    """
    count = len(under.steps[0].picture)
    if kind == "strip" and count > 1:
        return Film(tuple(Step((MAGENTA, *step.picture[1:]), step.ms) for step in under.steps))
    dark, lit = (DARK,) * count, _caller(kind, count)
    wink = [Step(picture, 60) for picture in (lit, dark) * 3]
    wink_ms = sum(step.ms for step in wink)
    return Film(_over(under, wink, wink_ms))


def _over(under: Film, wink: Sequence[Step], wink_ms: int) -> tuple[Step, ...]:
    """Return a film that shows the wink and then the rest of a period, until both fit again."""
    period_ms = WINK_EVERY_MS
    whole_ms = period_ms if under.is_still else math.lcm(under.length_ms, period_ms)
    steps: list[Step] = []
    for begin_ms in range(0, whole_ms, period_ms):
        steps += wink
        now_ms, end_ms = begin_ms + wink_ms, begin_ms + period_ms
        while now_ms < end_ms:
            picture, change_ms = under.at(now_ms)
            stand_ms = min(end_ms - now_ms, change_ms or period_ms)
            steps.append(Step(picture, stand_ms))
            now_ms += stand_ms
    return tuple(steps)
