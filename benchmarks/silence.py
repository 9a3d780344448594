"""From a press to silence at the sink, under PulseAudio: python -m benchmarks.silence [TIMES]

A voice (a tone that never ends) plays through edgebot's own speaker stage into a null sink; a
thread that stands for the button calls `DeviceTransport.silence`; the sink's monitor tells when the
last sound came out, up to some 10 ms too late.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import threading
import time

import numpy as np
from loguru import logger
from pipecat.frames.frames import InterruptionFrame, TTSAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.workers.runner import WorkerRunner

from edgebot.config import load_settings
from edgebot.talking import device_transport
from tests.e2e.harness import Ear, VirtualSound

RATE_HZ = 24_000
PIECE_S = 0.1


def piece(number: int, answer: int) -> TTSAudioRawFrame:
    time_s = (np.arange(int(RATE_HZ * PIECE_S)) + number * RATE_HZ * PIECE_S) / RATE_HZ
    tone = (8000 * np.sin(2 * np.pi * 400 * time_s)).astype("<i2").tobytes()
    return TTSAudioRawFrame(tone, RATE_HZ, 1, context_id=str(answer))


async def measure(ear: Ear, times: int) -> list[float]:
    opened = threading.Event()
    settings = load_settings(flags=[], environment={})
    transport = device_transport(settings, when_open=lambda faults: opened.set())
    worker = PipelineWorker(
        Pipeline([transport.input(), transport.output()]),
        params=PipelineParams(audio_out_sample_rate=48_000),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await asyncio.to_thread(opened.wait)
    delays = []
    for answer in range(times):
        began = time.monotonic()
        for number in range(30):
            await worker.queue_frame(piece(number, answer))
        await asyncio.to_thread(ear.wait_for_sound, began, 5)
        # At no particular moment of a period.
        await asyncio.sleep(0.6 + 0.0137 * (answer % 17))
        pressed: list[float] = []

        def press(pressed: list[float] = pressed) -> None:
            pressed.append(time.monotonic())
            transport.silence()

        await asyncio.to_thread(press)
        await worker.queue_frame(InterruptionFrame())
        await asyncio.sleep(1.0)
        delays.append(ear.loud_times(began)[-1] - pressed[0])
    await worker.cancel()
    await running
    return delays


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    logger.remove()
    with VirtualSound() as sound:
        os.environ |= sound.environment
        with sound.hear("mic"), sound.hear("spk") as ear:
            delays_ms = [1000 * delay for delay in asyncio.run(measure(ear, times))]
    print(
        f"press to silence at the sink, {times} times: median {statistics.median(delays_ms):.0f} "
        f"ms, worst {max(delays_ms):.0f} ms"
    )


if __name__ == "__main__":
    main()
