"""Buttons and lights on the kernel's own GPIO, through gpiozero and lgpio."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.vm.machine import GuestProgram, Machine, wait_until

TALK, MUTE, LED = 17, 22, 27
PINS = (f"panel.talk_pin={TALK}", f"panel.mute_pin={MUTE}", "light.kind=led", f"light.pins=[{LED}]")
# An emulated thread may wait for its turn for so long.
QUIET_S = 1.0


pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lgpio") is None, reason="the optional package lgpio is not installed"
)


@contextmanager
def panel(machine: Machine, user: str = "person", *more: str) -> Iterator[GuestProgram]:
    words = shlex.join((*PINS, *more))
    with machine.start(f"python3 /project/tests/vm/inside/panel.py {words}", user=user) as program:
        program.wait_for("^ready$")
        yield program
        program.signal(signal.SIGTERM)
        assert program.wait() == 0


def actions(program: GuestProgram) -> list[str]:
    """Return what the buttons did, when nothing more comes."""
    time.sleep(QUIET_S)
    return [line.removeprefix("action: ") for line in program.matches("^action: ")]


def troubles(program: GuestProgram) -> list[str]:
    return [line.removeprefix("trouble: ") for line in program.matches("^trouble: ")]


@contextmanager
def held_by_another(machine: Machine, line: int) -> Iterator[None]:
    with machine.start(f"exec gpioset --mode=signal gpiochip0 {line}=1"):
        wait_until(
            lambda: "gpioset" in machine.run("gpioinfo gpiochip0"),
            20,
            lambda: "a line that is held",
        )
        yield


def test_nine_bounces_are_one_press(machine: Machine) -> None:
    with panel(machine, "person", "panel.hold_s=2.0") as program:
        machine.bounce(TALK, 9)
        machine.release(TALK)
        # Listening, the second press cancels when it is let go.
        assert actions(program) == ["wake"]
        machine.bounce(TALK, 9)
        machine.release(TALK)
        assert actions(program) == ["wake", "cancel"]
        assert troubles(program) == []


def test_a_held_button_is_push_to_talk(machine: Machine) -> None:
    with panel(machine) as program:
        machine.press(TALK)
        program.wait_for("^action: talk begin$")
        machine.release(TALK)
        program.wait_for("^action: talk end$")
        assert actions(program) == ["wake", "talk begin", "talk end"]


def test_the_light_follows_the_state_and_goes_out_at_the_end(machine: Machine) -> None:
    with panel(machine, "person", "panel.hold_s=2.0") as program:
        machine.press(TALK)
        machine.release(TALK)
        program.wait_for("^action: wake$")
        wait_until(lambda: machine.level(LED) == 1, 5, lambda: "a light")
    (line,) = re.findall(rf"line +{LED}:.*", machine.run("gpioinfo gpiochip0"))
    assert re.search(r"unused +input", line)


def test_a_line_that_another_process_holds_is_told_once(machine: Machine) -> None:
    with held_by_another(machine, TALK), panel(machine) as program:
        (trouble,) = troubles(program)
        assert trouble.startswith(f"panel.talk_pin cannot be GPIO{TALK}: another program")
        machine.press(MUTE)
        machine.release(MUTE)
        assert actions(program) == ["mute"]
        assert len(troubles(program)) == 1


def test_who_may_not_use_the_pins_is_told_once_what_to_do(machine: Machine) -> None:
    with panel(machine, "stranger") as program:
        (trouble,) = troubles(program)
        assert "usermod -aG gpio" in trouble
        assert actions(program) == []


def doctor(machine: Machine, user: str) -> dict[str, dict[str, str]]:
    """Return what doctor finds of the pins, by its subjects."""
    flags = " ".join(f"--set {shlex.quote(word)}" for word in PINS)
    command = f"python3 -m edgebot {flags} doctor --no-sound --json"
    with machine.start(command, user=user) as program:
        assert program.wait() == 12  # there are no models
        text = program.text
    told = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return {found["subject"]: found for found in told["findings"]}


def test_doctor_names_the_process_that_holds_a_pin(machine: Machine) -> None:
    with held_by_another(machine, TALK):
        found = doctor(machine, "root")
    assert found[f"GPIO{TALK}"]["mark"] == "fault"
    assert "in use by 'gpioset' (gpioset (process " in found[f"GPIO{TALK}"]["text"]
    assert found[f"GPIO{MUTE}"]["mark"] == "ok"
    assert found[f"GPIO{LED}"]["mark"] == "ok"
    assert found["pin library"]["mark"] == "ok"
    assert "Loopback" in found["sound cards"]["text"]


def test_doctor_sees_who_is_not_in_the_groups(machine: Machine) -> None:
    found = doctor(machine, "stranger")
    assert (found["pins"]["mark"], found["sound cards"]["mark"]) == ("fault", "fault")
    assert "usermod -aG gpio" in found["pins"]["advice"]
    assert "usermod -aG audio" in found["sound cards"]["advice"]
