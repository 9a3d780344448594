"""A sound card that goes and comes, under PortAudio and the kernel's own ALSA.

What is played into the card's first device comes back from its second one, so the voice hears
itself. Times are those of an emulated machine: bounds, not measurements.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.vm.machine import GuestProgram, Machine
from tests.vm.test_panel import TALK, held_by_another

DEVICES = ("audio.speaker=hw:0,0", "audio.microphone=hw:0,1")
DRIVER = "/sys/bus/platform/drivers/snd_aloop"
SOON_S = 30.0
# Importing Pipecat alone takes the emulated machine most of a minute.
START_S = 240.0


def unplug(machine: Machine) -> None:
    machine.run(f"echo snd_aloop.0 >{DRIVER}/unbind")


def plug_in(machine: Machine) -> None:
    machine.run(f"echo snd_aloop.0 >{DRIVER}/bind; udevadm settle")


@pytest.fixture(autouse=True)
def _card(machine: Machine) -> Iterator[None]:
    """Leave the card as it was found, whatever a test does."""
    yield
    if "Loopback" not in machine.run("cat /proc/asound/cards"):
        plug_in(machine)


@contextmanager
def voice(machine: Machine, *more: str) -> Iterator[GuestProgram]:
    words = " ".join((*DEVICES, *more))
    command = f"python3 /project/tests/vm/inside/voice.py {words}"
    with machine.start(command, user="person") as program:
        program.wait_for("^ready$", START_S)
        yield program
        program.signal(signal.SIGTERM)
        program.wait_for("^done$", SOON_S)


def speak(program: GuestProgram) -> None:
    """Let it speak, and wait until it hears itself."""
    asked = time.monotonic()
    program.signal(signal.SIGUSR1)
    program.wait_for("^hears something$", SOON_S, after=asked)


def notes(program: GuestProgram) -> list[str]:
    return [line.removeprefix("note: ") for line in program.matches("^note: ")]


def test_a_card_that_goes_in_mid_answer_and_comes_back(machine: Machine) -> None:
    with voice(machine) as program:
        speak(program)
        unplugged = time.monotonic()
        unplug(machine)
        program.wait_for("^is still$", SOON_S, after=unplugged)
        program.wait_for("^note: .*microphone", SOON_S, after=unplugged)
        program.wait_for("^note: .*speaker", SOON_S, after=unplugged)
        assert len(notes(program)) == 2
        plugged_in = time.monotonic()
        plug_in(machine)
        program.wait_for("^note: The microphone works again", SOON_S, after=plugged_in)
        program.wait_for("^note: The speaker works again", SOON_S, after=plugged_in)
        speak(program)
        assert len(notes(program)) == 4


def test_no_card_at_the_start_and_then_one(machine: Machine) -> None:
    unplug(machine)
    with voice(machine) as program:
        assert len(notes(program)) == 2
        plug_in(machine)
        program.wait_for("^note: The microphone works again", SOON_S)
        program.wait_for("^note: The speaker works again", SOON_S)
        speak(program)
        assert len(notes(program)) == 4


def test_the_voice_goes_on_without_its_button(machine: Machine) -> None:
    with (
        held_by_another(machine, TALK),
        voice(machine, f"panel.talk_pin={TALK}") as program,
    ):
        speak(program)
        assert len(program.matches("^trouble: panel.talk_pin cannot be")) == 1
        assert len(program.matches("^trouble: ")) == 1
        assert notes(program) == []
