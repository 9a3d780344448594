"""Transcription only: what a caller says, as text, without an answer.

    python examples/transcribe.py -t webrtc

Of the engines, only speech to text is loaded. RTVI sends each transcript to the client.
"""

from __future__ import annotations

from loguru import logger
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_response_universal import (
    LLMUserAggregator,
    UserTurnStoppedMessage,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.workers.runner import WorkerRunner

from edgebot.app import load_engine
from edgebot.bot import main, transport_params
from edgebot.config import Settings, load_settings
from edgebot.stages import context


async def bot(runner_args: RunnerArguments, settings: Settings | None = None) -> None:
    """Write down one caller."""
    settings = settings or load_settings()
    transport = await create_transport(runner_args, transport_params)
    make_stt, _ = await load_engine("stt", settings)
    user: LLMUserAggregator = context.create(settings, context.new_context(settings)).user()
    worker = PipelineWorker(
        Pipeline([transport.input(), make_stt(), user, transport.output()]),
        params=PipelineParams(audio_in_sample_rate=16_000),
        idle_timeout_secs=runner_args.pipeline_idle_timeout_secs,
    )

    async def heard(_: object, strategy: object, message: UserTurnStoppedMessage) -> None:
        logger.info(f"heard: {message.content}")

    async def left(*_: object) -> None:
        await worker.cancel()

    user.add_event_handler("on_user_turn_stopped", heard)
    transport.add_event_handler("on_client_disconnected", left)
    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    main()
