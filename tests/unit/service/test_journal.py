"""Few lines, each with its fields."""

from __future__ import annotations

import pytest

from edgebot.service.journal import LINES_A_MINUTE, Journal, Priority

from .parts import Keeper


def test_a_line_has_its_fields() -> None:
    keeper = Keeper()
    fields = {"state": "asleep", "turn": 3, "nothing": None}
    Journal(keeper.send, clock=keeper.clock).line("It is.", priority=Priority.ERROR, fields=fields)
    assert keeper.lines == [
        (
            "It is.",
            {
                "PRIORITY": "3",
                "SYSLOG_IDENTIFIER": "edgebot",
                "EDGEBOT_STATE": "asleep",
                "EDGEBOT_TURN": "3",
            },
        )
    ]


def test_the_same_line_is_written_once_a_minute() -> None:
    keeper = Keeper()
    journal = Journal(keeper.send, clock=keeper.clock)
    for _ in range(100):
        journal.line("lost")
        keeper.now_s += 1
    assert keeper.texts == ["lost", "lost"]
    assert keeper.lines[1][1]["EDGEBOT_LEFT_OUT"] == "59"


def test_a_storm_is_held_down() -> None:
    keeper = Keeper()
    journal = Journal(keeper.send, clock=keeper.clock)
    for number in range(3600 * 10):
        journal.line(f"line {number}")
        keeper.now_s += 0.1
    assert len(keeper.lines) <= 60 * LINES_A_MINUTE
    size = sum(len(text) + sum(map(len, fields.values())) for text, fields in keeper.lines)
    assert size < 1_000_000


def test_lines_reach_systemds_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    import systemd.journal

    from edgebot.service.journal import to_journal

    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(systemd.journal, "send", lambda text, **fields: sent.append((text, fields)))
    to_journal("It is.", EDGEBOT_TURN="1")
    assert sent == [("It is.", {"EDGEBOT_TURN": "1"})]
