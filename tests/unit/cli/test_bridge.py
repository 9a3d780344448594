"""The verb `bridge`: the link, what is said when something is missing, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgebot.cli import bridge

from .conftest import Command

PATIENCE_S = 60


@contextlib.contextmanager
def running(folder: Path, *flags: str, **environment: str) -> Iterator[tuple[Any, str]]:
    """Run the bridge as a program; yield it, and its link."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edgebot",
            "--set",
            "bridge.port=0",
            *flags,
            "bridge",
            "--engine",
            str(folder / "calls.sock"),
        ],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        try:
            yield process, link
        finally:
            process.kill()


@pytest.mark.parametrize("wanted", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_a_link_serves_and_ends(tmp_path: Path, wanted: signal.Signals) -> None:
    with running(tmp_path) as (process, link):
        address, token = link.split("/client#token=")
        assert address.startswith("http://localhost:")
        assert len(token) == 32
        # A bare machine does not even know the name localhost.
        page = f"{address}/client".replace("localhost", "127.0.0.1")
        with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
            assert answer.status == 200
        process.send_signal(wanted)
        _, told = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "Nobody answers yet: start the assistant" in " ".join(told.split())


def test_as_a_service_its_link_stays_the_same(tmp_path: Path) -> None:
    with running(tmp_path, STATE_DIRECTORY=str(tmp_path)) as (_, first):
        pass
    with running(tmp_path, STATE_DIRECTORY=str(tmp_path)) as (_, second):
        pass
    assert first.partition("#")[2] == second.partition("#")[2]
    assert (tmp_path / "token").read_text().strip() == first.partition("token=")[2]


def test_open_to_all_without_a_certificate_it_says_what_a_browser_wants(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "bridge.host=0.0.0.0") as (process, link):
        assert "/client#token=" in link
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE_S)
        assert "A browser opens its microphone only to https" in " ".join(told.split())


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [("aiortc", [], "bridge"), ("segno", [], "bridge"), ("daily", ["--daily"], "daily")],
)
def test_what_is_not_installed_is_told_of(
    edgebot: Command,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    arguments: list[str],
    extra: str,
) -> None:
    def find(name: str) -> Any:
        return None if name == missing else find_spec(name) or ModuleType(name)

    monkeypatch.setattr(bridge, "find_spec", find)
    ran = edgebot("bridge", *arguments)
    assert ran.code == 3
    assert f"pip install 'edgebot[{extra}]'" in " ".join(ran.err.split())


def test_a_room_needs_a_url_or_a_key(edgebot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "find_spec", lambda name: ModuleType(name))
    ran = edgebot("bridge", "--daily")
    assert ran.code == 3
    assert "A Daily room needs --room URL" in " ".join(ran.err.split())


def test_the_machines_service_is_called_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(bridge, "MACHINE_SOCKET", tmp_path / "machine.sock")
    assert bridge.engine_socket() == tmp_path / "edgebot" / "calls.sock"
    (tmp_path / "machine.sock").touch()
    assert bridge.engine_socket() == tmp_path / "machine.sock"
