"""Volume: two buttons that repeat, and a knob."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory

from edgebot.errors import PinError
from edgebot.hw.volume import REPEATS_S, VolumeButton, VolumeKnob

from .fake_pins import BusyPin, Told


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    made = MockFactory()
    yield made
    made.close()


def test_a_tap_is_one_step(pins: MockFactory) -> None:
    told = Told()
    button = VolumeButton(5, pins, lambda: told("up"), key="panel.volume_up_pin")
    pins.pin(5).drive_low()
    pins.pin(5).drive_high()
    assert told.all == ["up"]
    button.close()


def test_a_held_button_repeats_after_half_a_second(pins: MockFactory) -> None:
    told = Told()
    button = VolumeButton(5, pins, lambda: told("up"), key="panel.volume_up_pin")
    pins.pin(5).drive_low()
    assert told.wait_for(3) == ["up"] * 3
    pins.pin(5).drive_high()
    button.close()
    assert REPEATS_S[:2] == (0.5, 0.7)


@pytest.mark.parametrize("direction", ["louder", "softer"])
def test_a_knob_tells_each_step_and_its_direction(pins: MockFactory, direction: str) -> None:
    told = Told()
    knob = VolumeKnob((23, 24), pins, lambda: told("louder"), lambda: told("softer"))
    first, second = (pins.pin(n) for n in ((23, 24) if direction == "louder" else (24, 23)))
    for _ in range(3):
        for turn in (first.drive_low, second.drive_low, first.drive_high, second.drive_high):
            turn()
    knob.close()
    assert told.all == [direction] * 3


@pytest.mark.parametrize("numbers", [(23,), (23, 24, 25), (23, 0)])
def test_a_knob_has_two_pins(pins: MockFactory, numbers: tuple[int, ...]) -> None:
    with pytest.raises(PinError) as caught:
        VolumeKnob(numbers, pins, Told, Told)
    assert str(caught.value) == (
        f"panel.encoder_pins cannot be {list(numbers)}: a rotary encoder has two pins, [A, B]."
    )


def test_a_busy_knob_is_told() -> None:
    with pytest.raises(
        PinError, match=r"^panel\.encoder_pins cannot be GPIO23 and GPIO24: another"
    ):
        VolumeKnob((23, 24), MockFactory(pin_class=BusyPin), Told, Told)
