"""GPIO lines as the kernel lists them: which chip, how many, and who uses each.

The structures are those of Linux's `linux/gpio.h`, version 2 of its interface.
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

_CHIP = struct.Struct("=32s32sI")
_GET_CHIP = 0x8044B401
_LINE = struct.Struct("=32s32sIIQ160s16s")
_GET_LINE = 0xC100B405
_IN_USE = 1


@dataclass(frozen=True)
class Chip:
    """One GPIO chip.

    Attributes:
        path: Its device.
        label: What its driver calls it.
        users: For each line, what its user calls itself; None for a free line.
    """

    path: Path
    label: str
    users: tuple[str | None, ...]


def read_chip(path: Path) -> Chip:
    """Ask a chip for its lines; this takes none of them.

    Raises:
        OSError: It may not be opened, or is no GPIO chip.
    """
    device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        told = fcntl.ioctl(device, _GET_CHIP, bytes(_CHIP.size))
        _, label, count = _CHIP.unpack(told)
        return Chip(path, _text(label), tuple(_user(device, line) for line in range(count)))
    finally:
        os.close(device)


def _user(device: int, line: int) -> str | None:
    asked = _LINE.pack(b"", b"", line, 0, 0, b"", b"")
    _, user, _, _, flags, _, _ = _LINE.unpack(fcntl.ioctl(device, _GET_LINE, asked))
    return (_text(user) or "the kernel") if flags & _IN_USE else None


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")
