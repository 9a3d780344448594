"""The verb that lets a browser or a Daily room talk to the assistant."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from functools import partial
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
    daily: Annotated[
        bool, typer.Option("--daily", help="Go into a Daily room instead, until it is empty.")
    ] = False,
    room: Annotated[
        str | None, typer.Option(metavar="URL", help="With --daily: this room, not a new one.")
    ] = None,
    intercom: Annotated[
        bool, typer.Option("--intercom", help="With --daily: ring for the person beside the box.")
    ] = False,
) -> None:
    """Let a browser on this machine or in this network talk to the assistant.

    It shows a link and a QR code that open the page. The assistant itself runs beside it, without a
    network: [bold]edgebot run[/] with [bold]bridge.enabled = true[/].

    [bold]--daily[/] goes over the internet: it makes a room with the API key in the credential
    daily-api-key, or joins the one of [bold]--room[/]. No key is taken from the command line.
    """
    settings = settings_of(context)
    if find_spec("aiortc") is None or find_spec("segno") is None:
        raise ConfigError(
            "Calls need two more packages: install them with pip install 'edgebot[bridge]'."
        )
    if daily and find_spec("daily") is None:
        raise ConfigError(
            "A Daily room needs a further package: install it with pip install 'edgebot[daily]'."
        )
    socket = engine or engine_socket()
    if not socket.exists():
        err.print(
            "Nobody answers yet: start the assistant with bridge.enabled = true "
            "(edgebot --set bridge.enabled=true run).",
            style="yellow",
        )
    if daily:
        asyncio.run(_visit(settings, socket, room, "intercom" if intercom else "assistant"))
    else:
        asyncio.run(_serve(settings, kept_or_new_token(renew), socket))


def engine_socket() -> Path:
    """Return where the assistant takes calls: the machine's service, else the user's own."""
    from edgebot.stages.wire import socket_file

    return MACHINE_SOCKET if MACHINE_SOCKET.exists() else socket_file()


def kept_or_new_token(renew: bool) -> str:
    """Return the service's token, or one for this run."""
    from edgebot.bridge.tokens import kept_token, new_token

    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return kept_token(Path(folder), renew=renew) if folder else new_token()


async def _visit(settings: Settings, engine: Path, url: str | None, mode: str) -> None:
    from edgebot.bridge.credentials import credential
    from edgebot.bridge.daily import API_KEY, ROOM_TOKEN, call_in_room, open_room, visit

    current = asyncio.current_task()
    assert current is not None
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wanted, current.cancel)
    # Cancelled, it leaves the room and deletes it.
    with contextlib.suppress(asyncio.CancelledError):
        async with open_room(
            url=url, api_key=credential(API_KEY), token=credential(ROOM_TOKEN)
        ) as room:
            out.print(room.link, markup=False, highlight=False, soft_wrap=True)
            name = settings.assistant.name
            await call_in_room(partial(visit, room, settings.bridge, engine, name, mode))


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
