"""The engine's process without a microphone and a speaker: it only takes calls.

python -m tests.engine SOCKET [section.key=value ...]

A line of standard input is what a hand does at its panel: "take call".
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from loguru import logger
from pipecat.frames.frames import Frame

from edgebot.app import load_engines
from edgebot.calls import Calls
from edgebot.config import load_settings
from edgebot.control import Control
from edgebot.hw.gestures import Action
from edgebot.intercom import Handset
from edgebot.stages.intercom import Intercom


def say(text: str) -> None:
    print(text, flush=True)


async def nowhere(frames: Sequence[Frame]) -> None:
    """There is no box whose light or chime would show it."""


def follow(control: Control) -> None:
    """Do what standard input says, in a thread of its own."""

    def read() -> None:
        for line in sys.stdin:
            control.act(Action(line.strip()))

    threading.Thread(target=read, name="panel", daemon=True).start()


async def main(file: Path, flags: list[str]) -> None:
    """Take calls until SIGTERM; say "ready" when it does."""
    settings = load_settings(flags=flags, environment={})
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    control = Control(settings, when_trouble=say)
    control.connect(nowhere, lambda: None)
    async with Calls(
        settings,
        await load_engines(settings),
        file=file,
        handset=Handset(control, Intercom(), lambda audio: None, 24_000),
        when_call_begins=lambda: say("begins"),
        when_call_ends=lambda: say("ends"),
        when_trouble=say,
    ):
        follow(control)
        say("ready")
        await over.wait()


if __name__ == "__main__":
    logger.remove()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
