"""Memory, disk, processor, temperature and power."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from edgebot.doctor.finding import Finding
from edgebot.doctor.tree import board_name, fields, is_raspberry_pi, read_text
from edgebot.machine import is_fast
from edgebot.models.room import RESERVE_BYTES, FreeBytes, free_bytes, megabytes

# Python, Pipecat and the voice detector before any model is loaded, about.
PROGRAM_BYTES = 250_000_000
# A Raspberry Pi slows down at 80 degrees and more so at 85.
WARM_C = 75.0
HOT_C = 80.0
LOW_DISK_BYTES = 500_000_000
_THROTTLED_FILE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_THROTTLED = {
    0: ("the voltage is too low", "use the power supply that is made for this board"),
    1: ("the processor's clock is capped", "give it a better power supply and cooling"),
    2: ("the processor is slowed down", "give it a better power supply and cooling"),
    3: ("the processor is near its heat limit", "give it a heat sink or a fan"),
}


def check_memory(root: Path, models_bytes: int) -> Finding:
    """Compare the memory with what the chosen models need.

    Args:
        root: The tree's root.
        models_bytes: What the models take together; 0 where they are not known.
    """
    sizes = {
        name: int(value.split()[0]) * 1024
        for name, value in fields(read_text(root / "proc/meminfo") or "")
        if value.endswith(" kB")
    }
    total, free = sizes.get("MemTotal"), sizes.get("MemAvailable")
    if total is None or free is None:
        return Finding("skipped", "memory", "This machine does not tell how much memory it has.")
    have = f"{megabytes(total)}, of which {megabytes(free)} are free"
    if not models_bytes:
        return Finding("ok", "memory", f"{have}.")
    need = models_bytes + PROGRAM_BYTES
    text = f"{have}; the models and edgebot need about {megabytes(need)}."
    if need > total:
        return Finding("fault", "memory", text, 'Set models.set to "tiny" and pull it.')
    if need > free:
        return Finding("warning", "memory", text, "End other programs before you start edgebot.")
    return Finding("ok", "memory", text)


def check_disk(folder: Path, *, free: FreeBytes = free_bytes) -> Finding:
    """Tell how much room the models' disk has."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    have = free(there)
    text = f"{megabytes(have)} are free where the models are ({folder})."
    if have < RESERVE_BYTES:
        return Finding("fault", "disk", text, "Make room: neither logs nor models fit.")
    if have < LOW_DISK_BYTES:
        return Finding("warning", "disk", text, "Make room before you pull other models.")
    return Finding("ok", "disk", text)


def check_processor(root: Path) -> Finding:
    """Tell what computes here, and whether it is fast."""
    text = read_text(root / "proc/cpuinfo") or ""
    lines = list(fields(text))
    cores = sum(name == "processor" for name, _ in lines)
    model = next((value for name, value in lines if name == "model name"), "")
    name = board_name(root) or model or "An unknown processor"
    said = f"{name}, {cores} core{'' if cores == 1 else 's'}"
    if not is_fast(text):
        return Finding(
            "warning",
            "processor",
            f"{said}, without the dot product instruction.",
            'Answers take longer here: models.set "small" or "tiny" serves best.',
        )
    if cores < 2:
        advice = 'Answers take long on one core: models.set "tiny" serves best.'
        return Finding("warning", "processor", f"{said}.", advice)
    return Finding("ok", "processor", f"{said}.")


def check_temperature(root: Path) -> Finding:
    """Tell how hot the processor is."""
    found = [
        int(text) / 1000
        for zone in (root / "sys/class/thermal").glob("thermal_zone*")
        if "cpu" in (kind := read_text(zone / "type") or "") or "pkg" in kind
        if (text := read_text(zone / "temp") or "").lstrip("-").isdecimal()
    ]
    if not found:
        return Finding("skipped", "temperature", "This machine does not tell its temperature.")
    hottest = max(found)
    text = f"The processor has {hottest:.0f} °C."
    if hottest >= HOT_C:
        return Finding("fault", "temperature", text, "It slows down: add a heat sink or a fan.")
    if hottest >= WARM_C:
        return Finding("warning", "temperature", text, "From 80 °C on it slows down: cool it.")
    return Finding("ok", "temperature", text)


def ask_firmware() -> str | None:
    """Return what `vcgencmd get_throttled` says, or None where there is no such program."""
    if shutil.which("vcgencmd") is None:
        return None
    command = ["vcgencmd", "get_throttled"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.partition("=")[2].strip() or None


def check_power(root: Path, ask: Callable[[], str | None] = ask_firmware) -> Finding:
    """Tell whether the firmware has slowed the processor down, and why."""
    if not is_raspberry_pi(root):
        return Finding("skipped", "power", "This is not a Raspberry Pi: nothing tells.")
    said = read_text(root / _THROTTLED_FILE) or ask() or ""
    try:
        bits = int(said, 16)
    except ValueError:
        return Finding("skipped", "power", "The firmware does not tell whether it slows down.")
    now = [bit for bit in _THROTTLED if bits >> bit & 1]
    if now:
        said = ", ".join(_THROTTLED[bit][0] for bit in now)
        return Finding("fault", "power", f"At this moment {said}.", _advice(now))
    before = [bit for bit in _THROTTLED if bits >> (bit + 16) & 1]
    if before:
        said = ", ".join(_THROTTLED[bit][0].replace(" is ", " was ") for bit in before)
        return Finding("warning", "power", f"Since it was started, {said}.", _advice(before))
    return Finding("ok", "power", "Voltage and clock have been right since it was started.")


def _advice(bits: list[int]) -> str:
    advice = _THROTTLED[bits[0]][1]
    return f"{advice[0].upper()}{advice[1:]}."
