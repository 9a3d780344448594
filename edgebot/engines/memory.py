"""Memory: what nobody needs any more goes back to the system, what stays is not looked at again."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
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


def keep_from_collector() -> None:
    """Let Python's garbage collector look no more at what is there by now.

    Now and then it stops everything while it looks at all there is: 60 ms on a fast processor,
    half a second on a slow one, and the speaker has 80 ms of sound.
    """
    if gc.get_freeze_count():
        # Other engines were loaded before; what is left of them may go.
        gc.unfreeze()
        gc.collect()
    else:
        # At the end of the program all of it is to go; libraries complain of what does not.
        atexit.register(gc.unfreeze)
    gc.freeze()
