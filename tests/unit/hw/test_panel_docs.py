"""docs/panel.md and its pictures tell what the code does."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest
from gpiozero.pins.mock import MockFactory

from edgebot.config import Settings, known_boards, load_settings
from edgebot.hw.gestures import TABLE, Gesture, meaning
from edgebot.hw.keyboard import KEYS
from edgebot.hw.patterns import BLINKS
from edgebot.state import AssistantState

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "panel.md").read_text()


def draw_panel() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_panel", DOCS / "draw_panel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Its dataclasses look themselves up there.
    spec.loader.exec_module(module)
    return module


DRAW = draw_panel()


def table_below(first_heading: str) -> tuple[list[str], list[list[str]]]:
    """Return the headings and rows of the table that begins with a heading."""
    lines = TEXT.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows[0], rows[2:]


def test_the_table_of_gestures_is_the_codes_table() -> None:
    headings, rows = table_below("gesture")
    assert headings == ["gesture", *AssistantState, "mute switch closed"]
    assert [row[0] for row in rows] == [gesture.value for gesture in TABLE]
    for name, *cells in rows:
        gesture = Gesture(name)
        found = [meaning(gesture, state) for state in AssistantState]
        closed = {meaning(gesture, state, is_switched_off=True) for state in AssistantState}
        assert len(closed) == 1
        expected = [", ".join(actions) or "-" for actions in (*found, *closed)]
        assert cells == expected, name


def test_the_one_gesture_that_is_set_is_described() -> None:
    assert set(Gesture) - set(TABLE) == {Gesture.LONG_HOLD}
    assert f"**{Gesture.LONG_HOLD.value}**" in TEXT


def test_the_table_of_blinks_is_the_codes_table() -> None:
    _, rows = table_below("blinks")
    assert [(int(row[0]), row[1]) for row in rows] == [
        (number, fault.value) for fault, number in BLINKS.items()
    ]


def test_every_state_is_in_the_table_of_lights() -> None:
    headings, rows = table_below("state")
    assert headings[1:] == [name for name, _, _ in DRAW.KINDS]
    assert {row[0] for row in rows} >= {state.value for state in AssistantState}
    assert {look.state for _, _, look in DRAW.LOOKS} == set(AssistantState)


def settings_of(board: str, tmp_path: Path) -> Settings:
    file = tmp_path / "edgebot.toml"
    file.write_text(f'board = "{board}"\n')
    return load_settings(file=file, environment={})


def test_the_table_of_boards_has_their_pins(tmp_path: Path) -> None:
    _, rows = table_below("`board`")
    assert sorted(row[0].strip("`") for row in rows) == known_boards()
    for name, button, lights, card in rows:
        settings = settings_of(name.strip("`"), tmp_path)
        assert button == (f"GPIO{settings.panel.talk_pin}" if settings.panel.talk_pin else "none")
        told = {int(number) for number in re.findall(r"GPIO(\d+)", lights)}
        is_on_bus = "SPI bus" in lights
        assert (
            (set(settings.light.pins) == {10, 11})
            if is_on_bus
            else (told == set(settings.light.pins))
        )
        named = re.findall(r'"(\w+)"', card)
        assert settings.audio.microphone == (named[0] if named else "default")


def test_the_keys_are_described() -> None:
    for key in KEYS:
        assert (f"`{key}`" if key != " " else "space is a tap") in TEXT


@pytest.mark.parametrize("name", DRAW.PICTURES)
def test_the_pictures_are_drawn_from_the_code(name: str) -> None:
    drawn = DRAW.PICTURES[name]()
    ET.fromstring(drawn)
    assert (DOCS / name).read_text() == drawn, "run python docs/draw_panel.py"
    assert f"]({name})" in TEXT


@pytest.mark.parametrize("name", ["wiring-leds.svg", "wiring-strip.svg"])
def test_the_wires_go_to_the_pins_that_they_name(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wires = []
    real = DRAW.draw_wire
    monkeypatch.setattr(DRAW, "draw_wire", lambda wire: wires.append(wire) or real(wire))
    DRAW.PICTURES[name]()
    header = MockFactory(revision="d04170").board_info.headers["J8"]  # A Raspberry Pi 5.
    for wire in wires:
        expected = {"ground": "GND", "5V": "5V"}.get(wire.label, wire.label)
        assert header.pins[wire.pin].name == expected
    assert header.pins[39].name == "GND"
    board = settings_of("gpio", tmp_path)
    labels = {wire.label for wire in wires}
    if name == "wiring-leds.svg":
        pins = (board.panel.talk_pin, *board.light.pins)
        assert labels == {"ground", *(f"GPIO{pin}" for pin in pins)}
