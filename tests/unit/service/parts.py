"""What a service is made of in the tests: real parts with a clock and a machine of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgebot.service.ceiling import Ceiling
from edgebot.service.journal import Journal
from edgebot.service.notify import Notifier
from edgebot.service.service import About, Service


@dataclass
class Keeper:
    """Hears what a service tells: the clock stands until a test moves it."""

    now_s: float = 1000.0
    used_bytes: int = 0
    told: list[str] = field(default_factory=list)
    lines: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def send(self, message: str, /, **fields: str) -> None:
        self.lines.append((message, fields))

    def service(
        self,
        *,
        about: About | None = None,
        watchdog_s: float = 12.0,
        limit_mb: int = 100,
        status_file: Path | None = None,
    ) -> Service:
        return Service(
            about or About("1.2.3", wake="press the button"),
            notifier=Notifier(self.told.append, watchdog_s=watchdog_s),
            journal=Journal(self.send, clock=self.clock),
            ceiling=Ceiling(limit_mb, used_bytes=lambda: self.used_bytes, clock=self.clock),
            status_file=status_file,
            clock=self.clock,
            wall_clock=self.clock,
        )

    @property
    def alive(self) -> int:
        """How often the watchdog was fed."""
        return self.told.count("WATCHDOG=1")

    @property
    def texts(self) -> list[str]:
        return [message for message, _ in self.lines]
