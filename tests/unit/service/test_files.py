"""Small files come in one piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.service.files import write_whole


@pytest.mark.parametrize("is_lasting", [False, True])
def test_a_file_is_replaced_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_lasting: bool
) -> None:
    file = tmp_path / "file"
    write_whole(file, "old", mode=0o640)
    replaced = Path.replace
    seen: list[tuple[str, str]] = []

    def replace(self: Path, target: Path) -> Path:
        seen.append((self.read_text(), Path(target).read_text()))
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    write_whole(file, "new", mode=0o640, is_lasting=is_lasting)
    assert seen == [("new", "old")]
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_fault_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_whole(file, "old")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
