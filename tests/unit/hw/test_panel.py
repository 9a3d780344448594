"""The panel: every gesture in every state, and what happens when pins cannot be used."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin
from hypothesis import given
from hypothesis import strategies as st

from edgebot.config import LightSettings, PanelSettings
from edgebot.hw.gestures import Action, Gesture, meaning
from edgebot.hw.panel import Panel
from edgebot.state import AssistantState, Facts, Fault

from .fake_pins import BusyPin, Told

STATES = (
    "starting", "asleep", "listening", "thinking", "speaking", "muted", "fault", "ringing",
    "in a call", "switched off",
)  # fmt: skip
# One row a gesture, one column a state, or one for all of them. "-" is nothing; a long hold does as
# it is set.
MEANINGS = """
press              -    wake       -          interrupt  interrupt  unmute+wake interrupt  -           hang_up -
tap                -    -          cancel     -          -          -           -          take_call   -       -
hold               -    talk_begin talk_begin talk_begin talk_begin talk_begin  talk_begin refuse_call -       -
let go             -    talk_end   talk_end   talk_end   talk_end   talk_end    talk_end   -           -       -
long hold          *
mute button        mute mute       mute       mute       mute       unmute      mute       mute        mute    -
mute switch closed mute
mute switch opened unmute
volume up          volume_up
volume down        volume_down
quit               quit
"""  # noqa: E501
FACTS = {
    "starting": Facts(),
    "asleep": Facts(started=True),
    "listening": Facts(started=True, awake=True),
    "thinking": Facts(started=True, awake=True, thinking=True),
    "speaking": Facts(started=True, awake=True, speaking=True),
    "muted": Facts(started=True, muted=True),
    "fault": Facts(started=True, faults=frozenset({Fault.SPEAKER})),
    "ringing": Facts(started=True, ringing=True),
    "in a call": Facts(started=True, connected=True, in_call=True),
}
LONG_HOLDS = {"nothing": (), "mute": (Action.MUTE,), "shutdown": (Action.SHUT_DOWN,)}
WAKE, CANCEL, MUTE, UNMUTE = Action.WAKE, Action.CANCEL, Action.MUTE, Action.UNMUTE
TALK_BEGIN, TALK_END = Action.TALK_BEGIN, Action.TALK_END


def rows() -> list[tuple[Gesture, str, str]]:
    """Return gesture, state and meaning from the table above."""
    found = []
    for line in MEANINGS.strip().splitlines():
        gesture = next(g for g in Gesture if line.startswith(f"{g.value} "))
        cells = line.removeprefix(gesture.value).split()
        cells = cells * len(STATES) if len(cells) == 1 else cells
        found += [(gesture, *pair) for pair in zip(STATES, cells, strict=True)]
    return found


@pytest.mark.parametrize(("gesture", "state", "cell"), rows())
@pytest.mark.parametrize("long_hold", LONG_HOLDS)
def test_every_gesture_in_every_state(
    gesture: Gesture, state: str, cell: str, long_hold: str
) -> None:
    is_off = state == "switched off"
    expected = {"-": (), "*": LONG_HOLDS[long_hold]}.get(cell)
    if expected is None:
        expected = tuple(Action[name.upper()] for name in cell.split("+"))
    for at in AssistantState if is_off else [AssistantState(state)]:
        found = meaning(gesture, at, is_switched_off=is_off, long_hold=long_hold)
        assert found == expected, at


def test_the_table_above_has_every_gesture() -> None:
    assert len(rows()) == len(Gesture) * len(STATES)


# The whole panel on mock pins


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    made = MockFactory(pin_class=MockPWMPin)
    monkeypatch.setattr(Device, "pin_factory", made)
    yield made
    made.close()


class Bench:
    """A panel and what it says."""

    def __init__(self) -> None:
        self.actions = Told()
        self.troubles = Told()
        self.panel: Panel | None = None

    def build(
        self, panel: dict[str, Any], light: dict[str, Any] | None = None, **more: Any
    ) -> Panel:
        self.panel = Panel(
            panel_settings(**panel),
            light_settings(**(light or {})),
            self.actions,
            self.troubles,
            **more,
        )
        return self.panel


def panel_settings(**changed: Any) -> PanelSettings:
    plain: dict[str, Any] = {
        "gpio": "mock",
        "talk_pin": 0,
        "hold_s": 0.4,
        "long_hold_s": 5.0,
        "long_hold": "nothing",
        "mute_pin": 0,
        "mute_kind": "button",
        "volume_up_pin": 0,
        "volume_down_pin": 0,
        "encoder_pins": (),
    }
    return PanelSettings(**plain | changed)


def light_settings(**changed: Any) -> LightSettings:
    plain: dict[str, Any] = {
        "kind": "none",
        "pins": (),
        "count": 3,
        "brightness": 1.0,
        "night": "",
        "night_brightness": 0.1,
    }
    return LightSettings(**plain | changed)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    if made.panel:
        made.panel.close()


def test_a_press_acts_in_the_thread_of_its_edge(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({"talk_pin": 17})
    panel.show(FACTS["speaking"])
    pins.pin(17).drive_low()
    assert bench.actions.all == [Action.INTERRUPT]


def test_what_a_tap_means_is_decided_by_where_it_began(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({"talk_pin": 17})
    panel.show(FACTS["asleep"])
    pins.pin(17).drive_low()
    panel.show(FACTS["listening"])
    pins.pin(17).drive_high()
    time.sleep(0.05)  # The release needs 20 ms to be believed, and must mean nothing.
    pins.pin(17).drive_low()
    assert bench.actions.all == [WAKE]
    pins.pin(17).drive_high()
    assert bench.actions.wait_for(2) == [WAKE, CANCEL]


def test_a_hold_is_push_to_talk(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({"talk_pin": 17, "hold_s": 0.1})
    panel.show(FACTS["asleep"])
    pins.pin(17).drive_low()
    panel.show(FACTS["listening"])
    bench.actions.wait_for(2)
    pins.pin(17).drive_high()
    assert bench.actions.wait_for(3) == [WAKE, TALK_BEGIN, TALK_END]


@pytest.mark.parametrize(
    ("long_hold", "then"),
    [
        ("nothing", [TALK_END]),
        ("mute", [CANCEL, MUTE]),
        ("shutdown", [CANCEL, Action.SHUT_DOWN]),
    ],
)
def test_a_long_hold_does_as_it_is_set(
    pins: MockFactory, bench: Bench, long_hold: str, then: list[Action]
) -> None:
    panel = bench.build({"long_hold": long_hold})
    panel.show(FACTS["asleep"])
    for gesture in (Gesture.PRESS, Gesture.HOLD, Gesture.LONG_HOLD, Gesture.LET_GO):
        panel.do(gesture)
    assert bench.actions.all == [WAKE, TALK_BEGIN, *then]


def test_the_long_hold_comes_from_the_button(pins: MockFactory, bench: Bench) -> None:
    settings = panel_settings(talk_pin=17, hold_s=0.1, long_hold="mute")
    bench.panel = Panel(
        # Shorter than the settings allow, for a test that does not wait.
        settings.model_copy(update={"long_hold_s": 0.2}),
        light_settings(),
        bench.actions,
        bench.troubles,
    )
    bench.panel.show(FACTS["asleep"])
    pins.pin(17).drive_low()
    assert bench.actions.wait_for(4) == [WAKE, TALK_BEGIN, CANCEL, MUTE]
    pins.pin(17).drive_high()
    time.sleep(0.05)
    assert len(bench.actions.all) == 4


def test_a_mute_button_changes_over(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({"mute_pin": 22})
    panel.show(FACTS["asleep"])
    pins.pin(22).drive_low()
    panel.show(FACTS["muted"])
    pins.pin(22).drive_high()
    time.sleep(0.05)
    pins.pin(22).drive_low()
    assert bench.actions.all == [MUTE, UNMUTE]


def test_a_closed_mute_switch_cannot_be_talked_over(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({"mute_pin": 22, "mute_kind": "switch", "talk_pin": 17})
    panel.show(FACTS["listening"])
    pins.pin(22).drive_low()
    panel.show(FACTS["muted"])
    assert panel.is_switched_off
    pins.pin(17).drive_low()
    pins.pin(17).drive_high()
    pins.pin(22).drive_high()
    assert bench.actions.wait_for(2) == [MUTE, UNMUTE]
    assert not panel.is_switched_off


def test_a_switch_that_is_closed_at_the_start_mutes(pins: MockFactory, bench: Bench) -> None:
    class ClosedPin(MockPWMPin):  # type: ignore[misc]
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            self.drive_low()

    pins.pin_class = ClosedPin
    panel = bench.build({"mute_pin": 22, "mute_kind": "switch"})
    assert bench.actions.all == [MUTE]
    assert panel.is_switched_off


def test_muting_ends_push_to_talk(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({})
    panel.show(FACTS["listening"])
    for gesture in (Gesture.PRESS, Gesture.HOLD, Gesture.MUTE_CLOSED, Gesture.LET_GO):
        panel.do(gesture)
    assert bench.actions.all == [TALK_BEGIN, CANCEL, MUTE]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(set(FACTS) - {"starting"})),
            st.sampled_from(["tap", "hold", "long hold", "mute", "close", "open"]),
        ),
        max_size=30,
    ),
    st.sampled_from(sorted(LONG_HOLDS)),
)
def test_every_beginning_of_push_to_talk_has_one_end(
    moves: list[tuple[str, str]], long_hold: str
) -> None:
    told = Told()
    panel = Panel(panel_settings(long_hold=long_hold), light_settings(), told, told)
    gestures = {
        "tap": [Gesture.PRESS, Gesture.TAP],
        "hold": [Gesture.PRESS, Gesture.HOLD, Gesture.LET_GO],
        "long hold": [Gesture.PRESS, Gesture.HOLD, Gesture.LONG_HOLD, Gesture.LET_GO],
        "mute": [Gesture.MUTE_PRESS],
        "close": [Gesture.MUTE_CLOSED],
        "open": [Gesture.MUTE_OPENED],
    }
    for state, move in moves:
        panel.show(FACTS[state])
        for gesture in gestures[move]:
            panel.do(gesture)
    is_talking = False
    for action in told.all:
        assert not (action is TALK_BEGIN and is_talking)
        assert not (action is TALK_END and not is_talking)
        is_talking = action is TALK_BEGIN or (is_talking and action not in {TALK_END, CANCEL})
    assert not is_talking


def test_an_action_that_fails_is_told_and_the_buttons_live(pins: MockFactory, bench: Bench) -> None:
    actions: list[Action] = []

    def fail_once(action: Action) -> None:
        actions.append(action)
        if len(actions) == 1:
            raise RuntimeError("the loop is closed")

    bench.panel = Panel(panel_settings(talk_pin=17), light_settings(), fail_once, bench.troubles)
    bench.panel.show(FACTS["asleep"])
    pins.pin(17).drive_low()
    pins.pin(17).drive_high()
    time.sleep(0.05)
    pins.pin(17).drive_low()
    assert actions == [WAKE, WAKE]
    assert bench.troubles.all == ["The panel could not wake: the loop is closed."]


def test_lights_show_the_state(pins: MockFactory, bench: Bench) -> None:
    panel = bench.build({}, {"kind": "three", "pins": (22, 27, 17)})

    def shown(state: str, levels: list[float]) -> bool:
        panel.show(FACTS[state])
        for _ in range(500):
            if [pins.pin(n).state for n in (22, 27, 17)] == levels:
                return True
            time.sleep(0.002)
        return False

    assert shown("listening", [0.0, 0.0, 1.0])
    assert shown("asleep", [0.0, 0.0, 0.0])
    assert shown("thinking", [0.0, 1.0, 0.0])
    assert shown("muted", [1.0, 0.0, 0.0])
    panel.close()
    assert [pins.pin(n).function for n in (22, 27, 17)] == ["input"] * 3


def test_volume_by_buttons_and_by_a_knob(pins: MockFactory, bench: Bench) -> None:
    bench.build({"volume_up_pin": 5, "volume_down_pin": 6, "encoder_pins": (23, 24)})
    pins.pin(5).drive_low()
    pins.pin(6).drive_low()
    a, b = pins.pin(23), pins.pin(24)
    for turn in (a.drive_low, b.drive_low, a.drive_high, b.drive_high):
        turn()
    for turn in (b.drive_low, a.drive_low, b.drive_high, a.drive_high):
        turn()
    up, down = Action.VOLUME_UP, Action.VOLUME_DOWN
    assert bench.actions.all in ([up, down, up, down], [up, down, down, up])
    assert bench.troubles.all == []


# Fault 17: pins that cannot be used


def test_a_busy_pin_is_told_once_and_all_else_works(pins: MockFactory, bench: Bench) -> None:
    pins.pin(17), pins.pin(27)
    pins.pin_class = BusyPin  # All but those two are held by another process.
    panel = bench.build({"talk_pin": 17, "mute_pin": 22}, {"kind": "led", "pins": (27,)})
    for state in itertools.islice(itertools.cycle(FACTS), 30):
        panel.show(FACTS[state])
    panel.show(FACTS["listening"])
    panel.do(Gesture.VOLUME_UP)
    panel.show(FACTS["asleep"])
    pins.pin(17).drive_low()
    assert bench.actions.all == [Action.VOLUME_UP, WAKE]
    assert bench.troubles.all == [
        "panel.mute_pin cannot be GPIO22: another program or a device tree overlay holds this pin "
        "(gpioinfo names it); end that, or choose another pin."
    ]


def test_each_wrong_pin_is_told(pins: MockFactory, bench: Bench) -> None:
    bench.build(
        {"talk_pin": 17, "mute_pin": 17, "encoder_pins": (5,)},
        {"kind": "rgb", "pins": (22, 27)},
    )
    assert bench.troubles.all == [
        "panel.talk_pin cannot be GPIO17: another setting uses this pin already; give each its "
        "own.",
        "panel.encoder_pins cannot be [5]: a rotary encoder has two pins, [A, B].",
        "light.pins cannot be [22, 27]: for the kind 'rgb' it is [red, green, blue]; "
        "docs/panel.md shows the wiring.",
    ]


@pytest.mark.parametrize(
    ("library", "told"),
    [
        ("nothing", "There is no GPIO library 'nothing': it may be "),
        ("auto", "This machine has no GPIO pins, so its buttons and lights do not work: "),
    ],
)
def test_without_pins_it_says_so_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, library: str, told: str
) -> None:
    monkeypatch.setattr("edgebot.hw.board.CHIPS", "/nowhere/gpiochip*")
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    if library != "auto":
        monkeypatch.setenv("GPIOZERO_PIN_FACTORY", library)
    panel = bench.build({"gpio": "auto", "talk_pin": 17}, {"kind": "led", "pins": (27,)})
    panel.show(FACTS["listening"])
    panel.do(Gesture.PRESS)
    assert len(bench.troubles.all) == 1
    assert bench.troubles.all[0].startswith(told)


@pytest.mark.parametrize("gpio", ["off", "auto"])
def test_where_nothing_is_wired_nothing_is_said(bench: Bench, gpio: str) -> None:
    pin = 17 if gpio == "off" else 0
    bench.build({"gpio": gpio, "talk_pin": pin})
    assert bench.troubles.all == []


def test_press_to_light_takes_at_most_20_ms(
    pins: MockFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of a press, with a stand-in for the pipeline that answers at once."""
    shows: list[Callable[[], None]] = []
    panel = Panel(
        panel_settings(talk_pin=17),
        light_settings(kind="led", pins=(27,)),
        lambda action: shows[0](),
        Told(),
    )
    shows.append(lambda: panel.show(FACTS["listening"]))
    button, led = pins.pin(17), pins.pin(27)
    times_ms = []
    for _ in range(30):
        panel.show(FACTS["asleep"])
        while led.state:
            time.sleep(0.001)
        begun_s = time.perf_counter()
        button.drive_low()
        while not led.state:
            time.sleep(0)
        times_ms.append((time.perf_counter() - begun_s) * 1000)
        button.drive_high()
        time.sleep(0.03)
    panel.close()
    times_ms.sort()
    with capsys.disabled():
        print(f"\npress to light: median {times_ms[15]:.2f} ms, worst {times_ms[-1]:.2f} ms of 30")
    assert times_ms[15] <= 20
