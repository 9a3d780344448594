"""Speech without a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from pipecat.frames.frames import EndFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from edgebot.app import MakeStage, load_engine
from edgebot.config import Settings
from edgebot.stages.recording import RecordingTransport

RATE_HZ = 24_000


async def synthesize(settings: Settings, texts: Sequence[str]) -> list[tuple[bytes, int]]:
    """Return each text's sound: 16-bit mono PCM and its rate in Hz."""
    make_voice, _ = await load_engine("tts", settings)
    spoken = []
    for text in texts:
        transport = RecordingTransport(rate_hz=RATE_HZ)
        await speak(make_voice, transport.output(), text, rate_hz=RATE_HZ)
        spoken.append((transport.take_spoken(), RATE_HZ))
    return spoken


async def speak(make_voice: MakeStage, speaker: FrameProcessor, text: str, *, rate_hz: int) -> None:
    """Say a text through the output end of a transport and wait until it was said."""
    worker = PipelineWorker(
        Pipeline([make_voice(), speaker]),
        params=PipelineParams(audio_out_sample_rate=rate_hz),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    await worker.queue_frames([TTSSpeakFrame(text), EndFrame()])
    runner = WorkerRunner(handle_sigterm=True)
    await runner.add_workers(worker)
    await runner.run()


async def say(settings: Settings, transport: BaseTransport, text: str, *, rate_hz: int) -> None:
    """Say a text through a transport."""
    make_voice, _ = await load_engine("tts", settings)
    await speak(make_voice, transport.output(), text, rate_hz=rate_hz)
