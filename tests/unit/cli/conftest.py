"""The command line, run in this process, on a machine without settings, models or devices."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyaudio
import pytest
from hw.fake_pyaudio import FakeLibrary
from loguru import logger

from edgebot import config
from edgebot.cli.app import run


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class Command:
    """Runs `edgebot` with arguments."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ran:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        self._capsys.readouterr()
        code = run(list(arguments))
        said = self._capsys.readouterr()
        return Ran(code, said.out, said.err)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    made = FakeLibrary()
    monkeypatch.setattr(pyaudio, "PyAudio", made)
    return made


@pytest.fixture
def edgebot(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    library: FakeLibrary,
) -> Iterator[Command]:
    for name in [name for name in os.environ if name.startswith("EDGEBOT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(config, "MACHINE_FILE", tmp_path / "machine.toml")
    monkeypatch.setattr(config, "MACHINE_MODELS", tmp_path / "machine-models")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    yield Command(capsys, monkeypatch)
    logger.remove()
