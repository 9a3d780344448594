"""How far a pull has come; the caller shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["download", "unpack", "check"]


@dataclass(frozen=True)
class Progress:
    """One report.

    Attributes:
        model_id: The model at work.
        phase: ``download``, ``unpack`` or ``check``.
        done_bytes: Done in this phase.
        total_bytes: Of this phase; an estimate where the source tells none.
    """

    model_id: str
    phase: Phase
    done_bytes: int
    total_bytes: int


WhenProgress = Callable[[Progress], None]


def no_progress(progress: Progress) -> None:
    """Take a report and do nothing."""
