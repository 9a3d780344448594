"""The most memory that the process may keep before it is renewed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgebot import machine
from edgebot.service import vitals
from edgebot.state import AssistantState, Facts

# What the rest of the system wants of a small machine.
SHARE = 0.6
CHECK_EVERY_S = 30.0
# So long nobody has spoken to it.
QUIET_S = 20.0
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_IDLE = {
    AssistantState.ASLEEP,
    AssistantState.LISTENING,
    AssistantState.MUTED,
    AssistantState.FAULT,
}


def derived_limit_bytes(machine_bytes: int | None = None, cgroup_file: Path = _CGROUP_LIMIT) -> int:
    """Return the limit for this machine: a share of its memory, or of its container's."""
    memory = machine.memory_bytes() if machine_bytes is None else machine_bytes
    with suppress(OSError, ValueError):  # "max" is no limit
        memory = min(memory, int(cgroup_file.read_text(encoding="ascii")))
    return int(memory * SHARE)


class Ceiling:
    """Tells when the process should be renewed: above the limit, and nobody would notice."""

    def __init__(
        self,
        limit_mb: int,
        *,
        used_bytes: Callable[[], int] = vitals.memory_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the limit.

        Args:
            limit_mb: Megabytes; 0 is derived from the machine.
            used_bytes: Tells what the process keeps.
            clock: Seconds.
        """
        self.limit(limit_mb)
        self._used_bytes = used_bytes
        self._clock = clock
        self._quiet_since: float | None = None
        self.used_bytes = 0

    def limit(self, limit_mb: int) -> None:
        """Set the limit in megabytes; 0 is derived from the machine."""
        self.limit_bytes = limit_mb << 20 if limit_mb else derived_limit_bytes()

    def know(self, facts: Facts) -> None:
        """Take note of what the assistant is doing."""
        if facts.state not in _IDLE or facts.connected:
            self._quiet_since = None
        elif self._quiet_since is None or facts.state is AssistantState.LISTENING:
            # Listening begins anew with each answer that has ended.
            self._quiet_since = self._clock()

    def is_due(self) -> bool:
        """Measure, and tell whether to renew the process now."""
        self.used_bytes = self._used_bytes()
        if self.used_bytes <= self.limit_bytes or self._quiet_since is None:
            return False
        return self._clock() - self._quiet_since >= QUIET_S
