"""How the machine and this process are: heat, throttling, memory."""

from __future__ import annotations

import os
from pathlib import Path

_TEMPERATURE = Path("/sys/class/thermal/thermal_zone0/temp")
# The Raspberry Pi's firmware tells here, in hexadecimal, what `vcgencmd get_throttled` prints.
_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_THROTTLED_NOW = {
    0: "the power supply is too weak",
    1: "slowed down",
    2: "throttled",
    3: "slowed down by heat",
}
_MEMORY = Path("/proc/self/statm")


def temperature_c(file: Path = _TEMPERATURE) -> float | None:
    """Return the processor's temperature, or None where it has no sensor."""
    try:
        return round(int(file.read_text(encoding="ascii")) / 1000, 1)
    except (OSError, ValueError):
        return None


def throttled(file: Path = _THROTTLED) -> list[str]:
    """Return what slows a Raspberry Pi down at this moment, in words."""
    try:
        bits = int(file.read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return []
    return [text for bit, text in _THROTTLED_NOW.items() if bits >> bit & 1]


def memory_bytes(file: Path = _MEMORY) -> int:
    """Return how much memory this process keeps that nothing could bring back from a file."""
    # Models are mapped: the kernel drops those pages when it needs room.
    fields = file.read_text(encoding="ascii").split()
    resident, shared = int(fields[1]), int(fields[2])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
