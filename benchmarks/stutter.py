"""Does it stutter while the language model is busy? python -m benchmarks.stutter [--minutes 10]

The voice speaks sentence after sentence through the whole pipeline, into a speaker that is none but
keeps its time (edgebot/bench/paced.py). The next sentence is handed over when a second of sound is
left, as a language model hands one over in the middle of an answer; meanwhile that language model
writes without a pause on the same cores. Counted is how often the speaker had nothing to play.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from loguru import logger

logger.remove()

from pipecat.frames.frames import (  # noqa: E402
    Frame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
)

from edgebot.app import load_engines  # noqa: E402
from edgebot.bench.bare import SENTENCES  # noqa: E402
from edgebot.bench.probe import Probe, endless  # noqa: E402
from edgebot.bench.turns import Questioner, quiet  # noqa: E402
from edgebot.config import load_settings  # noqa: E402
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ  # noqa: E402

LEFT_S = 1.0
LOOK_EVERY_S = 0.02


class Voice:
    """Counts what the voice has computed."""

    def __init__(self) -> None:
        self.sound_s = 0.0
        self.sentences = 0
        self.began_s: float | None = None

    def note(self, frame: Frame) -> None:
        # The speaker's stage passes the sound on at its own rate as it is played.
        if isinstance(frame, TTSAudioRawFrame) and frame.sample_rate != SPEAKER_RATE_HZ:
            self.began_s = self.began_s or time.monotonic()
            self.sound_s += len(frame.audio) / (2 * frame.sample_rate)
        elif isinstance(frame, TTSStoppedFrame):
            self.sentences += 1

    @property
    def left_s(self) -> float:
        return self.sound_s - (time.monotonic() - self.began_s if self.began_s else 0.0)


async def write(probe: Probe, speeds: list[float]) -> None:
    while True:
        if speed := await probe.tokens_per_s():
            speeds.append(speed)


async def measure(minutes: float) -> tuple[list[float], list[float], Voice]:
    """Return how long each gap was, how fast the language model wrote, and what was spoken."""
    settings = endless(quiet(load_settings()))
    engines = await load_engines(settings)
    voice, speeds, sent = Voice(), list[float](), 0
    async with (
        Questioner.start(settings, engines, watchers=(voice,)) as questioner,
        Probe.start(engines.llm) as probe,
    ):
        writing = asyncio.create_task(write(probe, speeds))
        questioner.room.begin()
        end_s = time.monotonic() + 60 * minutes
        while time.monotonic() < end_s:
            if voice.sentences == sent and voice.left_s < LEFT_S:
                await questioner.send(TTSSpeakFrame(SENTENCES[sent % len(SENTENCES)]))
                sent += 1
            await asyncio.sleep(LOOK_EVERY_S)
        gaps_s = questioner.room.gaps_s
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    return gaps_s, speeds, voice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    gaps_s, speeds, voice = asyncio.run(measure(minutes))
    print(f"{voice.sentences} sentences, {voice.sound_s:.0f} s of sound in {minutes:.1f} min")
    print(f"tokens/s meanwhile: {statistics.median(speeds):.1f}, median of {len(speeds)} answers")
    worst_ms = 1000 * max(gaps_s, default=0.0)
    print(f"the speaker had nothing to play {len(gaps_s)} times, at most for {worst_ms:.0f} ms")


if __name__ == "__main__":
    main()
