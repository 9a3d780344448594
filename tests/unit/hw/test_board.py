"""Pins: the library that reaches them, what is said where there are none, and known boards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero import Device

from edgebot.config import Settings, known_boards, load_settings
from edgebot.errors import PinError
from edgebot.hw import board
from edgebot.hw.board import library_name, open_pins
from edgebot.hw.gestures import Action
from edgebot.hw.panel import Panel
from edgebot.hw.strips import apa102_bytes
from edgebot.state import Facts

from .fake_pins import BoardWithSpi, ClockedPin, Told


@pytest.fixture(autouse=True)
def no_pins_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    yield
    if Device.pin_factory is not None:
        Device.pin_factory.close()


# Which library


@pytest.mark.parametrize(
    ("wanted", "variable", "has_chip", "name"),
    [
        ("auto", None, True, "lgpio"),
        ("auto", None, False, None),
        ("auto", "mock", False, "mock"),
        ("auto", "pigpio", True, "pigpio"),
        ("lgpio", "mock", False, "lgpio"),
        ("mock", None, True, "mock"),
        ("off", "mock", True, None),
    ],
)
def test_the_library_is_chosen(
    tmp_path: Path, wanted: str, variable: str | None, has_chip: bool, name: str | None
) -> None:
    if has_chip:
        (tmp_path / "gpiochip0").touch()
    environment = {"GPIOZERO_PIN_FACTORY": variable} if variable else {}
    chips = str(tmp_path / "gpiochip*")
    assert library_name(wanted, environment=environment, chips=chips) == name


def test_mock_pins_are_those_that_a_test_has_made() -> None:
    made = open_pins("mock")
    assert open_pins("mock") is made
    assert Device.pin_factory is made


def test_a_library_that_fails_is_told_and_no_other_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # This library is known to gpiozero and not installed.
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "rpigpio")
    with pytest.raises(PinError) as caught:
        open_pins("auto")
    assert str(caught.value) == (
        "The GPIO library rpigpio is not installed, so buttons and lights do not work: install it "
        'with pip install "edgebot[gpio]".'
    )
    assert Device.pin_factory is None


class Entry:
    """A library that gpiozero knows, and that fails as it is told to."""

    name = "lgpio"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def load(self) -> Any:
        def make() -> None:
            raise self.error

        return make


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("'can not open gpiochip'"),
            "Buttons and lights do not work, for can not open gpiochip: join the group gpio with "
            "sudo usermod -aG gpio $USER, and log in again.",
        ),
        (
            type("PinUnknownPi", (RuntimeError,), {})("unable to locate Pi revision"),
            "Buttons and lights do not work, for this is no Raspberry Pi: set panel.gpio to 'off'.",
        ),
    ],
)
def test_pins_out_of_reach_are_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setattr(board.metadata, "entry_points", lambda group: [Entry(error)])
    with pytest.raises(PinError) as caught:
        open_pins("lgpio")
    assert str(caught.value) == told


LGPIO = """
import os, sys, threading
from edgebot.errors import PinError
from edgebot.hw.board import open_pins
here = os.getcwd()
try:
    open_pins("lgpio")
except PinError as error:
    print("told", len(str(error)) > 0)
assert "lgpio" in sys.modules
print(os.getcwd() == here, os.listdir(here), os.environ["LG_WD"])
"""


@pytest.mark.parametrize("is_service", [True, False])
def test_lgpio_has_a_folder_of_its_own_and_the_process_stays_where_it_is(
    tmp_path: Path, is_service: bool
) -> None:
    pytest.importorskip("_lgpio", reason="lgpio is not installed")
    here, runtime = tmp_path / "here", tmp_path / "runtime"
    here.mkdir()
    runtime.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "LG_WD"}
    environment |= {"TMPDIR": str(tmp_path)}
    if is_service:
        environment["RUNTIME_DIRECTORY"] = str(runtime)
    done = subprocess.run(
        [sys.executable, "-c", LGPIO],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    stayed, files, folder = done.stdout.splitlines()[-1].split()
    assert (stayed, files) == ("True", "[]")
    assert Path(folder).parent == (runtime if is_service else tmp_path)
    assert not Path(folder).exists()


def test_importing_the_panel_loads_no_gpio() -> None:
    code = "import sys, edgebot.hw.panel; print({'gpiozero', 'lgpio'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"


# The boards that are known


def settings_of(name: str, tmp_path: Path) -> Settings:
    file = tmp_path / "edgebot.toml"
    file.write_text(f'board = "{name}"\n[panel]\ngpio = "mock"\n')
    return load_settings(file=file, environment={})


class Desk:
    """A board on mock pins with its panel."""

    def __init__(self, settings: Settings, pins: BoardWithSpi) -> None:
        Device.pin_factory = pins
        self.actions, self.troubles = Told(), Told()
        self.pins = pins
        self.panel = Panel(settings.panel, settings.light, self.actions, self.troubles)

    def press(self, number: int) -> list[Any]:
        self.panel.show(Facts(started=True))
        self.pins.pin(number).drive_low()
        return list(self.actions.all)


LISTENING = Facts(started=True, awake=True)
BLUE = (0.0, 0.4, 1.0)


def test_every_board_is_tested_here() -> None:
    assert known_boards() == ["gpio", "respeaker-2mic", "usb-speakerphone", "voice-bonnet"]


def test_bare_gpio(tmp_path: Path) -> None:
    settings = settings_of("gpio", tmp_path)
    desk = Desk(settings, BoardWithSpi())
    assert desk.press(17) == [Action.WAKE]
    red, yellow, green = (desk.pins.pin(number) for number in (5, 6, 13))
    desk.panel.show(LISTENING)
    wait_until(lambda: green.state == 1.0)
    assert (red.state, yellow.state) == (0.0, 0.0)
    desk.panel.show(Facts(started=True, muted=True))
    wait_until(lambda: red.state == 1.0)
    desk.panel.close()
    assert desk.troubles.all == []


def test_respeaker_2mic(tmp_path: Path) -> None:
    settings = settings_of("respeaker-2mic", tmp_path)
    assert settings.audio.microphone == settings.audio.speaker == "seeed"
    desk = Desk(settings, BoardWithSpi())
    assert desk.press(17) == [Action.WAKE]
    (bus,) = desk.pins.buses
    desk.panel.show(LISTENING)
    wait_until(lambda: bus.written[-1] == apa102_bytes((BLUE,) * 3))
    desk.panel.close()
    assert bus.pins[:2] == ("GPIO11", "GPIO10")
    assert desk.troubles.all == []


def test_voice_bonnet(tmp_path: Path) -> None:
    settings = settings_of("voice-bonnet", tmp_path)
    assert settings.audio.microphone == settings.audio.speaker == "wm8960"
    pins = BoardWithSpi()
    pins.pin_class = type("Plain", (ClockedPin,), {})  # Without pulses, as the clock needs it.
    clock, data = pins.pin(6), pins.pin(5)
    clock.data = data
    desk = Desk(settings, pins)
    assert desk.press(17) == [Action.WAKE]
    dark = apa102_bytes(((0.0, 0.0, 0.0),) * 3)
    lit = apa102_bytes((BLUE,) * 3)
    wait_until(lambda: len(clock.bits) == 8 * len(dark))
    assert clock.take_bytes() == dark
    desk.panel.show(LISTENING)
    wait_until(lambda: len(clock.bits) == 8 * len(lit))
    assert clock.take_bytes() == lit
    desk.panel.close()
    assert desk.troubles.all == []
    assert pins.buses == []


def test_usb_speakerphone(tmp_path: Path) -> None:
    settings = settings_of("usb-speakerphone", tmp_path)
    assert settings.audio.microphone == settings.audio.speaker == "USB"
    assert settings.echo.cancel == "off"
    desk = Desk(settings, BoardWithSpi())
    desk.panel.close()
    assert (desk.pins.pins, desk.troubles.all) == ({}, [])


def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait for the lights' thread."""
    end_s = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < end_s
        time.sleep(0.002)
