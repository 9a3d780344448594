"""Is turn 100 as fast as turn 10? python -m benchmarks.conversation [--turns 100] [--aloud]

One long conversation by text, with the real context, window and language model and no sound, so
that a hundred turns take two minutes. A turn should cost what was said last: the table has, for
every ten turns, the median and the worst time from a question to the first word of its answer.

Aloud, the questions are spoken to the whole pipeline in real time, and what is measured is the time
from a question's end to the first sound of its answer: ten minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence

from loguru import logger

logger.remove()

from edgebot.app import load_engines  # noqa: E402
from edgebot.bench.questions import Question, choose, speak  # noqa: E402
from edgebot.bench.stamps import FIRST_SOUND  # noqa: E402
from edgebot.bench.turns import Questioner, ask_all, quiet  # noqa: E402
from edgebot.chatting import TextConversation  # noqa: E402
from edgebot.config import Settings, load_settings  # noqa: E402

TENTH = 10


async def by_text(settings: Settings, turns: int) -> list[float]:
    waits_s = []
    async with TextConversation.start(settings) as conversation:
        for question in choose(turns):
            begun_s, came_s = time.perf_counter(), []

            def told(text: str, came_s: list[float] = came_s) -> None:
                came_s.append(time.perf_counter())

            await conversation.ask(question, when_text=told)
            waits_s.append(came_s[0] - begun_s)
    return waits_s


async def aloud(settings: Settings, questions: Sequence[Question]) -> list[float]:
    settings = quiet(settings)
    engines = await load_engines(settings)
    async with Questioner.start(settings, engines) as questioner:
        asked = await ask_all(questioner, questions)
    return [one.times_s[FIRST_SOUND] for one in asked if one.is_answered]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--context-tokens", type=int, default=2048)
    parser.add_argument("--aloud", action="store_true")
    options = parser.parse_args()
    settings = load_settings(flags=[f"llm.context_tokens={options.context_tokens}"])
    if options.aloud:
        waits_s = asyncio.run(aloud(settings, speak(settings, choose(options.turns))))
        print(f"{len(waits_s)} of {options.turns} were answered")
    else:
        waits_s = asyncio.run(by_text(settings, options.turns))
    print(f"turns      median  worst, ms to the first {'sound' if options.aloud else 'word'}")
    for start in range(0, len(waits_s), TENTH):
        ten = [1000 * wait_s for wait_s in waits_s[start : start + TENTH]]
        last = start + len(ten)
        print(f"{start + 1:3} - {last:3}  {statistics.median(ten):6.0f} {max(ten):6.0f}")
    early, late = statistics.median(waits_s[5:15]), statistics.median(waits_s[-TENTH:])
    print(f"the last ten to turns 6-15: {late / early:.2f}")


if __name__ == "__main__":
    main()
