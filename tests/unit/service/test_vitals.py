"""How the machine is, from the kernel's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgebot.service import vitals


def test_the_temperature(tmp_path: Path) -> None:
    file = tmp_path / "temp"
    assert vitals.temperature_c(file) is None
    file.write_text("51234\n")
    assert vitals.temperature_c(file) == 51.2
    file.write_text("\n")
    assert vitals.temperature_c(file) is None


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        ("0", []),
        ("50000", []),  # there was something, but it is over
        ("50005", ["the power supply is too weak", "throttled"]),
        ("8", ["slowed down by heat"]),
    ],
)
def test_what_slows_it_down(tmp_path: Path, bits: str, words: list[str]) -> None:
    file = tmp_path / "get_throttled"
    assert vitals.throttled(file) == []
    file.write_text(f"{bits}\n")
    assert vitals.throttled(file) == words


def test_the_memory_is_what_no_file_could_bring_back(tmp_path: Path) -> None:
    file = tmp_path / "statm"
    file.write_text("9000 700 200 1 0 3000 0\n")
    assert vitals.memory_bytes(file) == 500 * os.sysconf("SC_PAGE_SIZE")
    assert vitals.memory_bytes() > 1 << 20
