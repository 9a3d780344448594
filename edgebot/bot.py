"""Pipecat's own entry point: the same pipeline for a browser, a Daily room, an eval, the cloud.

Run it with Pipecat's development runner, from a machine with the models:

    python -m edgebot.bot -t webrtc       a page at http://localhost:7860
    python -m edgebot.bot -t daily        a page that makes a Daily room
    python -m edgebot.bot -d              into the Daily room of $DAILY_ROOM_URL
    python -m edgebot.bot                 all of these, and evals at ws://localhost:7860/ws
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.app import Engines, assemble, load_engines
from edgebot.call import Call, sound_params
from edgebot.config import Settings, load_settings
from edgebot.pipeline import Stages


def daily_params() -> TransportParams:
    """Return what a Daily room is told; the words are heard by edgebot's own ear."""
    from pipecat.transports.daily.transport import DailyParams

    return DailyParams(audio_in_enabled=True, audio_out_enabled=True, transcription_enabled=False)


def eval_params() -> TransportParams:
    """Return what the transport of Pipecat's evals is told."""
    from pipecat.evals.transport import EvalTransportParams

    return EvalTransportParams(audio_in_enabled=True, audio_out_enabled=True)


transport_params: dict[str, Callable[[], TransportParams]] = {
    "daily": daily_params,
    "webrtc": sound_params,
    "eval": eval_params,
}


class House:
    """The settings and the engines of this process: loaded for the first caller, kept for all."""

    def __init__(self, load: Callable[[], Settings] = load_settings) -> None:
        self._load = load
        self._loading: asyncio.Task[tuple[Settings, Engines]] | None = None

    async def open(self) -> tuple[Settings, Engines]:
        """Return the settings and the engines.

        Raises:
            EdgebotError: A setting is wrong, or a model is missing or broken.
        """
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(self._open())
        # A caller who leaves meanwhile does not take the engines from the next.
        return await asyncio.shield(self._loading)

    async def _open(self) -> tuple[Settings, Engines]:
        settings = await asyncio.to_thread(self._load)
        engines = await load_engines(settings)
        for note in engines.notes:
            logger.warning(note)
        return settings, engines


HOUSE = House()


async def run_bot(
    transport: BaseTransport,
    runner_args: RunnerArguments,
    *,
    change: Callable[[Stages], Stages] = lambda stages: stages,
    when_call: Callable[[Call], None] = lambda call: None,
) -> None:
    """Converse with whoever is at the other end of a transport until they leave.

    Args:
        transport: Where the caller is.
        runner_args: From Pipecat's runner.
        change: Returns the stages that the conversation is to have; one may be a `Pipeline` of
            several.
        when_call: Is handed the call before it begins.
    """
    settings, engines = await HOUSE.open()
    call = Call(
        settings,
        change(await assemble(settings, engines)),
        transport,
        handles_signals=runner_args.handle_sigint,
        idle_timeout_s=runner_args.pipeline_idle_timeout_secs,
        when_trouble=logger.warning,
    )
    when_call(call)
    await call.run()


async def bot(runner_args: RunnerArguments) -> None:
    """Serve one session; Pipecat's runner and Pipecat Cloud call it."""
    transport = await create_transport(runner_args, transport_params)
    await run_bot(transport, runner_args)


def main() -> None:
    """Run Pipecat's development runner with the arguments of the command line."""
    from pipecat.runner.run import main as run

    run()


if __name__ == "__main__":
    main()
