"""Reads what the kernel says of itself under /proc, /sys and /dev.

Every function takes the root of the tree, so that a folder can stand for a machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


def read_text(path: Path) -> str | None:
    """Return a file's text without the zero byte or white space at its end, or None."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\0 \n")
    except OSError:
        return None


def board_name(root: Path) -> str | None:
    """Return what the board calls itself, as in "Raspberry Pi 4 Model B Rev 1.4"; None on a PC."""
    return read_text(root / "proc/device-tree/model") or None


def is_raspberry_pi(root: Path) -> bool:
    """Tell whether the machine is a Raspberry Pi."""
    return "Raspberry Pi" in (board_name(root) or "")


def fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each `name : value` line."""
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


@dataclass(frozen=True)
class Holder:
    """A process that has something open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holders(root: Path, is_it: Callable[[str], bool]) -> list[Holder]:
    """Return the processes that have a file open, as far as this user may see them.

    Args:
        root: The tree's root.
        is_it: Tells from what an open file is called whether it is meant.
    """
    found = []
    for folder in sorted((root / "proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        if any(map(is_it, _open_files(folder))):
            name = read_text(folder / "comm") or "a program"
            found.append(Holder(int(folder.name), name))
    return found


def _open_files(process: Path) -> Iterator[str]:
    # A process may end or close a file meanwhile, and another user's may not be looked at.
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def named(found: list[Holder]) -> str:
    """Write a list of holders for a person."""
    return ", ".join(map(str, found)) or "a program that this user may not see"
