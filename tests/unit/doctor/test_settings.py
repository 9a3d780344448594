"""Settings that are right, wrong, or unreadable."""

from __future__ import annotations

from pathlib import Path

from edgebot.doctor.finding import Finding
from edgebot.doctor.settings import check_settings


def check(tmp_path: Path, text: str, *flags: str) -> tuple[list[Finding], float]:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    findings, settings = check_settings(file=file, flags=flags, environment={})
    return findings, settings.tts.speed


def test_settings_that_are_right(tmp_path: Path) -> None:
    findings, speed = check(tmp_path, "[tts]\nspeed = 1.5\n")
    assert [found.mark for found in findings] == ["ok"]
    assert str(tmp_path / "mine.toml") in findings[0].text
    assert speed == 1.5


def test_every_unknown_key_is_named(tmp_path: Path) -> None:
    text = "[tts]\nspede = 1.5\nspeed = 1.5\n"
    findings, speed = check(tmp_path, text, "panel.talkpin=1")
    assert [found.mark for found in findings] == ["fault", "fault"]
    assert "'tts.spede'" in findings[0].text
    assert "'tts.speed'" in findings[0].text
    assert "'panel.talkpin'" in findings[1].text
    assert speed == 1.0


def test_a_wrong_value_is_named_with_its_layer(tmp_path: Path) -> None:
    findings, speed = check(tmp_path, "[tts]\nspeed = 99\n")
    (found,) = findings
    assert found.mark == "fault"
    assert found.text.startswith("tts.speed cannot be 99 (")
    assert speed == 1.0


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (found,), _ = check(tmp_path, "[tts\n")
    assert found.mark == "fault"
    assert "is not valid TOML" in found.text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (found,), settings = check_settings(file=tmp_path / "none.toml", flags=(), environment={})
    assert found.mark == "fault"
    assert settings.language == "en"
