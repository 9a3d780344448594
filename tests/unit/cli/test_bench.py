"""What bench refuses and prints; what it measures is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgebot.bench.compare import Compared
from edgebot.cli.bench_tables import show, show_compared
from edgebot.cli.console import out

from .conftest import Command


def figures(scale: float) -> dict[str, float]:
    return {
        "first": 0.9 * scale,
        "p50": scale,
        "p95": 1.1 * scale,
        "worst": 1.2 * scale,
        "count": 20,
    }


REPORT: dict[str, Any] = {
    "edgebot": "0.1.0",
    "processor": "A processor",
    "cores": 4,
    "memory_mb": 7900,
    "models": {"stt": "ear", "llm": "mind", "tts": "voice"},
    "turns": {
        "asked": 20,
        "answered": 19,
        "cut_short": 1,
        "withdrawn": 2,
        "stages": {"end of turn": figures(0.5), "first sound": figures(1.0)},
        "spoken_s": 61.4,
        "underruns": 3,
        "longest_underrun_s": 0.1,
        "busy_cores": 0.456,
        "heat": {"temperature_c": 61.0, "slowed_down_by": ["throttled"]},
        "questions": [],
    },
    "floor": {
        "parts": {
            name: figures(0.1) for name in ("hold_s", "stt_s", "read_s", "write_s", "voice_s")
        },
        "floor_s": figures(0.5),
        "ratio": figures(2.0),
        "ratio_to_least": figures(3.0),
    },
    "engines": {
        "tokens_per_s": {"bare": 70.0, "thinking": {"mean": 69.3, "ratio": 0.99}},
        "first_sounds": [{"sound_s": 4.3, "whole_s": 0.2, "windows_s": 0.05, "ratio": 0.25}],
        "stt": {"bare": 0.05, "house": 0.06, "ratio": 1.2},
        "tts": {"bare": 0.05, "house": 0.04, "ratio": 0.8},
    },
    "idle": {
        "ready_s": 2.5,
        "asleep_cores": 0.03,
        "awake_cores": 0.1,
        "wake_alone_cores": 0.01,
        "memory": {"own_mb": 280.0, "mapped_mb": 272.0},
        "memory_by_engine": {"stt": {"own_mb": 79.0, "mapped_mb": 61.0}},
        "heat": {"temperature_c": None, "slowed_down_by": []},
    },
}


def test_everything_that_was_measured_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(REPORT)
    said = capsys.readouterr().out
    for text in (
        "A processor, 4 cores, 7900 MB; ear, mind, voice",
        "19 of 20 answered",
        "1 cut short, 2 answers withdrawn, 3 underruns of 0.10 s at most in 61 s of speech, "
        "0.46 cores busy, 61 °C",
        "slowed down: throttled",
        "measured to floor",
        "tokens/s, thinking",
        "first sound of 4.3 s",
        "ready after 2.50 s",
        "idle asleep 0.030 of a core (the wake word engine alone 0.010), awake 0.100\n",
        "all, asleep",
    ):
        assert text in said
    assert "tokens/s, speaking" not in said
    row = next(line for line in said.splitlines() if "first sound " in line and "0.90" in line)
    assert [cell.strip() for cell in row.split("│")[2:6]] == ["0.90", "1.00", "1.10", "1.20"]


def test_a_part_alone_is_shown_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show({name: REPORT[name] for name in ("processor", "cores", "memory_mb", "models", "idle")})
    said = capsys.readouterr().out
    assert "answered" not in said
    assert "bare" not in said


def test_ratios_to_an_older_report(capsys: pytest.CaptureFixture[str]) -> None:
    show_compared([Compared("turns.a", 2.0, 1.0), Compared("b", 0.0, 1.0)], out)
    rows = [line.split("│")[1:5] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["turns.a", "2", "1", "0.50"],
        ["b", "0", "1", ""],
    ]


def test_what_is_no_report_is_refused(edgebot: Command, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "broken.json").write_text("{")
    for name in ("other.json", "broken.json"):
        ran = edgebot("bench", "--compare", name)
        assert ran.code == 2
        assert "is not what edgebot bench --json prints" in " ".join(ran.err.split())
    assert edgebot("bench", "--compare", "none.json").code == 2


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(
    edgebot: Command,
) -> None:
    assert "draws the turns" in edgebot("bench", "--only", "idle", "--plot", "a.svg").err
    assert "no folder" in edgebot("bench", "--plot", "none/a.svg").err


def test_without_models_one_sentence_says_so(edgebot: Command, tmp_path: Path) -> None:
    ran = edgebot("bench")
    assert (ran.code, ran.out) == (5, "")
    assert "models pull" in ran.err
    assert "Traceback" not in ran.err
