"""What systemd is told, through a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebot.service.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        yield heard


def test_each_message_reaches_systemd(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    notifier = Notifier.from_environment()
    assert notifier.watchdog_s == 20.0
    notifier.ready("asleep")
    notifier.status("listening")
    notifier.alive()
    notifier.stopping("stopping")
    assert [systemd.recv(1000).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=asleep",
        "STATUS=listening",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]
    notifier.reloading()
    first, second = systemd.recv(1000).decode().splitlines()
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()


def test_nobody_waits_outside_of_a_service() -> None:
    notifier = Notifier.from_environment({})
    assert notifier.watchdog_s == 0.0
    notifier.ready("asleep")
    notifier.alive()


@pytest.mark.parametrize(("pid", "limit_s"), [(os.getpid(), 3.0), (os.getpid() + 1, 0.0)])
def test_a_watchdog_of_another_process_is_not_ours(pid: int, limit_s: float) -> None:
    environment = {
        "NOTIFY_SOCKET": "/nowhere",
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(pid),
    }
    assert Notifier.from_environment(environment).watchdog_s == limit_s


def test_without_a_watchdog_nothing_is_fed() -> None:
    told: list[str] = []
    Notifier(told.append).alive()
    assert told == []


def test_a_socket_that_is_gone_is_no_error() -> None:
    def send(message: str) -> None:
        raise ConnectionRefusedError

    Notifier(send).status("asleep")
