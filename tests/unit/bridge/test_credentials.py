"""Secrets that come by files."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.bridge.credentials import credential
from edgebot.errors import ConfigError


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "edgebot" / "credentials"
    folder.mkdir(parents=True)
    return folder


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def test_a_secret_comes_from_systemd(tmp_path: Path) -> None:
    # What systemd hands over may be readable by its group, which is nobody.
    write(tmp_path / "key", "abc\n", 0o440)
    assert credential("key", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "abc"


def test_a_secret_comes_from_the_users_folder(own: Path) -> None:
    write(own / "key", "abc")
    assert credential("key", {}) == "abc"


def test_it_need_not_be_there(own: Path) -> None:
    assert credential("key", {}) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_what_others_may_read_is_no_secret(own: Path, mode: int) -> None:
    write(own / "key", "abc", mode)
    told = f"Others may read the secret {own}/key: run `chmod 600 {own}/key`."
    with pytest.raises(ConfigError) as caught:
        credential("key", {})
    assert str(caught.value) == told


@pytest.mark.parametrize(("content", "why"), [(b" \n", "is empty"), (b"\xff", "it is no text")])
def test_what_is_no_secret_is_told_of(own: Path, content: bytes, why: str) -> None:
    write(own / "key", "")
    (own / "key").write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        credential("key", {})
