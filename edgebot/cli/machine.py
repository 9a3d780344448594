"""The verbs that look at this machine: devices, config."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edgebot.cli.console import out
from edgebot.cli.options import options_of, settings_of
from edgebot.config import is_secret, layers, origins, validate

_LONGEST_VALUE = 48


def devices(
    context: typer.Context,
    check: Annotated[
        bool,
        typer.Option("--check", help="Print nothing; fail unless microphone and speaker open."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List microphones and speakers; name one in the settings by its name or a part of it.

    For example [bold]edgebot --set audio.microphone=USB run[/].
    """
    settings = settings_of(context)
    from edgebot.hw.audio_device import find_device, list_devices

    if check:
        find_device("speaker", settings.audio.speaker)
        find_device("microphone", settings.audio.microphone)
        return
    found = list_devices()
    if as_json:
        described = [
            {
                "index": device.index,
                "name": device.name,
                "rate_hz": device.rate_hz,
                "inputs": device.inputs,
                "outputs": device.outputs,
                "default_for": sorted(device.is_default),
            }
            for device in found
        ]
        out.print_json(json.dumps(described))
        return
    if not found:
        out.print("There is no audio device. Plug in a microphone and a speaker.")
        return
    table = Table("index", "name", "microphone", "speaker", "own rate", box=None)
    for device in found:
        table.add_row(
            str(device.index),
            escape(device.name),
            mark(device.inputs, "microphone" in device.is_default),
            mark(device.outputs, "speaker" in device.is_default),
            f"{device.rate_hz} Hz",
        )
    out.print(table)


def mark(channels: int, is_default: bool) -> str:
    """Say whether a device is of a kind."""
    if not channels:
        return ""
    return "default" if is_default else "yes"


class ConfigAction(StrEnum):
    """What to do with the settings."""

    SHOW = "show"
    CHECK = "check"


def config(
    context: typer.Context,
    action: Annotated[
        ConfigAction, typer.Argument(help="Show them, or only say whether they are in order.")
    ] = ConfigAction.SHOW,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting in force and where it came from.

    Layers, the later wins: defaults, /etc/edgebot/edgebot.toml, ~/.config/edgebot/edgebot.toml,
    EDGEBOT_ variables, --set. [bold]edgebot config check[/] fails, with one sentence, if a file
    holds something that cannot be used.
    """
    options = options_of(context)
    stack = layers(file=options.config, flags=options.assignments, environment=os.environ)
    found = origins(stack)
    validate(stack)
    if action is ConfigAction.CHECK:
        changed = sum(origin.layer != "default" for origin in found)
        out.print(f"The settings are in order: {changed} of {len(found)} are your own.")
        return
    if as_json:
        described = {o.key: {"value": shown(o.key, o.value), "from": o.layer} for o in found}
        out.print_json(json.dumps(described))
        return
    table = Table("setting", "value", "from", box=None)
    for origin in found:
        value = shorten(json.dumps(shown(origin.key, origin.value), ensure_ascii=False))
        style = None if origin.layer == "default" else "bold"
        table.add_row(origin.key, escape(value), escape(origin.layer), style=style)
    out.print(table)


def shorten(text: str) -> str:
    """Keep a value on one line; `--json` has the whole."""
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def shown(key: str, value: object) -> object:
    """Keep a secret out of the terminal."""
    return "(set)" if is_secret(key) and value else value
