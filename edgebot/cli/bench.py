"""The verb that measures: bench."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgebot.cli.console import err, out
from edgebot.cli.options import settings_of

if TYPE_CHECKING:
    from edgebot.bench.turns import Asked


class Part(StrEnum):
    """What can be measured alone."""

    TURNS = "turns"
    ENGINES = "engines"
    IDLE = "idle"


def bench(
    context: typer.Context,
    questions: Annotated[
        int, typer.Option("--questions", "-n", min=1, help="How many questions are asked.")
    ] = 20,
    only: Annotated[Part | None, typer.Option(help="Measure nothing but this.")] = None,
    acoustic: Annotated[
        bool, typer.Option("--acoustic", help="From the loudspeaker to the microphone.")
    ] = False,
    with_floor: Annotated[
        bool, typer.Option("--floor/--no-floor", help="Compare turns with the bare engines.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    old: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD.json", help="Print ratios to it.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.svg", help="Draw the turns into a file.")
    ] = None,
) -> None:
    """Measure how fast it answers here, by spoken questions and in real time.

    Its own voice speaks the questions into the whole pipeline, between a microphone and a speaker
    that are none but keep their time. Times count from the last loud sample of a question. What a
    setting gains: [bold]edgebot bench --json > old.json[/], then [bold]edgebot --set
    tts.speak_by=sentence bench --compare old.json[/]. docs/performance.md explains each figure.
    """
    settings = settings_of(context)
    before = read_report(old) if old else None
    if plot and only not in (None, Part.TURNS):
        raise typer.BadParameter("--plot draws the turns, which are not measured here")
    if plot and not plot.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {plot.absolute().parent}")
    from edgebot.bench.acoustic import AcousticRoom, acoustic_settings
    from edgebot.bench.compare import compare
    from edgebot.bench.plot import draw
    from edgebot.bench.questions import choose
    from edgebot.bench.room import PacedRoom
    from edgebot.bench.run import PARTS, Watcher, measure
    from edgebot.cli.bench_tables import show, show_compared

    status = err.status("starting") if err.is_terminal else None

    def step(text: str) -> None:
        if status:
            status.update(text)
        else:
            err.print(text, style="dim", markup=False)

    watcher = Watcher(
        note=lambda text: err.print(text, style="yellow", markup=False),
        step=step,
        asked=_show_asked,
    )
    if status:
        status.start()
    try:
        report = measure(
            acoustic_settings(settings) if acoustic else settings,
            choose(questions),
            watcher,
            parts=[only] if only else PARTS,
            with_floor=with_floor,
            make_room=AcousticRoom.maker(settings) if acoustic else PacedRoom,
        )
    finally:
        if status:
            status.stop()
    if as_json:
        out.print_json(json.dumps(report), highlight=False)
    else:
        show(report)
    if before is not None:
        show_compared(compare(before, report), err if as_json else out)
    if plot:
        plot.write_text(draw(report), encoding="utf-8")


def read_report(path: Path) -> dict[str, Any]:
    """Read what `--json` has printed."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        report = None
    if not isinstance(report, dict) or "edgebot" not in report:
        raise typer.BadParameter(f"{path} is not what edgebot bench --json prints")
    return report


def _show_asked(asked: Asked) -> None:
    from edgebot.bench.stamps import FIRST_SOUND

    sound_s = asked.times_s.get(FIRST_SOUND)
    told = "no answer" if sound_s is None else f"{sound_s:.2f} s"
    err.print(f"{told:>9}  {asked.heard or '(nothing understood)'}", style="dim", markup=False)
