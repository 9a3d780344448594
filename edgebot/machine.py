"""What this machine can do."""

from __future__ import annotations

import os
from pathlib import Path


def memory_bytes() -> int:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def computes_fast() -> bool:
    """Tell whether this machine's processor is fast; see `is_fast`."""
    return is_fast(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))


def is_fast(cpu_info: str) -> bool:
    """Tell whether a processor computes quickly enough for more than the smallest models.

    An ARM without the dot product instruction, such as a Raspberry Pi 4, does not.

    Args:
        cpu_info: What `/proc/cpuinfo` holds.
    """
    arm = [line for line in cpu_info.splitlines() if line.startswith("Features")]
    return not arm or "asimddp" in arm[0].split()
