"""The verb that lets a browser or a Daily room talk to the assistant."""

from __future__ import annotations

import asyncio
import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgebot.cli.console import err, out
from edgebot.cli.options import settings_of
from edgebot.config import Settings
from edgebot.errors import ConfigError

if TYPE_CHECKING:
    from edgebot.bridge.places import Places

MACHINE_SOCKET = Path("/run/edgebot/calls.sock")


def bridge(
    context: typer.Context,
    engine: Annotated[
        Path | None,
        typer.Option(metavar="SOCKET", help="Where the assistant takes calls, if elsewhere."),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new link: the old one is worth nothing.")
    ] = False,
) -> None:
    """Let a browser on this machine or in this network talk to the assistant.

    It shows a link and a QR code that open the page. The assistant itself runs beside it, without a
    network: [bold]edgebot run[/] with [bold]bridge.enabled = true[/].
    """
    settings = settings_of(context)
    if find_spec("aiortc") is None or find_spec("segno") is None:
        raise ConfigError(
            "Calls need two more packages: install them with pip install 'edgebot[bridge]'."
        )
    from edgebot.bridge.tokens import kept_token, new_token

    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    token = kept_token(Path(folder), renew=renew) if folder else new_token()
    socket = engine or engine_socket()
    if not socket.exists():
        err.print(
            "Nobody answers yet: start the assistant with bridge.enabled = true "
            "(edgebot --set bridge.enabled=true run).",
            style="yellow",
        )
    asyncio.run(_serve(settings, token, socket))


def engine_socket() -> Path:
    """Return where the assistant takes calls: the machine's service, else the user's own."""
    from edgebot.stages.wire import socket_file

    return MACHINE_SOCKET if MACHINE_SOCKET.exists() else socket_file()


async def _serve(settings: Settings, token: str, engine: Path) -> None:
    from edgebot.bridge.server import serve

    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wanted, over.set)
    async with serve(settings.bridge, token=token, engine=engine) as (_, places):
        show(places, places.link(token))
        await over.wait()


def show(places: Places, link: str) -> None:
    """Print the link, its QR code where there is a terminal, and what a browser wants."""
    from edgebot.bridge.link import qr_code

    if out.is_terminal and not places.is_local:
        out.print(qr_code(link), markup=False, highlight=False)
    out.print(link, markup=False, highlight=False, soft_wrap=True)
    if not places.is_local and places.scheme == "http":
        err.print(
            "A browser opens its microphone only to https, or to the machine it runs on: "
            "set bridge.certificate to call from elsewhere (docs/calls.md says how).",
            style="yellow",
        )
