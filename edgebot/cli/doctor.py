"""The verb that looks after this machine: doctor."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edgebot.cli.console import err, out
from edgebot.cli.options import options_of
from edgebot.config import user_file
from edgebot.errors import UnwellError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgebot.doctor.finding import Change, Finding

_WIDTH = 80
_MARKS = {"ok": "green", "warning": "yellow", "fault": "bold red", "skipped": "dim"}
_LABELS = {"ok": "ok", "warning": "warning", "fault": "FAULT", "skipped": "-"}


def doctor(
    context: typer.Context,
    sound: Annotated[
        bool, typer.Option("--sound/--no-sound", help="Play a tone and listen to it.")
    ] = True,
    write: Annotated[
        bool, typer.Option("--write", help="Write the settings that it found, and do not ask.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Show that nothing leaves this machine.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at this machine, and say what is wrong and what to do.

    Settings, models, memory, disk, processor, temperature, pins and sound devices; then it plays a
    tone for six seconds and listens. It offers to write the settings that it found, and exits with
    12 where something is at fault.

    With [bold]--offline[/] it looks at the running service instead: what systemd keeps from it, the
    sockets that it holds, and whether a program in its sandbox can reach the network.
    """
    from edgebot.doctor.examine import examine
    from edgebot.doctor.offline import examine_offline
    from edgebot.doctor.write import write_changes

    options = options_of(context)
    findings: list[Finding] = []
    looked_at = (
        examine_offline(file=options.config, flags=options.assignments)
        if offline
        else examine(
            file=options.config,
            flags=options.assignments,
            sound=sound,
            when_listening=lambda: err.print(
                "Playing and listening for ten seconds: be quiet, please."
            ),
        )
    )
    for finding in looked_at:
        findings.append(finding)
        if not as_json:
            show(finding)
    changes = changes_of(findings)
    file = options.config or user_file()
    written = bool(changes) and (write or (not as_json and agreed(changes, file)))
    if written:
        write_changes(file, changes)
    if as_json:
        told = [asdict(finding) for finding in findings]
        out.print_json(json.dumps({"findings": told, "written": str(file) if written else None}))
    elif written:
        out.print(f"Written to {escape(str(file))}. Run it again to see whether all is well.")
    faults = [finding.subject for finding in findings if finding.mark == "fault"]
    if faults:
        named = ", ".join(dict.fromkeys(faults))
        raise UnwellError(f"Something is at fault: {named}. Do what the lines above advise.")


def changes_of(findings: Sequence[Finding]) -> list[Change]:
    """Return the settings that would mend what was found, unless nobody knows what is set now."""
    if any(found.subject == "settings" and found.mark == "fault" for found in findings):
        return []
    return [change for found in findings for change in found.changes]


def show(finding: Finding) -> None:
    """Print one finding: its mark, its subject, what was found and what to do."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=7)
    table.add_column(width=13)
    table.add_column()
    mark = f"[{_MARKS[finding.mark]}]{_LABELS[finding.mark]}[/]"
    text = escape(finding.text)
    if finding.advice:
        text += f"\n[bold]{escape(finding.advice)}[/]"
    table.add_row(mark, escape(finding.subject), text)
    out.print(table, width=min(_WIDTH, out.width), soft_wrap=False)


def agreed(changes: Sequence[Change], file: Path) -> bool:
    """Show the settings that were found, and ask whether to write them; without a terminal: no."""
    out.print("\nThese settings would mend it:")
    for change in changes:
        out.print(f"  {change.key} = {escape(json.dumps(change.value, ensure_ascii=False))}")
    if not is_terminal():
        out.print("`edgebot doctor --write` writes them.")
        return False
    return typer.confirm(f"Write them to {file}?", default=False)


def is_terminal() -> bool:
    """Tell whether there is a person who reads and answers."""
    return sys.stdin.isatty() and sys.stdout.isatty()
