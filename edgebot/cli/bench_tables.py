"""What `edgebot bench` prints: a report as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from edgebot.cli.console import out

if TYPE_CHECKING:
    from edgebot.bench.compare import Compared

_COLUMNS = ("first", "p50", "p95", "worst")
_FLOOR_NAMES = {
    "hold_s": "silence that is waited for",
    "stt_s": "speech to text",
    "read_s": "reading the question",
    "write_s": "writing the first clause",
    "voice_s": "its first sound",
}


_PHASE_NAMES = {
    "thinking": "thinking",
    "listening": "listening",
    "speaking": "speaking",
    "computing": "the voice computes without a pause",
}


def show(report: dict[str, Any]) -> None:
    """Print what was measured."""
    models = report["models"]
    out.print(
        f"{report['processor']}, {report['cores']} cores, {report['memory_mb']} MB; "
        f"{models['stt']}, {models['llm']}, {models['tts']}",
        markup=False,
    )
    if "turns" in report:
        _show_turns(report["turns"])
    if report.get("floor"):
        _show_floor(report["floor"])
    if "engines" in report:
        _show_engines(report["engines"])
    if "idle" in report:
        _show_idle(report["idle"])


def _underruns(turns: dict[str, Any]) -> str:
    count = int(turns["underruns"])
    longest = f" of {turns['longest_underrun_s']:.2f} s at most" if count else ""
    return f"{count} underruns{longest}"


def _show_turns(turns: dict[str, Any]) -> None:
    title = f"{turns['answered']} of {turns['asked']} answered; seconds after the question's end"
    _show_figures(title, "stage", turns["stages"])
    out.print(
        f"{turns['cut_short']} cut short, {turns['withdrawn']} answers withdrawn, "
        f"{_underruns(turns)} in {turns['spoken_s']:.0f} s of speech, "
        f"{turns['busy_cores']:.2f} cores busy{_heat(turns['heat'])}",
        markup=False,
    )


def _show_floor(floor: dict[str, Any]) -> None:
    rows = {_FLOOR_NAMES[name]: figures for name, figures in floor["parts"].items()}
    _show_figures(
        "The bare calls for the same work, in seconds",
        "part",
        rows | {"the floor": floor["floor_s"], "measured to floor": floor["ratio"]},
    )


def _show_engines(engines: dict[str, Any]) -> None:
    table = _table("Beside the bare engines", "", "bare", "here", "ratio")
    speeds = engines["tokens_per_s"]
    for what, name in _PHASE_NAMES.items():
        if here := speeds.get(what):
            _row(table, f"tokens/s, {name}", speeds["bare"], here["mean"], here["ratio"])
    for role, name in (("stt", "speech to text"), ("tts", "voice")):
        here = engines[role]
        _row(table, f"{name}, s a second of sound", here["bare"], here["house"], here["ratio"], 3)
    for row in engines["first_sounds"]:
        name = f"first sound of {row['sound_s']:.1f} s"
        _row(table, name, row["whole_s"], row["windows_s"], row["ratio"], 3)
    out.print(table)


def _show_idle(idle: dict[str, Any]) -> None:
    out.print(f"ready after {idle['ready_s']:.2f} s", markup=False)
    alone = idle["wake_alone_cores"]
    told = "" if alone is None else f" (the wake word engine alone {alone:.3f})"
    out.print(
        f"idle asleep {idle['asleep_cores']:.3f} of a core{told}, awake "
        f"{idle['awake_cores']:.3f}{_heat(idle['heat'])}",
        markup=False,
    )
    table = _table("Memory, MB", "", "its own", "mapped from files")
    rows = {**idle["memory_by_engine"], "all, asleep": idle["memory"]}
    for name, memory in rows.items():
        table.add_row(name, f"{memory['own_mb']:.0f}", f"{memory['mapped_mb']:.0f}")
    out.print(table)


def show_compared(rows: Sequence[Compared], console: Console) -> None:
    """Print two reports side by side."""
    table = _table("Before and now", "", "before", "now", "ratio")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.name, f"{row.old:.4g}", f"{row.new:.4g}", ratio)
    console.print(table)


def _show_figures(title: str, what: str, rows: dict[str, dict[str, float]]) -> None:
    table = _table(title, what, *_COLUMNS)
    for name, figures in rows.items():
        table.add_row(name, *(f"{figures[column]:.2f}" for column in _COLUMNS))
    out.print(table)


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left")


def _row(table: Table, name: str, bare: float, here: float, ratio: float, digits: int = 1) -> None:
    table.add_row(name, f"{bare:.{digits}f}", f"{here:.{digits}f}", f"{ratio:.2f}")


def _heat(heat: dict[str, Any]) -> str:
    temperature, why = heat["temperature_c"], heat["slowed_down_by"]
    told = "" if temperature is None else f", {temperature:.0f} °C"
    return told + (f", slowed down: {', '.join(why)}" if why else "")
