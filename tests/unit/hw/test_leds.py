"""Lights: the levels and bytes that each kind is given, and the thread that moves them."""

from __future__ import annotations

import statistics
import threading
import time
import warnings
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from edgebot.config import LightSettings
from edgebot.errors import PinError
from edgebot.hw.animation import Animation, Hours
from edgebot.hw.leds import dim, open_light
from edgebot.hw.patterns import BLUE, DARK, RED, WHITE, Kind, Look, Picture
from edgebot.hw.strips import WS2812_RATE_HZ, apa102_bytes, byte, ws2812_bytes
from edgebot.state import AssistantState, Fault

from .fake_pins import BoardWithoutSpi, BoardWithSpi, BusyPin, ClockedPin, Told

STATE = AssistantState
REST = [0] * 120


def light_settings(kind: str, pins: tuple[int, ...], **others: Any) -> LightSettings:
    made = {"count": 3, "brightness": 1.0, "night": "", "night_brightness": 0.1} | others
    return LightSettings(kind=kind, pins=pins, **made)  # type: ignore[arg-type]


def pwm_pins() -> MockFactory:
    return MockFactory(pin_class=MockPWMPin)


# Brightness


def test_the_eye_sees_the_root_of_the_power() -> None:
    assert [byte(level) for level in (0.0, 0.001, 0.1, 0.5, 1.0)] == [0, 1, 3, 64, 255]


def test_a_picture_is_dimmed_as_a_whole() -> None:
    assert dim((RED, DARK, BLUE), 0.5) == ((0.5, 0, 0), DARK, (0, 0.2, 0.5))


# LEDs


def test_one_led_shows_how_bright_a_colour_is() -> None:
    pins = pwm_pins()
    light = open_light(light_settings("led", (27,)), pins)
    pin = pins.pin(27)
    assert (light.kind, light.count, pin.function) == ("led", 1, "output")
    shown = []
    for colour in (WHITE, (0.5, 0.1, 0.0), (0.01, 0.0, 0.0), DARK, (0.5, 0.5, 0.5), WHITE):
        light.show((colour,))
        shown.append((pin.state, pin.frequency))
    # Fully on and dark need no pulses; what is lit at all is seen.
    assert shown == [(1.0, None), (0.25, 100), (0.01, 100), (0.0, None), (0.25, 100), (1.0, None)]
    light.close()
    assert pin.function == "input"


def test_three_leds_are_lit_each_by_itself() -> None:
    pins = pwm_pins()
    light = open_light(light_settings("three", (5, 6, 13)), pins)
    light.show((RED, DARK, (0.0, 0.5, 0.0)))
    assert (light.kind, light.count) == ("three", 3)
    assert [pins.pin(n).state for n in (5, 6, 13)] == [1.0, 0.0, 0.25]
    light.close()


def test_an_rgb_led_mixes() -> None:
    pins = pwm_pins()
    light = open_light(light_settings("rgb", (5, 6, 13)), pins)
    light.show(((1.0, 0.5, 0.0),))
    assert (light.kind, light.count) == ("rgb", 1)
    assert [pins.pin(n).state for n in (5, 6, 13)] == [1.0, 0.25, 0.0]
    light.close()


def test_a_busy_led_leaves_the_others_free() -> None:
    pins = pwm_pins()
    pins.pin(5)
    pins.pin_class = BusyPin  # From now on.
    with pytest.raises(PinError, match=r"^light\.pins cannot be GPIO5 and GPIO6 and GPIO13: anoth"):
        open_light(light_settings("rgb", (5, 6, 13)), pins)
    open_light(light_settings("led", (5,)), pins).close()


# Strips


def test_apa102_reads_blue_green_red_between_zeros() -> None:
    assert apa102_bytes(((1.0, 0.5, 0.0), DARK)) == (
        [0, 0, 0, 0] + [255, 0, 64, 255] + [255, 0, 0, 0] + [0] * 5
    )


def test_the_end_of_an_apa102_frame_grows_with_the_strip() -> None:
    for count in (1, 16, 64):
        end_bits = 8 * (len(apa102_bytes((DARK,) * count)) - 4 - 4 * count)
        assert end_bits >= 32 + count / 2


def test_ws2812_reads_green_red_blue_in_nibbles() -> None:
    one, nil = [0xCC] * 4, [0x88] * 4
    assert ws2812_bytes((RED,)) == [0, *nil, *one, *nil, *REST]
    assert ws2812_bytes(((0.0, byte_level(0b10010110), 0.0),)) == (
        [0, 0xC8, 0x8C, 0x8C, 0xC8, *nil, *nil, *REST]
    )


def byte_level(value: int) -> float:
    """Return the level whose power is a byte."""
    return float((value / 255) ** 0.5)


def test_apa102_on_the_spi_pins_is_written_by_the_bus() -> None:
    pins = BoardWithSpi()
    light = open_light(light_settings("apa102", (10, 11), count=2), pins)
    (bus,) = pins.buses
    light.show((RED, BLUE))
    light.close()
    dark = apa102_bytes((DARK, DARK))
    assert bus.pins == ("GPIO11", "GPIO10", None, "GPIO8")
    assert bus.written == [dark, apa102_bytes((RED, BLUE)), dark]
    assert bus.closed


def test_apa102_elsewhere_is_clocked_out_by_hand() -> None:
    pins = MockFactory()
    clock = pins.pin(6, pin_class=ClockedPin)
    clock.data = pins.pin(5)
    light = open_light(light_settings("apa102", (5, 6)), pins)
    dark = apa102_bytes((DARK,) * 3)
    assert clock.take_bytes() == dark
    light.show((RED, BLUE, WHITE))
    assert clock.take_bytes() == apa102_bytes((RED, BLUE, WHITE))
    light.close()
    assert clock.take_bytes() == dark
    assert (pins.pin(5).function, clock.function) == ("input", "input")


def test_ws2812_is_written_by_the_bus_at_its_rate() -> None:
    pins = BoardWithSpi()
    light = open_light(light_settings("ws2812", (10,), count=1), pins)
    (bus,) = pins.buses
    light.show((RED,))
    light.close()
    assert bus.rate == WS2812_RATE_HZ
    assert bus.written == [ws2812_bytes((c,)) for c in (DARK, RED, DARK)]
    assert bus.closed


@pytest.mark.parametrize("kind", ["apa102", "ws2812"])
def test_without_the_spi_bus_nothing_else_is_tried(kind: str) -> None:
    numbers = (10, 11) if kind == "apa102" else (10,)
    # As outside of tests, where a warning is no error.
    warnings.simplefilter("ignore")
    with pytest.raises(PinError) as caught:
        open_light(light_settings(kind, numbers), BoardWithoutSpi())
    assert str(caught.value) == (
        f"light.pins cannot be {' and '.join(f'GPIO{n}' for n in numbers)}: the SPI bus cannot be "
        "opened; switch it on with sudo raspi-config nonint do_spi 0, and join the groups spi and "
        "gpio."
    )


@pytest.mark.parametrize(
    ("kind", "numbers", "wanted"),
    [
        ("led", (), "[pin]"),
        ("led", (0,), "[pin]"),
        ("three", (5, 6), "[red, yellow, green]"),
        ("rgb", (5, 6, 13, 19), "[red, green, blue]"),
        ("apa102", (10,), "[data, clock]"),
        ("ws2812", (10, 11), "[data]"),
    ],
)
def test_the_wrong_number_of_pins_is_told(kind: str, numbers: tuple[int, ...], wanted: str) -> None:
    with pytest.raises(PinError) as caught:
        open_light(light_settings(kind, numbers), pwm_pins())
    assert str(caught.value) == (
        f"light.pins cannot be {list(numbers)}: for the kind {kind!r} it is {wanted}; "
        "docs/panel.md shows the wiring."
    )


def test_ws2812_on_another_pin_is_told() -> None:
    with pytest.raises(PinError, match="whose data line is GPIO10; connect them there"):
        open_light(light_settings("ws2812", (18,)), pwm_pins())


# The thread that moves them


class Canvas:
    """A light that keeps what it shows."""

    def __init__(self, kind: Kind = "led", count: int = 1) -> None:
        self.kind = kind
        self.count = count
        self.shown = Told()
        self.is_closed = False

    def show(self, picture: Picture) -> None:
        self.shown(picture)

    def close(self) -> None:
        self.is_closed = True


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.minute = 12 * 60

    def __call__(self) -> float:
        return self.now_s


def animation(canvas: Any, clock: Clock, **settings: Any) -> Animation:
    return Animation(
        canvas,
        light_settings("led", (27,), **settings),
        clock=clock,
        minute=lambda: clock.minute,
    )


def test_a_still_picture_is_shown_once_and_nothing_wakes() -> None:
    canvas, clock = Canvas(), Clock()
    moving = animation(canvas, clock)
    assert moving.step() is None
    moving.show(Look(STATE.LISTENING))
    assert [moving.step(), moving.step()] == [None, None]
    assert canvas.shown.all == [(WHITE,)]


def test_blinks_come_when_they_are_due() -> None:
    canvas, clock = Canvas(), Clock()
    moving = animation(canvas, clock)
    moving.show(Look(STATE.FAULT, Fault.ENGINE))
    begun_s, seen = clock.now_s, []
    while clock.now_s < begun_s + 3:
        count = len(canvas.shown.all)
        wait_s = moving.step()
        assert wait_s is not None
        if len(canvas.shown.all) > count:
            seen.append((round(clock.now_s - begun_s, 3), canvas.shown.all[-1] == (WHITE,)))
        clock.now_s += wait_s
    assert seen == [
        (0, True),
        (0.25, False),
        (0.5, True),
        (0.75, False),
        (2.5, True),
        (2.75, False),
    ]


def test_the_same_look_does_not_begin_anew() -> None:
    canvas, clock = Canvas(), Clock()
    moving = animation(canvas, clock)
    moving.show(Look(STATE.THINKING))
    moving.step()
    clock.now_s += 0.05
    moving.show(Look(STATE.THINKING))
    assert moving.step() == 0.05
    moving.show(Look(STATE.THINKING, timer=True))
    assert moving.step() == 0.1


def test_a_wait_that_ends_early_is_not_an_eternity_of_hairs() -> None:
    canvas, clock = Canvas(), Clock()
    moving = animation(canvas, clock)
    moving.show(Look(STATE.THINKING))
    moving.step()
    clock.now_s += 0.0999999
    assert moving.step() == 0.1
    assert canvas.shown.all == [(WHITE,), (DARK,)]


def test_nights_are_darker() -> None:
    canvas, clock = Canvas(), Clock()
    moving = animation(canvas, clock, night="22:00-07:00", brightness=0.5, night_brightness=0.2)
    moving.show(Look(STATE.LISTENING))
    assert moving.step() == 60.0
    clock.minute = 22 * 60
    assert moving.step() == 60.0
    clock.minute = 7 * 60
    moving.step()
    assert [picture[0][0] for picture in canvas.shown.all] == [0.5, 0.2, 0.5]


def test_no_setting_hides_that_somebody_is_connected() -> None:
    canvas, clock = Canvas("strip", 3), Clock()
    moving = animation(canvas, clock, brightness=0.0)
    moving.show(Look(STATE.LISTENING))
    moving.step()
    moving.show(Look(STATE.LISTENING, connected=True))
    moving.step()
    first, second = canvas.shown.all
    assert set(first) == {DARK}
    assert min(max(colour) for colour in second) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ("22:00-07:00", (1320, 1439, 0, 419), (1319, 420, 720)),
        ("01:30-06:00", (90, 359), (89, 360, 1439)),
        ("00:00-00:00", (), (0, 720)),
        ("", (), (0, 720)),
    ],
)
def test_the_hours_of_the_night(
    hours: str, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    night = Hours.parse(hours)
    assert all(night.hold(minute) for minute in inside)
    assert not any(night.hold(minute) for minute in outside)


def test_the_thread_shows_moves_and_ends() -> None:
    canvas = Canvas()
    moving = Animation(canvas, light_settings("led", (27,)))
    moving.start()
    moving.show(Look(STATE.THINKING))
    assert canvas.shown.wait_for(4)[:4] == [(WHITE,), (DARK,), (WHITE,), (DARK,)]
    moving.show(Look(STATE.ASLEEP))
    canvas.shown.wait_until(lambda: canvas.shown.all[-1] == (DARK,))
    moving.close()
    assert canvas.is_closed
    assert "lights" not in {thread.name for thread in threading.enumerate()}


def test_a_look_that_comes_while_another_is_shown_is_not_slept_over() -> None:
    class Hasty(Canvas):
        def show(self, picture: Picture) -> None:
            super().show(picture)
            moving.show(Look(STATE.ASLEEP))

    canvas = Hasty()
    moving = Animation(canvas, light_settings("led", (27,)))
    moving.start()
    moving.show(Look(STATE.LISTENING))
    assert canvas.shown.wait_for(2) == [(WHITE,), (DARK,)]
    moving.close()


def test_a_light_that_fails_is_told_once_and_ends_nothing() -> None:
    class Broken(Canvas):
        def show(self, picture: Picture) -> None:
            raise OSError("SPI transfer error -1")

        close = show  # type: ignore[assignment]

    told = Told()
    moving = Animation(Broken(), light_settings("led", (27,)), when_failed=told)
    moving.start()
    moving.show(Look(STATE.THINKING))
    told.wait_for(1)
    moving.show(Look(STATE.LISTENING))
    moving.close()
    assert [str(error) for error in told.all] == ["SPI transfer error -1"]


def test_from_show_to_light_takes_at_most_20_ms(capsys: pytest.CaptureFixture[str]) -> None:
    pins = pwm_pins()
    settings = light_settings("led", (27,))
    moving = Animation(open_light(settings, pins), settings)
    moving.start()
    pin = pins.pin(27)
    times_ms = []
    for _ in range(30):
        moving.show(Look(STATE.ASLEEP))
        while pin.state:
            time.sleep(0.001)
        begun_s = time.perf_counter()
        moving.show(Look(STATE.LISTENING))
        while not pin.state:
            time.sleep(0)
        times_ms.append((time.perf_counter() - begun_s) * 1000)
    moving.close()
    with capsys.disabled():
        median_ms, worst_ms = statistics.median(times_ms), max(times_ms)
        print(f"\nshow to light: median {median_ms:.2f} ms, worst {worst_ms:.2f} ms of 30")
    assert statistics.median(times_ms) <= 20
