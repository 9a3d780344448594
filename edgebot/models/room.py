"""Room on the disk: asked for before a download, and told in a sentence when it runs out."""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgebot.errors import DiskFullError, ModelError

RESERVE_BYTES = 64_000_000
"""Left free by every pull, so that logs and settings can still be written."""

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Return how much can be written to the file system that holds `folder`."""
    return shutil.disk_usage(folder).free


def require_room(folder: Path, need_bytes: int, what: str, *, free: FreeBytes) -> None:
    """Refuse to begin what would not fit.

    Raises:
        DiskFullError: Less than `need_bytes` and the reserve is free.
    """
    have = free(folder)
    if need_bytes + RESERVE_BYTES > have:
        raise DiskFullError(
            f"{what} needs {megabytes(need_bytes)} more on the disk that holds {folder}, which "
            f"has {megabytes(max(0, have - RESERVE_BYTES))} to spare; make room or set models.dir "
            "to another disk."
        )


@contextmanager
def disk_faults_named(what: str) -> Iterator[None]:
    """Turn what the operating system says of a disk into a sentence.

    Raises:
        DiskFullError: The disk is full, or a quota is used up.
        ModelError: The disk cannot be read or written for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"The disk is full: {what} did not fit; make room or set models.dir to "
                "another disk."
            ) from error
        where = f" at {error.filename}" if error.filename else ""
        raise ModelError(
            f"The disk failed{where} on the way of {what}: {error.strerror or error}."
        ) from error


def megabytes(size_bytes: int) -> str:
    """Write a size for a person."""
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"
