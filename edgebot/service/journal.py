"""Lines for the journal, with fields for programs; words that were spoken only if wished for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Protocol

# An SD card takes a megabyte an hour without harm; a fault that comes and goes would write more.
LINES_A_MINUTE = 30
SAME_LINE_AFTER_S = 60.0


class Priority(IntEnum):
    """How grave a line is, as in syslog(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


class Send(Protocol):
    """What takes a line: `systemd.journal.send`, or something that prints."""

    def __call__(self, message: str, /, **fields: str) -> object: ...


def to_journal(message: str, /, **fields: str) -> None:
    """Send a line to systemd's journal."""
    import systemd.journal as journal

    journal.send(message, **fields)


class Journal:
    """Writes few lines, each with what a program may look for.

    Its fields begin with `EDGEBOT_`: `journalctl -u edgebot -o json` shows them.
    """

    def __init__(self, send: Send, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Name who takes the lines.

        Args:
            send: Takes a line and its fields.
            clock: Seconds.
        """
        self._send = send
        self._clock = clock
        self._written_at: deque[float] = deque(maxlen=LINES_A_MINUTE)
        self._same_after: dict[str, float] = {}
        self._left_out = 0

    def line(
        self,
        message: str,
        *,
        priority: Priority = Priority.INFO,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """Write a line, unless the same or too many others were written a moment ago.

        Args:
            message: One sentence.
            priority: How grave it is.
            fields: Go along under their names in capitals after `EDGEBOT_`; None values do not.
        """
        now = self._clock()
        if not self._may_write(message, now):
            self._left_out += 1
            return
        named = {
            f"EDGEBOT_{name.upper()}": str(value)
            for name, value in (fields or {}).items()
            if value is not None
        }
        if self._left_out:
            named["EDGEBOT_LEFT_OUT"] = str(self._left_out)
            self._left_out = 0
        self._written_at.append(now)
        self._send(message, PRIORITY=str(int(priority)), SYSLOG_IDENTIFIER="edgebot", **named)

    def _may_write(self, message: str, now: float) -> bool:
        self._same_after = {text: at for text, at in self._same_after.items() if at > now}
        if message in self._same_after:
            return False
        is_full = len(self._written_at) == LINES_A_MINUTE
        if is_full and now - self._written_at[0] < 60.0:
            return False
        self._same_after[message] = now + SAME_LINE_AFTER_S
        return True
