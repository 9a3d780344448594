"""Transcripts without a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from edgebot.app import MakeStage, load_engine
from edgebot.config import Settings
from edgebot.stages.recording import RATE_HZ, Recording

_FRAME_S = 0.1


class Collector(FrameProcessor):
    """Keeps every final transcript that passes."""

    def __init__(self) -> None:
        super().__init__()
        self.transcripts: list[TranscriptionFrame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep a transcript; pass everything on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame) and not isinstance(
            frame, InterimTranscriptionFrame
        ):
            self.transcripts.append(frame)
        await self.push_frame(frame, direction)


async def transcribe(settings: Settings, recordings: Sequence[Recording]) -> list[str]:
    """Return what is heard in each recording; "" is nothing."""
    make_stt, _ = await load_engine("stt", settings)
    return [await hear(make_stt, recording) for recording in recordings]


async def hear(make_stt: MakeStage, recording: Recording) -> str:
    """Return what a loaded engine hears in a recording, as fast as it can; "" is nothing."""
    collector = Collector()
    worker = PipelineWorker(
        Pipeline([make_stt(), collector]), enable_rtvi=False, idle_timeout_secs=None
    )
    size = int(_FRAME_S * RATE_HZ) * 2
    # The whole recording is one utterance: no voice detector cuts it.
    await worker.queue_frames(
        [
            VADUserStartedSpeakingFrame(),
            *(
                InputAudioRawFrame(recording.audio[start : start + size], RATE_HZ, 1)
                for start in range(0, len(recording.audio), size)
            ),
            VADUserStoppedSpeakingFrame(),
            EndFrame(),
        ]
    )
    runner = WorkerRunner(handle_sigterm=True)
    await runner.add_workers(worker)
    await runner.run()
    return " ".join(frame.text for frame in collector.transcripts)
