"""The verb that measures: bench."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from edgebot.cli.console import err, out
from edgebot.cli.options import settings_of

if TYPE_CHECKING:
    from edgebot.bench.turns import Asked


class Part(StrEnum):
    """What can be measured alone."""

    TURNS = "turns"


def bench(
    context: typer.Context,
    questions: Annotated[
        int, typer.Option("--questions", "-n", min=1, help="How many questions are asked.")
    ] = 20,
    only: Annotated[Part | None, typer.Option(help="Measure nothing but this.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast it answers here, by spoken questions and in real time.

    Its own voice speaks the questions into the whole pipeline, between a microphone and a speaker
    that are none but keep their time. Times count from the last loud sample of a question.
    """
    settings = settings_of(context)
    from edgebot.app import choose_model
    from edgebot.bench.questions import speak, texts
    from edgebot.bench.report import machine_section, turns_section
    from edgebot.bench.run import Watcher, measure_turns

    status = err.status("speaking the questions") if err.is_terminal else None
    watcher = Watcher(
        note=lambda text: err.print(text, style="yellow", markup=False),
        step=lambda text: status.update(text) if status else None,
        asked=_show_asked,
    )
    if status:
        status.start()
    try:
        every = texts()
        wanted = [every[number % len(every)] for number in range(questions)]
        asked = asyncio.run(measure_turns(settings, speak(settings, wanted), watcher))
    finally:
        if status:
            status.stop()
    models = {role: choose_model(role, settings)[0].model.id for role in ("stt", "llm", "tts")}
    report = machine_section(models) | {"turns": turns_section(asked)}
    if as_json:
        out.print_json(json.dumps(report), highlight=False)
    else:
        show(report)


def _show_asked(asked: Asked) -> None:
    from edgebot.bench.stamps import FIRST_SOUND

    sound_s = asked.times_s.get(FIRST_SOUND)
    told = "no answer" if sound_s is None else f"{sound_s:.2f} s"
    err.print(f"{told:>9}  {asked.heard or '(nothing understood)'}", style="dim", markup=False)


def show(report: dict[str, Any]) -> None:
    """Print what was measured as tables."""
    turns = report["turns"]
    title = f"{turns['answered']} of {turns['asked']} answered; seconds after the question's end"
    table = Table("stage", "first", "p50", "p95", "worst", title=title, title_justify="left")
    for stage, figures in turns["stages"].items():
        row = (figures[name] for name in ("first", "p50", "p95", "worst"))
        table.add_row(stage, *(f"{figure:.2f}" for figure in row))
    out.print(table)
    out.print(
        f"{turns['cut_short']} cut short, {turns['withdrawn']} answers withdrawn, "
        f"{turns['underruns']} underruns in {turns['spoken_s']:.0f} s of speech",
        markup=False,
    )
