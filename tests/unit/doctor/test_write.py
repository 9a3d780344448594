"""A person's file keeps what they wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.doctor.finding import Change
from edgebot.doctor.write import with_changes, write_changes
from edgebot.errors import ConfigError

MINE = """# my kitchen
language = "en"

[audio]            # the old speaker
volume = 0.8       # loud enough
"""
CHANGES = (
    Change("audio.microphone", "USB PnP: Audio"),
    Change("audio.volume", 0.4),
    Change("turn.interrupt", False),
    Change("board", "respeaker-2mic"),
)


def test_comments_and_other_keys_stay() -> None:
    text = with_changes(MINE, CHANGES)
    assert tomllib.loads(text) == {
        "language": "en",
        "board": "respeaker-2mic",
        "audio": {"volume": 0.4, "microphone": "USB PnP: Audio"},
        "turn": {"interrupt": False},
    }
    for comment in ("# my kitchen", "# the old speaker", "# loud enough"):
        assert comment in text


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    file = tmp_path / "config" / "edgebot.toml"
    write_changes(file, CHANGES[:1])
    assert file.read_text() == '[audio]\nmicrophone = "USB PnP: Audio"\n'
    assert [path.name for path in file.parent.iterdir()] == ["edgebot.toml"]


def test_a_file_keeps_its_rights_and_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "mine.toml", tmp_path / "link.toml"
    file.write_text(MINE)
    file.chmod(0o640)
    link.symlink_to(file)
    write_changes(link, CHANGES)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert "respeaker-2mic" in file.read_text()


def test_a_broken_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[audio\n")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        write_changes(file, CHANGES)
    assert file.read_text() == "[audio\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_changes(tmp_path / "config" / "edgebot.toml", CHANGES)


@given(st.sampled_from(["audio", "turn"]), st.sampled_from(["a", "b"]), st.integers(0, 9))
def test_written_twice_is_written_once(section: str, name: str, value: int) -> None:
    changes = [Change(f"{section}.{name}", value)]
    once = with_changes(MINE, changes)
    assert with_changes(once, changes) == once
    assert tomllib.loads(once)[section][name] == value
