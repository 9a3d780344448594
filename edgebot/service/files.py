"""Small files that are written in one piece."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str, *, mode: int = 0o644, is_lasting: bool = False) -> None:
    """Write a file so that whoever reads it finds the old text or the new one.

    Args:
        path: Where.
        text: All of it.
        mode: Who may read it, whatever the umask.
        is_lasting: Whether it must outlive a power cut.

    Raises:
        OSError: The folder is missing or read-only, or the disk is full; the old file remains.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            if is_lasting:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    if is_lasting:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
