"""A sound card that goes and comes, under PortAudio and the kernel's own ALSA.

What is played into the card's first device comes back from its second one, so the voice hears
itself. Times are those of an emulated machine: bounds, not measurements.
"""

from __future__ import annotations

import json
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.vm.machine import GuestProgram, Machine, wait_until
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
    words = shlex.join((*DEVICES, *more))
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


# doctor


def doctor(machine: Machine) -> dict[str, dict[str, str]]:
    """Return what doctor finds at the card, by its subjects."""
    flags = " ".join(f"--set {word}" for word in DEVICES)
    with machine.start(f"python3 -m edgebot {flags} doctor --json", user="person") as program:
        assert program.wait(START_S) == 12  # there are no models
        text = program.text
    told = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return {found["subject"]: found for found in told["findings"]}


def test_doctor_plays_and_hears(machine: Machine) -> None:
    # A machine that is emulated on a busy one may be late for its own sound.
    for _ in range(3):
        found = doctor(machine)
        if "delay" in found:
            break
    assert found["microphone"]["text"].startswith("Loopback: PCM (hw:0,1), ")
    assert found["speaker"]["text"].startswith("Loopback: PCM (hw:0,0), ")
    assert "hears the speaker as loud as it is played" in found["speaker heard"]["text"]
    assert found["delay"]["mark"] != "fault"


def test_doctor_names_the_program_that_holds_the_microphone(machine: Machine) -> None:
    with machine.start("exec arecord -q -D hw:0,1 -f S16_LE -r 48000 /dev/null", user="person"):
        wait_until(
            lambda: "owner_pid" in machine.run("cat /proc/asound/card0/pcm1c/sub0/status"),
            SOON_S,
            lambda: "a microphone that is held",
        )
        found = doctor(machine)
    assert found["microphone"]["mark"] == "fault"
    assert "held by arecord (process " in found["microphone"]["advice"]
