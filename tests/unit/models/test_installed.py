"""A user's own model, which no manifest describes."""

from pathlib import Path

import pytest

from edgebot.errors import BrokenModelError, MissingModelError
from edgebot.models.installed import check, local_model, verify


def test_a_file_is_its_own_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF")
    mine = local_model("llm", "llama_cpp", path, "en")
    assert mine.path == path
    assert mine.folder == tmp_path
    assert mine.size_bytes == 4
    assert mine.manifest is None
    assert (mine.model.role, mine.model.engine, mine.model.language) == ("llm", "llama_cpp", "en")
    check(mine)
    verify(mine)


def test_a_folder_is_its_own_model(tmp_path: Path) -> None:
    (tmp_path / "am").mkdir()
    (tmp_path / "am" / "final.mdl").write_bytes(b"mdl")
    mine = local_model("stt", "vosk", tmp_path, "de")
    assert mine.path == tmp_path
    assert mine.size_bytes == 3
    check(mine)


def test_nothing_there_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"There is no model at .*/no; correct tts.model"):
        local_model("tts", "piper", tmp_path / "no", "en")
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"x")
    mine = local_model("tts", "piper", path, "en")
    path.unlink()
    with pytest.raises(MissingModelError, match="There is no model at"):
        check(mine)


def test_an_empty_model_is_broken(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(BrokenModelError, match="is an empty file"):
        check(local_model("llm", "llama_cpp", tmp_path / "empty.gguf", "en"))
    with pytest.raises(BrokenModelError, match="is empty; put the model into it"):
        check(local_model("stt", "vosk", tmp_path / "folder", "en"))
