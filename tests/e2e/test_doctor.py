"""`edgebot doctor` at a microphone that hears the speaker, as loud and as late as it is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Ear, VirtualSound

# What a sound server keeps in its own buffers on both sides is not the room's, and varies.
BUFFERS_MS = 250.0
TOLERANCE_MS = 60.0
TOLERANCE_DB = 1.0


class Room:
    """Joins the virtual speaker to the virtual microphone, for one `with` block."""

    def __init__(self, sound: VirtualSound, *, delay_ms: int, gain_db: float) -> None:
        """Say how late and how loud the one hears the other."""
        self._sound = sound
        self._options = ("source=spk.monitor", "sink=mic", f"latency_msec={delay_ms}")
        self._gain_db = gain_db

    def __enter__(self) -> None:
        self._module = self._pactl("load-module", "module-loopback", *self._options).strip()
        (loop,) = self._pactl("list", "short", "sink-inputs").split("\n")[:1]
        self._pactl("set-sink-input-volume", loop.split()[0], f"{self._gain_db:+.1f}dB")

    def __exit__(self, *_: object) -> None:
        self._pactl("unload-module", self._module)

    def _pactl(self, *words: str) -> str:
        command = ["pactl", *words]
        return subprocess.run(
            command, env=self._sound.environment, check=True, capture_output=True, text=True
        ).stdout


@dataclass(frozen=True)
class Told:
    """What doctor said of the sound, and what passed between the two ears meanwhile."""

    code: int
    findings: dict[str, dict[str, Any]]
    loop_ms: float | None

    def number(self, subject: str, before: str) -> float:
        """Return the number that stands before a unit in a finding's text."""
        words = self.findings[subject]["text"].replace("(", "").split()
        return float(words[words.index(before) - 1])


def ask(sound: VirtualSound, tmp_path: Path, *flags: str) -> Told:
    """Run doctor, and return what it said."""
    settings = tmp_path / "settings.toml"
    # Engines that look after their models themselves: this is about sound alone.
    settings.write_text("".join(f'[{role}]\nengine = "own"\n' for role in ("stt", "llm", "tts")))
    command = [sys.executable, "-m", "edgebot", "--config", str(settings), *flags]
    with Ear("spk", sound.environment) as played, Ear("mic", sound.environment) as heard:
        start = time.monotonic()
        ran = subprocess.run(
            [*command, "doctor", "--json"],
            env=sound.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        first, second = played.first_loud(start), heard.first_loud(start)
    findings = {found["subject"]: found for found in json.loads(ran.stdout)["findings"]}
    loop_ms = (second - first) * 1000 if first and second else None
    return Told(ran.returncode, findings, loop_ms)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doctor")


@pytest.fixture(scope="module")
def near(sound: VirtualSound, folder: Path) -> Told:
    with Room(sound, delay_ms=60, gain_db=-12.0):
        return ask(sound, folder)


@pytest.fixture(scope="module")
def far(sound: VirtualSound, folder: Path) -> Told:
    with Room(sound, delay_ms=260, gain_db=-30.0):
        return ask(sound, folder)


def test_the_level_is_measured(near: Told, far: Told) -> None:
    assert near.number("speaker heard", "dB") == pytest.approx(12, abs=TOLERANCE_DB)
    assert far.number("speaker heard", "dB") == pytest.approx(30, abs=TOLERANCE_DB)


def test_the_delay_is_measured(near: Told, far: Told) -> None:
    assert near.loop_ms is not None
    assert far.loop_ms is not None
    delay_ms, longer_ms = near.number("delay", "ms"), far.number("delay", "ms")
    print(f"delay {delay_ms}, {longer_ms} ms; the loop's {near.loop_ms:.0f}, {far.loop_ms:.0f} ms")
    assert -TOLERANCE_MS <= delay_ms - near.loop_ms <= BUFFERS_MS
    assert longer_ms - delay_ms == pytest.approx(far.loop_ms - near.loop_ms, abs=TOLERANCE_MS)


def test_the_echo_is_taken_out(near: Told) -> None:
    assert (near.code, near.findings["echo"]["mark"]) == (0, "ok")
    assert near.number("echo", "dB") >= 20
    assert near.findings["echo"]["text"].endswith("You can interrupt it by voice.")


def test_an_overdriven_microphone_is_recognized(sound: VirtualSound, folder: Path) -> None:
    with Room(sound, delay_ms=60, gain_db=20.0):
        told = ask(sound, folder)
    assert told.findings["clipping"]["mark"] == "fault"
    assert told.findings["clipping"]["changes"] == [{"key": "audio.volume", "value": 0.5}]
    assert told.code == 12


def test_a_muted_microphone_is_recognized(sound: VirtualSound, folder: Path) -> None:
    command = ["pactl", "set-source-mute", "mic.monitor"]
    subprocess.run([*command, "1"], env=sound.environment, check=True)
    try:
        with Room(sound, delay_ms=60, gain_db=-12.0):
            told = ask(sound, folder)
    finally:
        subprocess.run([*command, "0"], env=sound.environment, check=True)
    assert told.findings["hearing"]["mark"] == "fault"
    assert "muted" in told.findings["hearing"]["text"]
    assert told.code == 12


def test_headphones_are_recognized(sound: VirtualSound, folder: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.raw"
    noise.write_bytes(hiss(seconds=20))
    options = ["--device=mic", "--raw", "--rate=16000", "--channels=1", "--format=s16le"]
    room = subprocess.Popen(["paplay", *options, str(noise)], env=sound.environment)
    try:
        told = ask(sound, folder)
    finally:
        room.kill()
        room.wait()
    assert told.findings["noise"]["mark"] == "ok"
    assert told.number("noise", "dB") == pytest.approx(-60, abs=TOLERANCE_DB)
    assert told.findings["speaker heard"]["mark"] == "warning"
    assert "echo" not in told.findings


def hiss(*, seconds: int) -> bytes:
    """Return noise 60 dB below full scale."""
    import numpy as np

    noise = np.random.default_rng(2).standard_normal(seconds * 16_000) * 32768 / 1000
    return bytes(noise.astype("<i2").tobytes())
