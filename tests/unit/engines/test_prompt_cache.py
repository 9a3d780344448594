"""An evaluated prompt is found again, or not at all: never another one's, never a broken one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgebot.engines import prompt_cache
from edgebot.engines.prompt_cache import PromptCache

TOKENS = [1, 2, 300_000]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "prompts"


@pytest.fixture
def cache(folder: Path) -> PromptCache:
    return PromptCache(folder, "model 1")


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_is_written_is_read(cache: PromptCache, folder: Path) -> None:
    assert cache.read(TOKENS) is None
    assert not folder.exists()
    cache.write(TOKENS, b"state")
    assert cache.read(TOKENS) == b"state"
    assert PromptCache(folder, "model 1").read(TOKENS) == b"state"


@pytest.mark.parametrize("tokens", [[], [1, 2], [1, 2, 300_000, 4], [1, 2, 300_001], [2, 1]])
def test_another_prompt_finds_nothing(cache: PromptCache, tokens: list[int]) -> None:
    cache.write(TOKENS, b"state")
    assert cache.read(tokens) is None


def test_another_model_finds_nothing(cache: PromptCache, folder: Path) -> None:
    cache.write(TOKENS, b"state")
    assert PromptCache(folder, "model 2").read(TOKENS) is None


@pytest.mark.parametrize("kept_bytes", [0, 5, 17, 30, 48, 49, 53])
def test_a_file_cut_short_is_none(cache: PromptCache, folder: Path, kept_bytes: int) -> None:
    cache.write(TOKENS, b"state")
    whole = only_file(folder).read_bytes()
    assert len(whole) == 54
    only_file(folder).write_bytes(whole[:kept_bytes])
    assert cache.read(TOKENS) is None
    cache.write(TOKENS, b"anew")
    assert cache.read(TOKENS) == b"anew"


def test_any_flipped_bit_is_noticed(cache: PromptCache, folder: Path) -> None:
    cache.write(TOKENS, b"state")
    whole = only_file(folder).read_bytes()
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1
        only_file(folder).write_bytes(broken)
        assert cache.read(TOKENS) is None, place


def test_a_file_that_cannot_be_read_is_none(cache: PromptCache, folder: Path) -> None:
    cache.write(TOKENS, b"state")
    file = only_file(folder)
    file.unlink()
    file.mkdir()
    assert cache.read(TOKENS) is None


def test_a_folder_that_cannot_be_written_to_says_so(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file in the way")
    with pytest.raises(FileExistsError):
        PromptCache(folder, "model 1").write(TOKENS, b"state")
    assert PromptCache(folder, "model 1").read(TOKENS) is None


def test_the_oldest_make_room(
    cache: PromptCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(prompt_cache.MOST_FILES):
        cache.write([number], b"state")
        for file in folder.iterdir():
            # Everything before is older, whatever the clock's grain.
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))
    assert cache.read([0]) == b"state"  # and is the youngest by that
    cache.write([100], b"state")
    kept = [n for n in (*range(prompt_cache.MOST_FILES), 100) if cache.read([n])]
    assert kept == [0, 2, 3, 100]


def test_too_many_bytes_make_room_too(
    cache: PromptCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_cache, "MOST_BYTES", 500)
    cache.write([1], bytes(300))
    os.utime(only_file(folder), ns=(0, 0))
    cache.write([2], bytes(300))
    assert cache.read([1]) is None
    assert cache.read([2]) == bytes(300)
    # One that is too big by itself is kept: it is the one that is in use.
    cache.write([3], bytes(5000))
    assert cache.read([3]) == bytes(5000)


def test_what_a_crash_left_is_swept_away(cache: PromptCache, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "x.123.part").write_bytes(b"half")
    cache.write(TOKENS, b"state")
    assert only_file(folder).suffix == ".prompt"
