"""What this process takes of the machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edgebot.service.vitals import temperature_c, throttled

_STATM = Path("/proc/self/statm")
_STAT = Path("/proc/stat")
# Of the first line: user, nice, system, idle, waiting for a disk, interrupts (2), stolen by others.
_BUSY = (0, 1, 2, 5, 6, 7)


@dataclass(frozen=True)
class Memory:
    """Memory that is resident.

    Attributes:
        own_mb: What nothing could bring back from a file.
        mapped_mb: Pages of files, such as weights and libraries: the kernel drops them for others.
    """

    own_mb: float
    mapped_mb: float


def memory(file: Path = _STATM) -> Memory:
    """Return what this process keeps in memory."""
    fields = file.read_text(encoding="ascii").split()
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    resident, shared = int(fields[1]) * page, int(fields[2]) * page
    return Memory(resident - shared, shared)


def busy_s(file: Path = _STAT) -> float:
    """Return the seconds that all processors together have been busy since the start."""
    fields = file.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    return sum(int(fields[place]) for place in _BUSY) / os.sysconf("SC_CLK_TCK")


class Share:
    """How much of the processors this process takes during a `with` block.

    Attributes:
        cores: 0.5 is half of one core.
        others_cores: What everything else took meanwhile.
        seconds: How long the block took.
    """

    cores = others_cores = seconds = 0.0

    def __enter__(self) -> Self:
        self._began_s, self._cpu_s = time.monotonic(), time.process_time()
        self._busy_s = busy_s()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.monotonic() - self._began_s
        took_s = max(self.seconds, 1e-9)
        self.cores = (time.process_time() - self._cpu_s) / took_s
        self.others_cores = max(0.0, (busy_s() - self._busy_s) / took_s - self.cores)


def heat() -> dict[str, object]:
    """Return the temperature, None where nothing tells it, and what slows a Raspberry Pi down."""
    return {"temperature_c": temperature_c(), "slowed_down_by": throttled()}
