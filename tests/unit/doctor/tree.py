"""A folder that stands for a machine: what the kernel shows under /proc, /sys and /dev."""

from __future__ import annotations

from pathlib import Path

PI_CPU = """processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid{more}

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid{more}

Revision\t: c03114
"""
MEMORY = """MemTotal:        {total_kb} kB
MemFree:          100000 kB
MemAvailable:    {free_kb} kB
HugePages_Total:       0
"""


class FakeMachine:
    """Builds the tree; its methods are what a machine has."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def raspberry_pi(self, name: str = "Raspberry Pi 5 Model B Rev 1.0", dot: bool = True) -> None:
        self.write("proc/device-tree/model", f"{name}\0")
        self.write("proc/cpuinfo", PI_CPU.format(more=" asimddp" if dot else ""))

    def memory(self, total: int, free: int) -> None:
        text = MEMORY.format(total_kb=total // 1024, free_kb=free // 1024)
        self.write("proc/meminfo", text)

    def process(self, pid: int, name: str, *files: str) -> None:
        self.write(f"proc/{pid}/comm", f"{name}\n")
        folder = self.root / f"proc/{pid}/fd"
        folder.mkdir()
        for number, file in enumerate(files):
            (folder / str(number)).symlink_to(file)
