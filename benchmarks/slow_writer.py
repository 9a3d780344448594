"""Does the voice wait for a slow language model? python -m benchmarks.slow_writer

A small computer writes an answer hardly faster than it is spoken. Here answers are written word by
word at such a speed and spoken by the whole pipeline, into a speaker that is none but keeps its
time (edgebot/bench/paced.py): once with clauses that are waited for to their end, once as edgebot
does it. Counted is how long the speaker had nothing to play in the middle of an answer.
"""

from __future__ import annotations

import argparse
import asyncio

from loguru import logger

logger.remove()

from pipecat.frames.frames import (  # noqa: E402
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)

from edgebot.app import load_engines  # noqa: E402
from edgebot.bench.turns import Questioner, quiet  # noqa: E402
from edgebot.config import load_settings  # noqa: E402
from edgebot.stages import spoken_text  # noqa: E402

ANSWERS = (
    "Bees make honey. It is a sweet and sticky liquid that they gather from many thousands of "
    "flowers in the summer and keep in their hive for the long winter months.",
    "Yes, of course. You put the flour into a large bowl with a little salt and slowly add the "
    "warm water until there is a smooth dough that no longer sticks to your hands.",
    "It rains because warm air rises from the sea and carries a great deal of water into the cold "
    "sky where it turns into small drops that grow until they are too heavy to stay.",
)
_LOOK_EVERY_S = 0.05
_PAUSE_S = 1.0


async def answer(questioner: Questioner, text: str, words_per_s: float) -> list[float]:
    """Write an answer, and return how long each gap in its sound was."""
    questioner.room.begin()
    await questioner.send(LLMFullResponseStartFrame())
    for word in text.split():
        await questioner.send(LLMTextFrame(f"{word} "))
        await asyncio.sleep(1 / words_per_s)
    await questioner.send(LLMFullResponseEndFrame())
    await asyncio.sleep(_PAUSE_S)
    while True:
        if questioner.room.is_still:
            return questioner.room.gaps_s
        await asyncio.sleep(_LOOK_EVERY_S)


async def measure(speeds: list[float]) -> None:
    settings = quiet(load_settings())
    engines = await load_engines(settings)
    cut = spoken_text.breath_end
    print("words/s  cut     gaps  longest, s  all, s")
    for words_per_s in speeds:
        for name, end in (("never", lambda text: -1), ("breath", cut)):
            spoken_text.breath_end = end
            gaps_s: list[float] = []
            async with Questioner.start(settings, engines) as questioner:
                for text in ANSWERS:
                    gaps_s += await answer(questioner, text, words_per_s)
            longest_s, all_s = max(gaps_s, default=0.0), sum(gaps_s)
            print(f"{words_per_s:7.1f}  {name:6}  {len(gaps_s):4}  {longest_s:10.2f}  {all_s:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words-per-s", type=float, nargs="+", default=[4.0, 6.0, 12.0])
    asyncio.run(measure(parser.parse_args().words_per_s))


if __name__ == "__main__":
    main()
