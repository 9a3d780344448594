"""A voice without a mind, at the configured devices and pins. Arguments: settings.

At each SIGUSR1 it sounds for some seconds, as an answer does; it prints when it hears something.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import numpy as np
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from edgebot.config import load_settings
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
from edgebot.hw.panel import Panel
from edgebot.talking import device_transport

ANSWER_S = 8.0
LOUD = 1000


def say(*words: object) -> None:
    print(*words, flush=True)


def answer() -> bytes:
    """Return a tone of 440 Hz."""
    time_s = np.arange(int(ANSWER_S * SPEAKER_RATE_HZ)) / SPEAKER_RATE_HZ
    return bytes((8000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2").tobytes())


class Witness(FrameProcessor):
    """Prints what is heard, and when the voice begins and ends."""

    def __init__(self) -> None:
        super().__init__()
        self._is_loud = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            is_loud = int(np.abs(np.frombuffer(frame.audio, dtype="<i2")).max()) > LOUD
            if is_loud != self._is_loud:
                self._is_loud = is_loud
                say("hears", "something" if is_loud else "nothing")
        elif isinstance(frame, BotStartedSpeakingFrame):
            say("speaks")
        elif isinstance(frame, BotStoppedSpeakingFrame):
            say("is still")
        await self.push_frame(frame, direction)


class Voice(FrameProcessor):
    """Sounds the same for every text."""

    def __init__(self) -> None:
        super().__init__()
        self._sound = answer()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSSpeakFrame):
            await self.push_frame(TTSStartedFrame())
            await self.push_frame(TTSAudioRawFrame(self._sound, SPEAKER_RATE_HZ, 1))
            await self.push_frame(TTSStoppedFrame())
        else:
            await self.push_frame(frame, direction)


async def main() -> None:
    settings = load_settings(flags=sys.argv[1:])
    panel = Panel(
        settings.panel,
        settings.light,
        lambda action: say("action:", action),
        lambda text: say("trouble:", text),
    )
    transport = device_transport(
        settings,
        when_open=lambda faults: say("ready"),
        when_note=lambda text: say("note:", text),
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), Witness(), Voice(), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=SPEAKER_RATE_HZ),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    loop, running = asyncio.get_running_loop(), []

    def queue(frame: Frame) -> None:
        running.append(asyncio.ensure_future(worker.queue_frame(frame)))

    loop.add_signal_handler(signal.SIGUSR1, lambda: queue(TTSSpeakFrame("")))
    loop.add_signal_handler(signal.SIGTERM, lambda: queue(EndFrame()))
    runner = WorkerRunner(handle_sigint=False, handle_sigterm=False)
    await runner.add_workers(worker)
    await runner.run()
    panel.close()
    say("done")


if __name__ == "__main__":
    asyncio.run(main())
