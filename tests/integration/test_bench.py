"""edgebot bench with real engines: two questions in real time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebot.bench import questions
from edgebot.bench.run import TURNS, Watcher, measure
from edgebot.config import Settings


def test_two_questions_are_measured_and_compared_with_the_bare_engines(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    heard: list[str] = []
    report = measure(
        make_settings(),
        questions.choose(2),
        Watcher(asked=lambda one: heard.append(one.heard)),
        parts=[TURNS],
    )
    turns, floor = report["turns"], report["floor"]
    assert len(heard) == 2
    assert (turns["asked"], turns["answered"]) == (2, 2)
    # What is later in a turn is never earlier: the clock is the same at both ends.
    for row in turns["questions"]:
        times = row["times_s"]
        order = ("first token", "first clause", "first audio", "first sound")
        assert sorted(times[stage] for stage in order) == [times[stage] for stage in order]
        # Silence is waited for before a turn ends.
        assert times["end of turn"] > 0.2
        assert 0 < row["answer_s"] < 30
    for part in floor["parts"].values():
        assert part["worst"] > 0
    assert floor["floor_s"]["worst"] > floor["parts"]["hold_s"]["worst"]
    assert json.loads(json.dumps(report)) == report
