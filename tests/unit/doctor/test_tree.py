"""What the kernel says of itself, read from a folder."""

from __future__ import annotations

import os
from pathlib import Path

from edgebot.doctor.tree import Holder, board_name, holders, is_raspberry_pi, named, read_text

from .tree import FakeMachine


def test_a_board_says_its_name(machine: FakeMachine) -> None:
    assert board_name(machine.root) is None
    assert not is_raspberry_pi(machine.root)
    machine.raspberry_pi()
    assert board_name(machine.root) == "Raspberry Pi 5 Model B Rev 1.0"
    assert is_raspberry_pi(machine.root)


def test_another_board_is_no_raspberry_pi(machine: FakeMachine) -> None:
    machine.write("proc/device-tree/model", "Banana Pi\0")
    assert not is_raspberry_pi(machine.root)


def test_a_file_that_is_not_there_has_no_text(machine: FakeMachine) -> None:
    assert read_text(machine.root / "proc/cpuinfo") is None


def test_those_who_hold_a_file_are_found(machine: FakeMachine) -> None:
    machine.process(412, "aplay", "/dev/null", "/dev/snd/pcmC1D0p")
    machine.process(57, "mpd", "/dev/snd/pcmC1D0p")
    machine.process(9, "sshd", "/dev/null")
    (machine.root / "proc/77").mkdir()
    found = holders(machine.root, lambda name: name == "/dev/snd/pcmC1D0p")
    assert found == [Holder(57, "mpd"), Holder(412, "aplay")]
    assert named(found) == "mpd (process 57), aplay (process 412)"
    assert named([]) == "a program that this user may not see"


def test_a_real_process_is_found() -> None:
    with Path(__file__).open() as file:
        found = holders(Path("/"), lambda name: name == str(file.name))
    assert os.getpid() in [holder.pid for holder in found]
