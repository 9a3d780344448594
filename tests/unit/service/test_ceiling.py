"""When the process is renewed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.service.ceiling import QUIET_S, Ceiling, derived_limit_bytes
from edgebot.state import Facts

from .parts import Keeper

ASLEEP = Facts(started=True)
LISTENING = Facts(started=True, awake=True)
SPEAKING = Facts(started=True, awake=True, speaking=True)


@pytest.mark.parametrize(
    ("container", "limit"), [(None, 600), ("max\n", 600), ("500\n", 300), ("5000\n", 600)]
)
def test_the_limit_follows_from_the_machine(
    tmp_path: Path, container: str | None, limit: int
) -> None:
    file = tmp_path / "memory.max"
    if container is not None:
        file.write_text(container)
    assert derived_limit_bytes(1000, file) == limit


def test_the_limit_can_be_set() -> None:
    ceiling = Ceiling(0)
    assert ceiling.limit_bytes == derived_limit_bytes()
    ceiling.limit(7)
    assert ceiling.limit_bytes == 7 << 20


@pytest.mark.parametrize(
    ("facts", "used_mb", "quiet_s", "is_due"),
    [
        ([ASLEEP], 101, QUIET_S, True),
        ([ASLEEP], 100, QUIET_S, False),
        ([ASLEEP], 101, QUIET_S - 1, False),
        ([LISTENING], 101, QUIET_S, True),
        ([SPEAKING], 101, QUIET_S, False),
        ([ASLEEP, SPEAKING], 101, QUIET_S, False),
        ([SPEAKING, ASLEEP], 101, QUIET_S, True),
        ([Facts()], 101, QUIET_S, False),
        # Its microphone is closed while somebody calls.
        ([Facts(started=True, muted=True, connected=True)], 101, QUIET_S, False),
    ],
)
def test_it_is_renewed_when_nobody_notices(
    facts: list[Facts], used_mb: int, quiet_s: float, is_due: bool
) -> None:
    keeper = Keeper(used_bytes=used_mb << 20)
    ceiling = Ceiling(100, used_bytes=lambda: keeper.used_bytes, clock=keeper.clock)
    assert not ceiling.is_due()
    for each in facts:
        keeper.now_s += 100
        ceiling.know(each)
    keeper.now_s += quiet_s
    assert ceiling.is_due() is is_due
    assert ceiling.used_bytes == used_mb << 20
