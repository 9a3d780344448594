"""Does it stutter while the language model is busy? python -m benchmarks.stutter [--minutes 10]

The voice speaks sentence after sentence through the whole pipeline, into a speaker that is none but
keeps its time (edgebot/bench/paced.py), while the language model writes without a pause on the same
cores. Counted is how often the speaker had nothing to play.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics

from loguru import logger

logger.remove()

from edgebot.app import load_engines  # noqa: E402
from edgebot.bench.narrator import Narrator  # noqa: E402
from edgebot.bench.probe import Probe, endless  # noqa: E402
from edgebot.bench.turns import Questioner, quiet  # noqa: E402
from edgebot.config import load_settings  # noqa: E402


async def write(probe: Probe, speeds: list[float]) -> None:
    while True:
        if speed := await probe.tokens_per_s():
            speeds.append(speed)


async def measure(minutes: float) -> tuple[list[float], list[float], Narrator]:
    """Return how long each gap was, how fast the language model wrote, and what was spoken."""
    settings = endless(quiet(load_settings()))
    engines = await load_engines(settings)
    voice, speeds = Narrator(), list[float]()
    async with (
        Questioner.start(settings, engines, watchers=(voice,)) as questioner,
        Probe.start(engines.llm) as probe,
    ):
        writing = asyncio.create_task(write(probe, speeds))
        questioner.room.begin()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(voice.narrate(questioner), 60 * minutes)
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
