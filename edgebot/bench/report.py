"""What was measured, as a program would read it: names, numbers and nothing else."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import edgebot
from edgebot.bench.figures import figures
from edgebot.bench.stamps import FIRST_SOUND, STAGES
from edgebot.bench.turns import Asked
from edgebot.machine import memory_bytes

Report = dict[str, Any]

_DIGITS = 4


def machine_section(models: Mapping[str, str]) -> Report:
    """Tell what was measured: the machine, the program and its models.

    Args:
        models: The id of each role's model.
    """
    cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = [line.partition(":")[2] for line in cpu_info.splitlines() if "odel name" in line]
    return {
        "edgebot": edgebot.__version__,
        "python": platform.python_version(),
        "processor": names[0].strip() if names else platform.machine(),
        "cores": sum(line.startswith("processor") for line in cpu_info.splitlines()),
        "memory_mb": memory_bytes() // 2**20,
        "models": dict(models),
    }


def turns_section(asked: Sequence[Asked]) -> Report:
    """Tell how long the stages took, over all questions that were answered."""
    answered = [one for one in asked if one.is_answered]
    stages = {}
    for stage in STAGES:
        if values := [one.times_s[stage] for one in answered if stage in one.times_s]:
            stages[stage] = asdict(figures(values))
    gaps_s = [gap_s for one in asked for gap_s in one.gaps_s]
    section: Report = rounded(
        {
            "asked": len(asked),
            "answered": len(answered),
            "cut_short": sum(one.is_cut_short for one in asked),
            "withdrawn": sum(one.withdrawn for one in asked),
            "stages": stages,
            "spoken_s": sum(one.answer_s for one in asked),
            "underruns": len(gaps_s),
            "longest_underrun_s": max(gaps_s, default=0.0),
            "questions": [asdict(one) for one in asked],
        }
    )
    return section


def voice_to_voice(report: Report) -> Mapping[str, float]:
    """Return the figures from the end of a question to the first sound; {} is none."""
    figures: Mapping[str, float] = report.get("turns", {}).get("stages", {}).get(FIRST_SOUND, {})
    return figures


def rounded(value: Any) -> Any:
    """Return the same with no more digits than were measured."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
