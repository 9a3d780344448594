"""The keyboard: what keys mean, and that the terminal is always left as it was found."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edgebot.hw.gestures import Action, Gesture
from edgebot.hw.keyboard import Keyboard
from edgebot.hw.panel import Panel
from edgebot.state import Facts

from .fake_pins import Told
from .test_panel import light_settings, panel_settings


class Terminal:
    """A terminal, and somebody who types at it."""

    def __init__(self) -> None:
        self.typist, slave = pty.openpty()
        self.file = os.fdopen(slave, "r", encoding="utf-8")

    def type(self, keys: bytes) -> None:
        os.write(self.typist, keys)

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.file.fileno())

    @property
    def is_raw(self) -> bool:
        return not self.modes[3] & (termios.ICANON | termios.ECHO)

    def close(self) -> None:
        os.close(self.typist)
        self.file.close()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def open_keyboard(terminal: Terminal, told: Told) -> Keyboard:
    keyboard = Keyboard.open(terminal.file, told)
    assert keyboard is not None
    return keyboard


def test_keys_are_gestures(terminal: Terminal) -> None:
    told = Told()
    keyboard = open_keyboard(terminal, told)
    for key in (b" ", b"m", b"M", b"+", b"-", b"x", b"\x1b[A", b"\xff", b"q"):
        terminal.type(key)
        time.sleep(0.02)
    found = told.wait_for(7)
    keyboard.close()
    assert found == [
        Gesture.PRESS,
        Gesture.TAP,
        Gesture.MUTE_PRESS,
        Gesture.MUTE_PRESS,
        Gesture.VOLUME_UP,
        Gesture.VOLUME_DOWN,
        Gesture.QUIT,
    ]


def test_the_terminal_is_left_as_it_was_found(terminal: Terminal) -> None:
    found = terminal.modes
    keyboard = open_keyboard(terminal, Told())
    assert terminal.is_raw
    assert terminal.modes[3] & termios.ISIG  # Ctrl-C is still Ctrl-C.
    keyboard.close()
    keyboard.close()
    assert terminal.modes == found
    assert "keyboard" not in {thread.name for thread in threading.enumerate()}


def test_signals_are_handed_back(terminal: Terminal) -> None:
    numbers = (signal.SIGTSTP, signal.SIGCONT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    keyboard = open_keyboard(terminal, Told())
    assert [signal.getsignal(number) for number in numbers] != before
    keyboard.close()
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_terminal_that_goes_away_ends_the_reading() -> None:
    terminal = Terminal()
    keyboard = open_keyboard(terminal, Told())
    os.close(terminal.typist)
    for _ in range(500):
        if "keyboard" not in {thread.name for thread in threading.enumerate()}:
            break
        time.sleep(0.01)
    else:
        pytest.fail("the keyboard still reads")
    keyboard.close()
    terminal.file.close()


def test_what_is_no_terminal_is_not_read() -> None:
    read, write = os.pipe()
    os.write(write, b"q")
    with os.fdopen(read) as pipe:
        told = Told()
        assert Keyboard.open(pipe, told) is None
        assert select.select([read], [], [], 0)[0] == [read]
    os.close(write)
    closed = io.StringIO()
    closed.close()
    assert Keyboard.open(closed, told) is None
    assert told.all == []


def test_without_a_talk_button_the_panel_is_the_keyboard(terminal: Terminal) -> None:
    actions = Told()
    panel = Panel(
        panel_settings(gpio="off"), light_settings(), actions, Told(), terminal=terminal.file
    )
    panel.show(Facts(started=True))
    terminal.type(b" ")
    actions.wait_for(1)
    panel.show(Facts(started=True, awake=True))
    terminal.type(b" ")
    actions.wait_for(2)
    terminal.type(b"q")
    assert actions.wait_for(3) == [Action.WAKE, Action.CANCEL, Action.QUIT]
    panel.close()
    assert not terminal.is_raw


# In a process of its own, which a terminal controls

PROGRAM = """
import sys, time
from edgebot.hw.keyboard import Keyboard
keyboard = Keyboard.open(sys.stdin, lambda gesture: print("key", gesture.value, flush=True))
print("open", flush=True)
{then}
"""


class Process:
    """A program in the foreground of its own terminal."""

    def __init__(self, then: str) -> None:
        self.terminal = Terminal()
        self.found = self.terminal.modes
        slave = self.terminal.file.fileno()
        name = os.ttyname(slave)
        code = f"""
import os, runpy, sys
os.setsid()
tty = os.open({name!r}, os.O_RDWR)
os.dup2(tty, 0)
os.dup2(tty, 1)
""" + PROGRAM.format(then=then)
        self.process = subprocess.Popen([sys.executable, "-c", code])
        self.output = ""
        self.read_until("open")

    def read_until(self, text: str) -> None:
        end_s = time.monotonic() + 20
        while text not in self.output:
            assert time.monotonic() < end_s, self.output
            if select.select([self.terminal.typist], [], [], 0.1)[0]:
                self.output += os.read(self.terminal.typist, 1024).decode()

    def wait_for_modes(self, is_raw: bool) -> None:
        end_s = time.monotonic() + 10
        while self.terminal.is_raw != is_raw:
            assert time.monotonic() < end_s
            time.sleep(0.01)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        self.terminal.close()


@pytest.mark.parametrize(
    ("then", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("raise RuntimeError('sudden')", 1),
        ("import asyncio; asyncio.run(asyncio.sleep(0)); 1 / 0", 1),
    ],
)
def test_however_the_program_ends_the_terminal_is_restored(then: str, status: int) -> None:
    with Process(then) as process:
        assert process.process.wait(timeout=20) == status
        assert process.terminal.modes == process.found


def test_ctrl_c_restores_the_terminal() -> None:
    with Process("time.sleep(60)") as process:
        process.terminal.type(b"\x03")
        assert process.process.wait(timeout=20) == -signal.SIGINT
        assert process.terminal.modes == process.found


def test_sigterm_restores_the_terminal() -> None:
    with Process("time.sleep(60)") as process:
        assert process.terminal.is_raw
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(timeout=20) == -signal.SIGTERM
        assert process.terminal.modes == process.found


def test_a_pause_restores_the_terminal_and_going_on_takes_it_again() -> None:
    """The stop itself is only looked at: a session leader has nobody who would wake it again."""
    then = """
import os, signal
real_kill, stopped = os.kill, []
def kill(pid, number):
    stopped.append(number)
    print("stopped", flush=True)
    time.sleep(1)
    print("goes on", flush=True)
    real_kill(pid, signal.SIGCONT)
os.kill = kill
print("armed", flush=True)
while True:
    time.sleep(0.05)
"""
    with Process(then) as process:
        assert process.terminal.is_raw
        process.read_until("armed")
        process.process.send_signal(signal.SIGTSTP)
        process.read_until("stopped")
        process.wait_for_modes(is_raw=False)
        process.read_until("goes on")
        process.wait_for_modes(is_raw=True)
        process.terminal.type(b"m")
        process.read_until("key mute button")
