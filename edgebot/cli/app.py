"""The command `edgebot`: its verbs, and what is printed when something is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import edgebot
from edgebot.cli import (
    bench,
    bridge,
    chat,
    converse,
    doctor,
    machine,
    serve,
    service,
    speech,
    status,
)
from edgebot.cli.console import err, out
from edgebot.cli.models import models_app
from edgebot.cli.options import Options
from edgebot.errors import EdgebotError

app = typer.Typer(
    name="edgebot",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(converse.run)
app.command()(converse.ask)
app.command()(converse.demo)
app.command()(chat.chat)
app.command()(speech.say)
app.command()(speech.listen)
app.command()(bench.bench)
app.command()(doctor.doctor)
app.command()(machine.devices)
app.command()(machine.config)
app.command()(serve.serve)
app.command()(status.status)
app.command()(service.logs)
app.command()(service.report)
app.command()(service.rollback)
app.command()(bridge.bridge)
app.add_typer(models_app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"edgebot {edgebot.__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read this file instead of the machine's and yours."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. tts.speed=1.2."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An offline voice assistant: it hears, thinks and speaks on this machine alone.

    Begin with [bold]edgebot models pull[/], then [bold]edgebot run[/] and speak. Without a
    microphone, hand it a recording: [bold]edgebot ask QUESTION.wav[/].
    """
    context.obj = Options(config, tuple(assignments or ()))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: Without the program's name.
    """
    try:
        app(arguments, prog_name="edgebot")
    except EdgebotError as error:
        err.print(f"[bold red]edgebot:[/] {escape(str(error))}")
        return error.exit_code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
