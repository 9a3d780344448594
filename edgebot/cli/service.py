"""The verbs that look after the installed service: logs, report, rollback."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Annotated, Any

import typer

import edgebot
from edgebot.cli.console import out
from edgebot.cli.machine import shown
from edgebot.cli.options import options_of
from edgebot.config import layers, origins
from edgebot.errors import ConfigError, EdgebotError
from edgebot.service.status import status_file

UNIT = "edgebot.service"
# The machine's service and a user's own.
_UNITS = ("--unit", UNIT, "--user-unit", UNIT)
_LINES = 2000
# What tells where a program stood; the rest of what it prints might hold words.
_TRACE = ('  File "', "Fatal Python error", "Thread 0x", "Current thread 0x", "Traceback (most")
_FACTS = ("MESSAGE", "PRIORITY", "EDGEBOT_STATE", "EDGEBOT_TURN", "EDGEBOT_FAULT")


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many.")] = 50,
) -> None:
    """Print what the service has written to the journal, for example edgebot logs -f."""
    journalctl = _program("journalctl")
    command = [journalctl, *_UNITS, "--lines", str(lines), "--output", "short-iso"]
    command += ["--follow"] if follow else ["--no-pager"]
    os.execv(journalctl, command)


def rollback() -> None:
    """Go back to the version that was installed before; needs sudo."""
    # Each installed version is a virtual environment that holds its own installer.
    version = Path(sys.prefix)
    script = version / "scripts" / "install.sh"
    if not script.is_file():
        raise EdgebotError(
            f"This edgebot, in {version}, is not installed as a service; run the installed one: "
            "`sudo /usr/local/bin/edgebot rollback`."
        )
    own = [] if version.is_relative_to("/opt") else ["--user"]
    os.execv("/bin/bash", ["bash", str(script), "--rollback", *own])


def report(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.tar.gz", help="Where it goes.")
    ] = Path("edgebot-report.tar.gz"),
) -> None:
    """Put what helps to find a fault into one file; nothing that was said is in it.

    Look into it before you hand it on: it holds your settings, but no passwords.
    """
    parts = {
        "machine.json": _machine,
        "settings.json": lambda: _settings(context),
        "status.json": lambda: status_file().read_text(encoding="utf-8"),
        "unit.txt": lambda: _run("systemctl", "show", UNIT),
        "security.txt": lambda: _run("systemd-analyze", "--no-pager", "security", UNIT),
        "cards.txt": lambda: Path("/proc/asound/cards").read_text(encoding="utf-8"),
        "models.txt": lambda: _run(sys.executable, "-m", "edgebot", "models", "list"),
        "journal.txt": _journal,
    }
    try:
        with tarfile.open(output, "w:gz") as bundle:
            for name, make in parts.items():
                _add(bundle, name, _told(make))
    except OSError as error:
        raise EdgebotError(f"The report {output} cannot be written: {error.strerror}.") from None
    out.print(f"The report is in [bold]{output}[/]. Look into it before you hand it on.")


def _told(make: Any) -> str:
    """Return a part of the report, or why there is none."""
    try:
        return str(make())
    except (OSError, subprocess.SubprocessError, EdgebotError) as error:
        return f"none: {error}\n"


def _add(bundle: tarfile.TarFile, name: str, text: str) -> None:
    held = text.encode()
    entry = tarfile.TarInfo(f"edgebot-report/{name}")
    entry.size = len(held)
    bundle.addfile(entry, io.BytesIO(held))


def _machine() -> str:
    from edgebot import machine
    from edgebot.service import vitals

    disk = shutil.disk_usage("/")
    release = platform.freedesktop_os_release()
    held = {
        "edgebot": edgebot.__version__,
        "python": platform.python_version(),
        "system": release.get("PRETTY_NAME", ""),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_mb": machine.memory_bytes() >> 20,
        "disk_free_mb": disk.free >> 20,
        "temperature_c": vitals.temperature_c(),
        "slowed_by": vitals.throttled(),
    }
    return json.dumps(held, indent=1) + "\n"


def _settings(context: typer.Context) -> str:
    options = options_of(context)
    try:
        found = origins(
            layers(file=options.config, flags=options.assignments, environment=os.environ)
        )
    except ConfigError as error:
        return f"{error}\n"
    held = {o.key: {"value": shown(o.key, o.value), "from": o.layer} for o in found}
    return json.dumps(held, indent=1) + "\n"


def _journal() -> str:
    fields = ",".join((*_FACTS, "_TRANSPORT", "UNIT"))
    text = _run(
        "journalctl",
        *(*_UNITS, "--lines", str(_LINES), "--no-pager"),
        *("--output", "json", "--output-fields", fields),
    )
    return "".join(f"{line}\n" for line in speechless(text.splitlines()))


def speechless(lines: list[str]) -> list[str]:
    """Return the journal's entries without any that could hold what was said.

    Args:
        lines: Of JSON, one an entry.
    """
    kept = []
    for line in lines:
        entry = json.loads(line)
        message = entry.get("MESSAGE")
        if not isinstance(message, str):
            continue
        is_printed = entry.get("_TRANSPORT") == "stdout"
        if is_printed and not message.startswith(_TRACE):
            continue
        held = {name: entry[name] for name in _FACTS if name in entry}
        kept.append(json.dumps({"at": entry.get("__REALTIME_TIMESTAMP"), **held}))
    return kept


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EdgebotError(f"There is no {name} here: edgebot is no service of systemd.")
    return found
