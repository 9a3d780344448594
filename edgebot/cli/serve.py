"""The verb that systemd starts: the conversation, with the service's care around it."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

import typer

import edgebot
from edgebot.cli.console import err
from edgebot.cli.options import log_as, log_at, options_of
from edgebot.config import Settings

if TYPE_CHECKING:
    from edgebot.front import Front
    from edgebot.observe.turns import Turn
    from edgebot.service.last_good import Loaded
    from edgebot.service.service import About, Service


def serve(context: typer.Context) -> None:
    """Do what [bold]edgebot run[/] does, as a service of systemd does it.

    It tells systemd and [bold]edgebot status[/] what it does, stays up when something is missing
    and tries again, prints nothing that was said, and reads its settings again at SIGHUP.
    """
    from edgebot.service.last_good import load_settings_or_last_good, state_folder

    # A watchdog's SIGABRT leaves where every thread stood.
    with suppress(OSError, ValueError):
        faulthandler.enable()
    options = options_of(context)
    load = partial(
        load_settings_or_last_good,
        state_folder(),
        file=options.config,
        flags=options.assignments,
    )
    loaded = load()
    log_as(loaded.settings)
    asyncio.run(_serve(loaded, load))


async def _serve(loaded: Loaded, load: partial[Loaded]) -> None:
    from edgebot.front import Front
    from edgebot.service.persist import persist
    from edgebot.service.reload import Reloader
    from edgebot.state import Fault

    service = make_service(loaded.settings)
    if loaded.fault is not None:
        service.fault(Fault.SETTINGS, loaded.fault)
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    front = Front(loaded.settings, service.note)
    service.watch(front.show, front.alarm)
    front.live["log.level"] = log_at
    reloader = Reloader(service, loaded, load, live=front.live)

    def reload() -> None:
        reloader()
        front.settle(reloader.settings)

    loop.add_signal_handler(signal.SIGHUP, reload)
    with closing(front), suppress(asyncio.CancelledError):
        async with service.watching(stop=task.cancel):

            async def attempt() -> None:
                # A conversation that has ended takes its own handler along.
                loop.add_signal_handler(signal.SIGTERM, task.cancel)
                await _talk(reloader.settings, service, front)

            def failed(fault: Fault, text: str) -> None:
                loop.add_signal_handler(signal.SIGTERM, task.cancel)
                service.down(fault, text)

            await persist(attempt, when_fault=failed)


async def _talk(settings: Settings, service: Service, front: Front) -> None:
    from edgebot.talking import talk

    def said(turn: Turn) -> None:
        service.turn(turn.times_s, heard=turn.heard, said=turn.said, interrupted=turn.interrupted)

    await talk(
        settings,
        when_note=service.note,
        when_ready=service.ready,
        when_state=service.state,
        when_heard=lambda text: None,
        when_said=said,
        when_moved=service.fed,
        when_fault=service.told,
        front=front,
    )


def make_service(settings: Settings) -> Service:
    """Return the service for whoever started this process."""
    import os

    from edgebot.service.ceiling import Ceiling
    from edgebot.service.journal import Journal, to_journal
    from edgebot.service.notify import Notifier
    from edgebot.service.service import Service
    from edgebot.service.status import status_file

    file = status_file()
    return Service(
        about(settings),
        notifier=Notifier.from_environment(),
        journal=Journal(to_journal if "JOURNAL_STREAM" in os.environ else _to_terminal),
        ceiling=Ceiling(settings.service.memory_limit_mb),
        status_file=file if file.parent.is_dir() else None,
    )


def about(settings: Settings) -> About:
    """Return what the status tells of these settings."""
    from edgebot.models.catalog import Catalog
    from edgebot.models.choose import resolve_set
    from edgebot.service.service import About

    names = " or ".join(f"“{word.replace('_', ' ')}”" for word in settings.wake.words)
    wake = {"word": f"say {names} or press the button", "button": "press the button"}
    return About(
        version=edgebot.__version__,
        wake=wake.get(settings.wake.mode, "press the button"),
        model_set=resolve_set(Catalog.load(), settings.models.set),
        models={role: getattr(settings, role).model for role in ("stt", "llm", "tts")},
        words=settings.log.words,
        always_awake=settings.wake.mode == "always",
    )


def _to_terminal(message: str, /, **fields: str) -> None:
    told = " ".join(
        f"{name.removeprefix('EDGEBOT_').lower()}={value}"
        for name, value in fields.items()
        if name.startswith("EDGEBOT_")
    )
    err.print(f"{message} ({told})" if told else message, style="dim", markup=False)
    sys.stderr.flush()
