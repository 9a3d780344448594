"""The engine's process without a microphone and a speaker: it only takes calls.

python -m tests.engine SOCKET [section.key=value ...]
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from loguru import logger

from edgebot.app import load_engines
from edgebot.calls import Calls
from edgebot.config import load_settings


async def main(file: Path, flags: list[str]) -> None:
    """Take calls until SIGTERM; say "ready" when it does."""
    settings = load_settings(flags=flags, environment={})
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with Calls(
        settings,
        await load_engines(settings),
        file=file,
        when_call_begins=lambda: print("begins", flush=True),
        when_call_ends=lambda: print("ends", flush=True),
        when_trouble=lambda text: print(text, flush=True),
    ):
        print("ready", flush=True)
        await over.wait()


if __name__ == "__main__":
    logger.remove()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
