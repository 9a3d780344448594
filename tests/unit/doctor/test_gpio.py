"""Pins: there or not, allowed, free, and named once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebot.config import LightSettings, PanelSettings, load_settings
from edgebot.doctor.finding import Finding
from edgebot.doctor.gpio import check_gpio, check_spi, uses_spi, wanted_pins
from edgebot.doctor.lines import Chip

from .tree import FakeMachine

Make = Callable[..., tuple[PanelSettings, LightSettings]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def settings(*flags: str) -> tuple[PanelSettings, LightSettings]:
        file = tmp_path / "none.toml"
        file.touch()
        found = load_settings(file=file, flags=flags, environment={})
        return found.panel, found.light

    return settings


class Chips:
    """Answers for the files of a made-up /dev as the kernel would."""

    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine
        self._chips: dict[str, Chip] = {}

    def add(self, name: str, label: str, lines: int = 28, **users: str) -> None:
        path = self._machine.write(f"dev/{name}", "")
        who = tuple(users.get(f"line{line}") for line in range(lines))
        self._chips[name] = Chip(path, label, who)

    def __call__(self, path: Path) -> Chip:
        if path.name not in self._chips:
            raise OSError("Inappropriate ioctl for device")
        return self._chips[path.name]


@pytest.fixture
def chips(machine: FakeMachine) -> Chips:
    return Chips(machine)


def check(machine: FakeMachine, chips: Chips, both: object, **more: object) -> list[Finding]:
    panel, light = both  # type: ignore[misc]
    options = {"environment": {}, "installed": lambda name: name == "lgpio"} | more
    return check_gpio(panel, light, machine.root, read=chips, **options)


def test_every_pin_has_its_key(make: Make) -> None:
    panel, light = make(
        "panel.talk_pin=17", "panel.encoder_pins=[5,6]", "light.kind=led", "light.pins=[27]"
    )
    assert wanted_pins(panel, light) == [
        (17, "panel.talk_pin"),
        (5, "panel.encoder_pins"),
        (6, "panel.encoder_pins"),
        (27, "light.pins"),
    ]
    panel, light = make("light.pins=[27]")
    assert wanted_pins(panel, light) == []


def test_no_pin_is_wanted(machine: FakeMachine, chips: Chips, make: Make) -> None:
    (found,) = check(machine, chips, make())
    assert (found.mark, found.text) == (
        "skipped",
        "No pin is configured: the keyboard is the panel.",
    )
    (found,) = check(machine, chips, make("panel.talk_pin=17", "panel.gpio=off"))
    assert found.text == 'panel.gpio is "off": the keyboard is the panel.'


def test_a_machine_without_pins(machine: FakeMachine, chips: Chips, make: Make) -> None:
    (found,) = check(machine, chips, make("panel.talk_pin=17"))
    assert found.mark == "fault"
    assert found.text == "This machine has no GPIO pins, but panel.talk_pin is 17."


def test_the_header_is_chosen_by_its_label(machine: FakeMachine, chips: Chips, make: Make) -> None:
    chips.add("gpiochip0", "brcmvirt-gpio", line17="led0")
    chips.add("gpiochip4", "pinctrl-rp1")
    machine.write("dev/gpiochip9", "no chip")
    library, pin = check(machine, chips, make("panel.talk_pin=17"))
    assert library == Finding("ok", "pin library", "gpiozero with lgpio.")
    assert pin == Finding("ok", "GPIO17", "panel.talk_pin: free (pinctrl-rp1).")


def test_a_busy_pin_names_its_user(machine: FakeMachine, chips: Chips, make: Make) -> None:
    chips.add("gpiochip0", "pinctrl-bcm2711", line17="fan")
    machine.process(812, "fancontrol", "anon_inode:gpio-line")
    _, pin = check(machine, chips, make("panel.talk_pin=17"))
    assert (pin.mark, pin.subject) == ("fault", "GPIO17")
    assert pin.text == "panel.talk_pin: it is in use by 'fan' (fancontrol (process 812))."
    assert pin.advice == "End that program, or set panel.talk_pin to another pin."


def test_a_pin_has_one_purpose(machine: FakeMachine, chips: Chips, make: Make) -> None:
    chips.add("gpiochip0", "pinctrl-bcm2711")
    _, pin = check(machine, chips, make("panel.talk_pin=17", "panel.mute_pin=17"))
    assert (pin.mark, pin.text) == ("fault", "It is both panel.talk_pin and panel.mute_pin.")


def test_a_pin_that_the_chip_has_not(machine: FakeMachine, chips: Chips, make: Make) -> None:
    chips.add("gpiochip0", "toy", lines=8)
    _, pin = check(machine, chips, make("panel.talk_pin=17"))
    assert (pin.mark, pin.text) == ("fault", "panel.talk_pin is 17, but toy has 8 lines.")


def test_chips_that_do_not_answer(machine: FakeMachine, chips: Chips, make: Make) -> None:
    machine.write("dev/gpiochip0", "")
    _, found = check(machine, chips, make("panel.talk_pin=17"))
    assert (found.mark, found.subject) == ("fault", "pins")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_pins_that_are_not_allowed(machine: FakeMachine, chips: Chips, make: Make) -> None:
    chips.add("gpiochip0", "pinctrl-bcm2711")
    (machine.root / "dev/gpiochip0").chmod(0)
    _, found = check(machine, chips, make("panel.talk_pin=17"))
    assert found.advice.endswith("sudo usermod -aG gpio $USER.")


def test_the_library_is_there_or_not(machine: FakeMachine, chips: Chips, make: Make) -> None:
    chips.add("gpiochip0", "pinctrl-bcm2711")
    both = make("panel.talk_pin=17")
    library = check(machine, chips, both, installed=lambda name: False)[0]
    assert (library.mark, library.advice) == (
        "fault",
        'Install it where edgebot is installed: pip install "edgebot[gpio]".',
    )
    mock = {"GPIOZERO_PIN_FACTORY": "mock"}
    assert check(machine, chips, both, environment=mock)[0].mark == "warning"
    other = {"GPIOZERO_PIN_FACTORY": "pigpio"}
    assert "'pigpio'" in check(machine, chips, both, environment=other)[0].text


SPI_LIGHT = ("light.kind=ws2812", "light.pins=[10]")


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (SPI_LIGHT, True),
        (("light.kind=apa102", "light.pins=[10,11]"), True),
        (("light.kind=apa102", "light.pins=[5,6]"), False),
        (("light.kind=led", "light.pins=[10]"), False),
    ],
)
def test_some_lights_want_spi(
    machine: FakeMachine, make: Make, flags: tuple[str, ...], wanted: bool
) -> None:
    _, light = make(*flags)
    assert uses_spi(light) == wanted
    found = check_spi(light, machine.root)
    assert (found is not None) == wanted
    if found:
        assert (found.mark, "raspi-config" in found.advice) == ("fault", True)
        machine.write("dev/spidev0.0", "")
        found = check_spi(light, machine.root)
        assert found == Finding("ok", "SPI", "/dev/spidev0.0 is there.")


def test_the_spi_driver_may_hold_a_lights_pin(
    machine: FakeMachine, chips: Chips, make: Make
) -> None:
    chips.add("gpiochip0", "pinctrl-bcm2711", line10="spi0 MOSI")
    _, pin = check(machine, chips, make(*SPI_LIGHT))
    assert pin.mark == "ok"
