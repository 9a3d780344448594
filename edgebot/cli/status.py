"""The verb that shows how the service is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from edgebot.cli.console import out
from edgebot.service.status import Status, read_status, status_file
from edgebot.state import AssistantState

_EVERY_S = 1.0
# The status is renewed every 15 s, whatever happens.
_STALE_S = 40.0


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second.")] = False,
) -> None:
    """Show how the service is: its state, its faults, the last turns, and what to do next.

    For example [bold]edgebot status --watch[/].
    """
    file = status_file()
    if as_json:
        out.print(json.dumps(asdict(read_status(file))), markup=False)
        while watch:
            time.sleep(_EVERY_S)
            out.print(json.dumps(asdict(read_status(file))), markup=False)
        return
    if not watch:
        out.print(table(read_status(file), time.time()))
        return
    with Live(table(read_status(file), time.time()), console=out, auto_refresh=False) as live:
        while True:
            time.sleep(_EVERY_S)
            live.update(table(read_status(file), time.time()), refresh=True)


def table(status: Status, now: float) -> Table:
    """Lay a status out for a person.

    Args:
        status: What to show.
        now: Seconds since 1970.
    """
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="dim")
    shown.add_column()
    for name, value in rows(status, now):
        shown.add_row(name, escape(value), style="bold red" if name == "fault" else None)
    return shown


def rows(status: Status, now: float) -> Iterator[tuple[str, str]]:
    """Yield each line's name and value."""
    yield "state", str(status.state)
    for text in status.faults.values():
        yield "fault", text
    yield "up for", str(timedelta(seconds=max(0, int(now - status.started_at))))
    if status.ready_at is not None:
        yield "ready after", f"{status.ready_at - status.started_at:.1f} s"
    yield "turns", str(status.turns)
    for times in status.last_turns:
        stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in times.items())
        yield "", stages or "not understood"
    limit = f" of {status.memory_limit_mb} MB" if status.memory_limit_mb else ""
    yield "memory", f"{status.memory_mb} MB{limit}"
    heat = "unknown" if status.temperature_c is None else f"{status.temperature_c:.1f} °C"
    yield "temperature", heat
    yield "slowed by", ", ".join(status.throttled) or "nothing"
    yield "event loop", f"late by {status.loop_lag_s * 1000:.0f} ms at most"
    models = ", ".join(f"{role} {name}" for role, name in status.models.items())
    yield "models", f"set {status.model_set}: {models}"
    yield "version", status.version
    if now - status.written_at > _STALE_S and status.state is not AssistantState.STARTING:
        yield "fault", f"It has told nothing for {now - status.written_at:.0f} s: it hangs."
    yield "next", status.next_action
