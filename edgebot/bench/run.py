"""Everything that `edgebot bench` measures, one part after the other."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgebot.app import load_engines
from edgebot.bench import bare, idle
from edgebot.bench.apart import Apart
from edgebot.bench.engines import factor, join, measure_house, texts
from edgebot.bench.floor import floor_section
from edgebot.bench.names import ROLES, model_name
from edgebot.bench.questions import Question, speak
from edgebot.bench.report import Report, machine_section, rounded, turns_section
from edgebot.bench.room import MakeRoom, PacedRoom
from edgebot.bench.turns import Asked, Questioner, ask_all, quiet
from edgebot.bench.usage import Share, heat
from edgebot.config import Settings

TURNS, ENGINES, IDLE = "turns", "engines", "idle"
PARTS = (TURNS, ENGINES, IDLE)
# Long enough that a timer which fires now and then counts for what it is.
IDLE_S = 10.0
# What a machine does for itself; more than that takes time from the engines.
QUIET_CORES = 0.15
# What somebody says while the language model writes.
_LISTENING_QUESTIONS = 4
NOTHING_TO_COMPARE = (
    "One of these engines has no library that could be called alone, so there is no floor."
)


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


def measure(
    settings: Settings,
    wanted: Sequence[str],
    watcher: Watcher,
    *,
    parts: Sequence[str] = PARTS,
    with_floor: bool = True,
    make_room: MakeRoom = PacedRoom,
) -> Report:
    """Measure this machine and return the report. It runs event loops of its own.

    Args:
        settings: All of them.
        wanted: The questions to ask.
        watcher: Is told what happens.
        parts: Of `PARTS`, what is measured.
        with_floor: Whether the turns are compared with the bare engines.
        make_room: Makes the two ends of the pipeline.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    report = machine_section({role: model_name(role, settings) for role in ROLES})
    is_comparable = bare.is_comparable(settings)
    if not is_comparable:
        watcher.note(NOTHING_TO_COMPARE)
    watcher.step("speaking the questions")
    with Apart() as apart:
        questions = apart.run(speak, settings, wanted)
    if TURNS in parts:
        asked, report[TURNS] = _turns(settings, questions, watcher, make_room)
        if is_comparable and with_floor:
            watcher.step("the bare engines, for the floor")
            with Apart() as apart:
                floors = apart.run(bare.floors, settings, questions, asked)
            report["floor"] = floor_section([one for one in asked if one.is_answered], floors)
    if ENGINES in parts and is_comparable:
        report[ENGINES] = _engines(settings, questions, watcher)
    if IDLE in parts:
        report[IDLE] = _idle(settings, watcher)
    finished: Report = rounded(report)
    return finished


def _turns(
    settings: Settings, questions: Sequence[Question], watcher: Watcher, make_room: MakeRoom
) -> tuple[list[Asked], Report]:
    share = Share()
    asked = asyncio.run(measure_turns(settings, questions, watcher, share, make_room))
    if share.others_cores > QUIET_CORES:
        watcher.note(
            f"Other programs took {share.others_cores:.1f} cores meanwhile, so these are not this "
            "machine's own times: stop them and measure again."
        )
    usage = {"busy_cores": share.cores, "others_cores": share.others_cores, "heat": heat()}
    return asked, turns_section(asked) | usage


async def measure_turns(
    settings: Settings,
    questions: Sequence[Question],
    watcher: Watcher,
    share: Share | None = None,
    make_room: MakeRoom = PacedRoom,
) -> list[Asked]:
    """Ask all questions in one conversation.

    Args:
        settings: All of them.
        questions: What is asked.
        watcher: Is told what happens.
        share: Measures what it takes of the processor.
        make_room: Makes the two ends of the pipeline.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    settings = quiet(settings)
    watcher.step("loading the engines")
    engines = await load_engines(settings)
    for note in engines.notes:
        watcher.note(note)
    async with Questioner.start(
        settings, engines, make_room=make_room, when_trouble=watcher.note
    ) as questioner:
        watcher.step(f"question 1 of {len(questions)}")
        done = 0

        def when_asked(asked: Asked) -> None:
            nonlocal done
            done += 1
            watcher.asked(asked)
            if done < len(questions):
                watcher.step(f"question {done + 1} of {len(questions)}")

        with share or Share():
            return await ask_all(questioner, questions, when_asked=when_asked)


def _engines(settings: Settings, questions: Sequence[Question], watcher: Watcher) -> Report:
    spoken = questions[:_LISTENING_QUESTIONS]
    with Apart() as apart:
        watcher.step("the bare engines")
        sounds = [join(spoken[:1]).recording.audio, join(spoken).recording.audio]
        heard = apart.run(bare.ear_factor, settings, sounds)
        said = apart.run(bare.voice_factor, settings, texts())
        first_sounds = apart.run(bare.first_sounds, settings)
        house = asyncio.run(
            measure_house(
                settings,
                spoken,
                lambda: apart.run(bare.tokens_per_s, settings),
                when_step=watcher.step,
                when_trouble=watcher.note,
            )
        )
    return engines_section(house, heard, said, first_sounds)


Timed = Sequence[tuple[float, float]]


def engines_section(
    house: dict[str, Any],
    heard: Timed,
    said: Timed,
    first_sounds: Sequence[dict[str, float]],
) -> Report:
    """Put the house beside the bare engines.

    Args:
        house: From `measure_house`.
        heard: The recognizer's library: seconds of work and of sound, for a short and a long one.
        said: Likewise of the voice's.
        first_sounds: From `bare.first_sounds`.
    """
    speeds: Report = {"bare": statistics.harmonic_mean(house["bare"])}
    for what, found in house["tokens_per_s"].items():
        if figures := found.figures():
            speeds[what] = figures
    section: Report = {"tokens_per_s": speeds, "first_sounds": list(first_sounds)}
    for role, timed in (("stt", heard), ("tts", said)):
        inside, outside = factor(*house[role]), factor(*timed)
        section[role] = {"bare": outside, "house": inside, "ratio": inside / outside}
    return section


def _idle(settings: Settings, watcher: Watcher) -> Report:
    watcher.step("a start, and doing nothing")
    began_s = time.monotonic()
    with Apart() as apart:
        section = apart.run(idle.idle, settings, began_s, IDLE_S)
    watcher.step("the wake word engine alone")
    with Apart() as apart:
        section["wake_alone_cores"] = apart.run(idle.wake_alone, settings, IDLE_S)
    watcher.step("the memory of each engine")
    with Apart() as apart:
        section["memory_by_engine"] = apart.run(idle.by_engine, settings)
    return section | {"heat": heat()}
