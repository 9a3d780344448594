"""What is given back is gone from memory, and nothing that is needed is lost."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import psutil
import pytest

from edgebot.engines.memory import let_go, trim

SIZE = 64 * mmap.PAGESIZE
BLOCK_BYTES = 64 << 10


def resident_kb(path: Path) -> int:
    """Return how much of a mapped file is in this process's memory."""
    found, is_it = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            is_it = line.endswith(str(path))
        elif is_it and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def mapped(path: Path, access: int) -> mmap.mmap:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * SIZE)
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=access)
    assert pages[:] == b"x" * SIZE
    return pages


def test_a_file_that_was_only_read_is_let_go_and_can_be_read_again(tmp_path: Path) -> None:
    inside, outside = tmp_path / "model/weights", tmp_path / "model too/weights"
    pages, others = mapped(inside, mmap.ACCESS_READ), mapped(outside, mmap.ACCESS_READ)
    assert resident_kb(inside) == SIZE // 1024
    let_go(tmp_path / "model")
    assert (resident_kb(inside), resident_kb(outside)) == (0, SIZE // 1024)
    assert pages[:] == others[:] == b"x" * SIZE


def test_what_was_written_stays(tmp_path: Path) -> None:
    pages = mapped(tmp_path / "model/weights", mmap.ACCESS_COPY)
    pages[:5] = b"wrote"
    let_go(tmp_path / "model")
    assert pages[:6] == b"wrotex"


def test_what_was_freed_goes_back_to_the_system() -> None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("this C library has no malloc_trim")
    libc.malloc.restype = ctypes.c_void_p
    # Too small to be mapped one by one, and the last one keeps the heap from shrinking by itself.
    blocks = [libc.malloc(ctypes.c_size_t(BLOCK_BYTES)) for _ in range(1000)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK_BYTES)
    for block in blocks[:-1]:
        libc.free(ctypes.c_void_p(block))
    before = psutil.Process().memory_info().rss
    trim()
    assert before - psutil.Process().memory_info().rss > 500 * BLOCK_BYTES
    libc.free(ctypes.c_void_p(blocks[-1]))
