"""devices and config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hw.fake_pyaudio import FakeDevice, FakeLibrary

from edgebot import config
from edgebot.cli.machine import shorten
from edgebot.config import known_keys

from .conftest import Command


@pytest.fixture
def devices(library: FakeLibrary) -> FakeLibrary:
    library.devices = [
        FakeDevice("Headphones", outputs=2, rate_hz=44_100.0),
        FakeDevice("USB [x]", inputs=1),
    ]
    library.default_output = 0
    return library


def test_devices_are_listed_for_a_person(edgebot: Command, devices: FakeLibrary) -> None:
    ran = edgebot("devices")
    assert (ran.code, ran.err) == (0, "")
    heading, *rows = [line.split() for line in ran.out.splitlines()]
    assert heading == ["index", "name", "microphone", "speaker", "own", "rate"]
    assert rows == [
        ["0", "Headphones", "default", "44100", "Hz"],
        ["1", "USB", "[x]", "yes", "48000", "Hz"],
    ]


def test_devices_are_listed_for_a_program(edgebot: Command, devices: FakeLibrary) -> None:
    assert json.loads(edgebot("devices", "--json").out) == [
        {
            "index": 0,
            "name": "Headphones",
            "rate_hz": 44_100,
            "inputs": 0,
            "outputs": 2,
            "default_for": ["speaker"],
        },
        {
            "index": 1,
            "name": "USB [x]",
            "rate_hz": 48_000,
            "inputs": 1,
            "outputs": 0,
            "default_for": [],
        },
    ]


def test_a_machine_without_devices(edgebot: Command) -> None:
    ran = edgebot("devices")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "There is no audio device. Plug in a microphone and a speaker.\n"
    assert json.loads(edgebot("devices", "--json").out) == []


def settings(edgebot: Command, *flags: str) -> dict[str, dict[str, object]]:
    ran = edgebot(*flags, "config", "--json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert isinstance(found, dict)
    return found


def test_config_holds_every_setting_and_its_origin(edgebot: Command) -> None:
    found = settings(edgebot, "--set", "tts.speed=1.5")
    assert list(found) == list(known_keys())
    assert found["tts.speed"] == {"value": 1.5, "from": "--set tts.speed"}
    assert found["language"] == {"value": "en", "from": "default"}


def test_config_reads_every_layer(
    edgebot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.MACHINE_FILE.write_text('[stt]\nmodel = "a"\n[tts]\nmodel = "a"\n')
    monkeypatch.setenv("EDGEBOT_TTS__MODEL", "b")
    found = settings(edgebot)
    assert found["stt.model"] == {"value": "a", "from": str(config.MACHINE_FILE)}
    assert found["tts.model"] == {"value": "b", "from": "$EDGEBOT_TTS__MODEL"}
    mine = tmp_path / "mine.toml"
    mine.write_text('[stt]\nmodel = "c"\n')
    found = settings(edgebot, "--config", str(mine))
    assert found["stt.model"] == {"value": "c", "from": str(mine)}


def test_config_is_a_table_for_a_person(edgebot: Command) -> None:
    ran = edgebot("--set", "assistant.name=[/b]Ada", "config")
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[0] == ["setting", "value", "from"]
    assert {row[0] for row in rows} >= known_keys().keys()
    assert ["assistant.name", '"[/b]Ada"', "--set", "assistant.name"] in rows


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_secret_is_not_shown(
    edgebot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[llm]\nserver_key = "hush"\n')
    for flags in (["--set", "llm.server_key=hush"], ["--config", str(file)]):
        ran = edgebot(*flags, "config", *form)
        assert "hush" not in ran.out + ran.err
        assert "(set)" in ran.out
    monkeypatch.setenv("EDGEBOT_LLM__SERVER_KEY", "hush")
    assert "hush" not in edgebot("config", *form).out
    assert "(set)" not in edgebot("--set", "llm.server_key=", "config", *form).out


def test_a_wrong_secret_is_not_shown(edgebot: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[llm]\nserver_key = 12345\n")
    ran = edgebot("--config", str(file), "config")
    assert ran.code == 3
    assert "12345" not in ran.err


def test_a_long_value_is_cut_for_a_person() -> None:
    assert shorten("a" * 48) == "a" * 48
    assert shorten("a" * 49) == "a" * 47 + "…"
