"""Who thinks while speaking is not cut short: python -m benchmarks.pauses FOLDER

Each recording of the folder (its `label.json` names them) is spoken to the whole pipeline in real
time, as it is and with one pause of 0.3 to 0.8 s put between two of its words. A recording that
becomes two turns, or one that ended before it did, was cut short. Also printed: how many answers
were begun ahead and withdrawn. Whether a word of one of them was spoken is not looked at here.

Between two words is where the recognizer hears the words of the whole in the two parts.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import random
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from loguru import logger

from edgebot.app import choose_model
from edgebot.bench.levels import last_loud_s
from edgebot.bench.questions import Question
from edgebot.bench.run import Watcher, measure_turns
from edgebot.bench.turns import Asked
from edgebot.config import Settings, load_settings
from edgebot.stages.recording import RATE_HZ, Recording, read_recording
from edgebot.stages.stt_moonshine import load_transcriber

Sound = npt.NDArray[np.int16]
Hear = Callable[[Sound], str]

SHORTEST_S, LONGEST_S = 0.3, 0.8
# Sound around the speech.
MARGIN_S = 0.4
FRAME = RATE_HZ // 100
# Quieter than this share of the loudest is no speech, than that share of the usual a gap.
SPEECH, GAP = 0.05, 0.35
# As alike the two parts must be to the whole, by their letters.
LIKE = 0.93
TRIES = 30


def letters(text: str) -> str:
    """Return what makes the words of a text."""
    return re.sub(r"\W", "", text.lower())


def levels(sound: Sound) -> npt.NDArray[np.float64]:
    """Return the loudness of each 10 ms."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME).astype(float)
    loud: npt.NDArray[np.float64] = np.sqrt((frames**2).mean(axis=1))
    return loud


def speech(sound: Sound) -> Sound:
    """Return the speech of a recording with a margin around it."""
    loud = levels(sound)
    where = np.flatnonzero(loud > SPEECH * loud.max())
    margin = int(MARGIN_S * 100)
    first, last = max(0, where[0] - margin), where[-1] + margin
    return sound[first * FRAME : last * FRAME]


def gaps(sound: Sound, draw: random.Random) -> Iterator[int]:
    """Yield samples at which the voice is softest for a moment, in random order."""
    loud = np.convolve(levels(sound), np.ones(3) / 3, "same")
    where = np.flatnonzero(loud > SPEECH * loud.max())
    usual = np.percentile(loud[where], 80)
    found = [
        i
        for i in range(where[0] + 15, where[-1] - 15)
        if loud[i] == loud[i - 6 : i + 7].min() and loud[i] < GAP * usual
    ]
    draw.shuffle(found)
    return (i * FRAME for i in found[:TRIES])


def with_pause(sound: Sound, hear: Hear, draw: random.Random) -> tuple[Sound, str] | None:
    """Return speech with a pause between two words and what comes before it; None without any."""
    whole = letters(hear(sound))
    for at in gaps(sound, draw):
        before, behind = hear(sound[:at]), hear(sound[at:])
        parts = letters(before) + letters(behind)
        is_between = bool(letters(before)) and bool(letters(behind))
        if is_between and difflib.SequenceMatcher(None, parts, whole).ratio() >= LIKE:
            samples = int(draw.uniform(SHORTEST_S, LONGEST_S) * RATE_HZ)
            room = np.resize(sound[: RATE_HZ // 5], samples)
            return np.concatenate([sound[:at], room, sound[at:]]), before
    return None


def question(name: str, sound: Sound) -> Question:
    """Return a recording as something to ask."""
    audio = sound.tobytes()
    return Question(name, Recording(name, audio), last_loud_s(audio, RATE_HZ))


def report(what: str, asked: list[Asked]) -> None:
    """Print how often somebody was cut short."""
    cut = [one for one in asked if one.is_cut_short]
    missed = [one for one in asked if one.turns == 0]
    ends = [one.times_s["end of turn"] for one in asked if one.is_answered]
    print(
        f"{what}: {len(cut)} of {len(asked)} cut short, {len(missed)} not noticed, "
        f"{sum(one.withdrawn for one in asked)} answers begun and withdrawn; "
        f"the end noticed after {statistics.median(ends):.2f} s (median)"
    )
    for one in cut:
        print(f"    {one.question}: {one.heard}", flush=True)


def measure(folder: Path, settings: Settings, seed: int) -> None:
    """Speak all recordings, as they are and with pauses."""
    model, _ = choose_model("stt", settings)
    transcriber = load_transcriber(model.path, "tiny")

    def hear(sound: Sound) -> str:
        audio = np.concatenate([sound, np.zeros(RATE_HZ // 2, np.int16)]) / 32768
        lines = transcriber.transcribe_without_streaming(audio.tolist(), RATE_HZ).lines
        return " ".join(line.text for line in lines)

    draw = random.Random(seed)
    plain, paused = [], []
    for name in json.loads((folder / "label.json").read_text(encoding="utf-8")):
        audio = read_recording(folder / name, name).audio
        sound = speech(np.frombuffer(audio, dtype="<i2"))
        plain.append(question(name, sound))
        if found := with_pause(sound, hear, draw):
            paused.append(question(f"{found[1]} ...", found[0]))
    print(f"{len(plain)} recordings, {len(paused)} of them with a pause between two words")
    report("as they are", asyncio.run(measure_turns(settings, plain, Watcher())))
    report("with pauses", asyncio.run(measure_turns(settings, paused, Watcher())))


def main() -> None:
    """Measure, with the settings of `--set`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logger.disable("pipecat")
    # Short answers: it is the questions that count.
    flags = ["llm.max_tokens=12", "turn.interrupt=true", *options.settings]
    measure(options.folder, load_settings(flags=flags), options.seed)


if __name__ == "__main__":
    main()
