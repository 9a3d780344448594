"""A broken settings file never takes the box down."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot import config
from edgebot.errors import ConfigError
from edgebot.service.last_good import Loaded, load_settings_or_last_good, state_folder

GOOD = "[tts]\nspeed = 1.5\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "MACHINE_FILE", tmp_path / "machine.toml")
    monkeypatch.setattr(config, "MACHINE_MODELS", tmp_path / "machine-models")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = tmp_path / "state"
    made.mkdir()
    return made


def load(folder: Path, *flags: str, **environment: str) -> Loaded:
    return load_settings_or_last_good(folder, flags=flags, environment=environment)


@pytest.mark.parametrize(
    "broken", ["[tts\n", "[tts]\nspeed = 'fast'\n", "[tts]\nspede = 1\n", "\udcff"]
)
def test_the_last_good_file_stays_in_force(folder: Path, broken: str) -> None:
    config.MACHINE_FILE.write_text(GOOD)
    assert load(folder) == Loaded(load(folder).settings, None)
    config.MACHINE_FILE.write_text(broken, errors="surrogateescape")
    found = load(folder, "tts.volume=0.5")
    assert found.settings.tts.speed == 1.5
    assert found.settings.tts.volume == 0.5
    assert found.fault is not None
    assert str(config.MACHINE_FILE) in found.fault
    assert found.fault.endswith("Until it is mended, the last good settings are in force.")
    config.MACHINE_FILE.write_text("[tts]\nspeed = 2.0\n")
    assert load(folder).settings.tts.speed == 2.0


def test_without_a_good_file_the_defaults_serve(folder: Path) -> None:
    config.MACHINE_FILE.write_text("[tts\n")
    found = load(folder)
    assert found.settings.tts.speed == 1.0
    assert found.fault is not None
    assert found.fault.endswith("edgebot's own settings are in force.")
    (folder / "last-good.toml").write_text("[tts\n")
    assert load(folder).settings.tts.speed == 1.0


def test_a_copy_is_kept_once_and_for_nobody_else(folder: Path) -> None:
    config.MACHINE_FILE.write_text(GOOD)
    load(folder)
    kept = folder / "last-good.toml"
    assert kept.read_text() == GOOD
    assert kept.stat().st_mode & 0o777 == 0o600
    before = kept.stat().st_ino
    load(folder)
    assert kept.stat().st_ino == before
    config.MACHINE_FILE.unlink()
    load(folder)
    assert kept.read_text() == ""


def test_without_a_folder_nothing_is_kept(folder: Path) -> None:
    config.MACHINE_FILE.write_text(GOOD)
    assert load(folder / "missing").settings.tts.speed == 1.5
    assert not (folder / "missing").exists()


def test_a_wrong_flag_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"tts\.spede"):
        load(folder, "tts.spede=1")
    with pytest.raises(ConfigError):
        load(folder, EDGEBOT_TTS__SPEED="fast")


def test_a_named_file_is_kept(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(GOOD)
    load_settings_or_last_good(folder, file=mine, environment={})
    mine.unlink()
    found = load_settings_or_last_good(folder, file=mine, environment={})
    assert found.settings.tts.speed == 1.5
    assert found.fault is not None


def test_the_folder_is_where_systemd_says() -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/other"}) == Path("/var/lib/other")
    assert state_folder({}) == Path("/var/lib/edgebot")
