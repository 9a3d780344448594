"""Everything that `edgebot bench` measures, one part after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebot.app import load_engines
from edgebot.bench.questions import Question
from edgebot.bench.turns import Asked, Questioner, ask_all, quiet
from edgebot.config import Settings


@dataclass(frozen=True)
class Watcher:
    """Who is told what happens meanwhile.

    Attributes:
        note: Is told what a person should know.
        step: Is told what is measured now.
        asked: Is told of each question.
    """

    note: Callable[[str], None] = lambda text: None
    step: Callable[[str], None] = lambda text: None
    asked: Callable[[Asked], None] = lambda asked: None


async def measure_turns(
    settings: Settings, questions: Sequence[Question], watcher: Watcher
) -> list[Asked]:
    """Ask all questions in one conversation.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    settings = quiet(settings)
    watcher.step("loading the engines")
    engines = await load_engines(settings)
    for note in engines.notes:
        watcher.note(note)
    async with Questioner.start(settings, engines, when_trouble=watcher.note) as questioner:
        watcher.step(f"question 1 of {len(questions)}")
        done = 0

        def when_asked(asked: Asked) -> None:
            nonlocal done
            done += 1
            watcher.asked(asked)
            if done < len(questions):
                watcher.step(f"question {done + 1} of {len(questions)}")

        return await ask_all(questioner, questions, when_asked=when_asked)
