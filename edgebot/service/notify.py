"""What systemd is told: that it is ready, what it does, that it lives, that it stops."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping

Send = Callable[[str], object]


def _nobody(message: str) -> None:
    """Take a message that nobody waits for."""


class Notifier:
    """The service's side of systemd's notification protocol, sd_notify(3).

    Where nobody has started it as a service, nothing happens.
    """

    def __init__(self, send: Send = _nobody, *, watchdog_s: float = 0.0) -> None:
        """Name who is told.

        Args:
            send: Takes the lines of one message.
            watchdog_s: From so long without `alive` on, systemd restarts it; 0.0 is never.
        """
        self._send = send
        self.watchdog_s = watchdog_s

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """Return a notifier for whoever started this process."""
        if not environment.get("NOTIFY_SOCKET"):
            return cls()
        import systemd.daemon as daemon

        is_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit_us = environment.get("WATCHDOG_USEC", "0") if is_for_us else "0"
        return cls(daemon.notify, watchdog_s=int(limit_us) / 1e6)

    def ready(self, status: str) -> None:
        """Say that it has started, or has read its settings again."""
        self._tell("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Say in one line what it does."""
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        """Say that it has made progress."""
        if self.watchdog_s:
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that it reads its settings again; `ready` ends that."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Say that it stops."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        # A socket that is gone comes back with systemd; the conversation does not wait for it.
        with contextlib.suppress(OSError):
            self._send("\n".join(lines))
