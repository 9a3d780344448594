"""Memory that nobody needs any more goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from pathlib import Path


def trim() -> None:
    """Give back what was freed, which glibc keeps of its own accord."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def let_go(folder: Path) -> None:
    """Take the files of a folder out of this process's memory, where a library has mapped them.

    It is for files that were copied when they were loaded; what is read again comes back from the
    disk. Pages that were written to stay.

    Args:
        folder: Holds the files.
    """
    place = f"{folder.resolve()}/"
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        span, rights, _, _, _, *file = line.split(maxsplit=5)
        # A private page that was written to would be lost, and read from the file again.
        if file and file[0].startswith(place) and "w" not in rights:
            start, end = (int(address, 16) for address in span.split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)
