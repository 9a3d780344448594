"""The kernel's structures, as a made-up chip fills them in."""

from __future__ import annotations

import fcntl
import struct
from pathlib import Path

import pytest

from edgebot.doctor.lines import Chip, read_chip


def test_a_chip_tells_its_lines_and_their_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(device: int, request: int, asked: bytes) -> bytes:
        if request == 0x8044B401:  # GPIO_GET_CHIPINFO_IOCTL
            return struct.pack("=32s32sI", b"gpiochip0", b"pinctrl-rp1", 3)
        assert request == 0xC100B405  # GPIO_V2_GET_LINEINFO_IOCTL
        line = struct.unpack_from("=I", asked, 64)[0]
        user, flags = [(b"", 4), (b"lg", 5), (b"", 1)][line]
        return struct.pack("=32s32sIIQ176x", b"GPIO", user, line, 0, flags)

    monkeypatch.setattr(fcntl, "ioctl", answer)
    file = tmp_path / "gpiochip0"
    file.touch()
    assert read_chip(file) == Chip(file, "pinctrl-rp1", (None, "lg", "the kernel"))


def test_a_file_is_no_chip(tmp_path: Path) -> None:
    file = tmp_path / "gpiochip0"
    file.touch()
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        read_chip(file)
