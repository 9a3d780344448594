"""What a check found: a mark, a sentence, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Mark = Literal["ok", "warning", "fault", "skipped"]


@dataclass(frozen=True)
class Change:
    """A setting that would mend what was found.

    Attributes:
        key: Its dotted key.
        value: What it should be.
    """

    key: str
    value: Any


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        mark: "ok"; "warning": it works, though not as well as it could; "fault": something that is
            asked for does not work; "skipped": there is nothing to check.
        subject: What was looked at, in a word or two.
        text: What was found, in a sentence.
        advice: What to do, in a sentence; "" where there is nothing to do.
        changes: The settings that would mend it.
    """

    mark: Mark
    subject: str
    text: str
    advice: str = ""
    changes: tuple[Change, ...] = ()
