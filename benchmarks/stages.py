"""How long each stage of a spoken turn takes on this machine, and what the program takes of it.

    .venv/bin/python benchmarks/stages.py [--rounds 3]

It speaks questions with its own voice and asks them as recordings, in real time, through the whole
pipeline. Times count from the end of a question's sound. Quote ratios, not seconds: they hold when
the machine is shared.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from edgebot.asking import Answer, ask_recordings
from edgebot.config import load_settings
from edgebot.observe.turns import STAGES
from edgebot.speaking import synthesize
from edgebot.stages.recording import read_recording, write_wav

QUESTIONS = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "Who wrote Romeo and Juliet?",
    "How many days are there in a week?",
    "What color is the sky on a clear day?",
    "What is the largest ocean on Earth?",
)


async def measure(rounds: int) -> list[Answer]:
    """Ask every question `rounds` times in one conversation."""
    settings = load_settings()
    spoken = await synthesize(settings, QUESTIONS)
    with tempfile.TemporaryDirectory() as folder:
        recordings = []
        for number, (audio, rate_hz) in enumerate(spoken):
            file = Path(folder) / f"{number}.wav"
            write_wav(file, audio, rate_hz)
            recordings.append(read_recording(file, file.name))
        return await ask_recordings(settings, recordings * rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    answers = asyncio.run(measure(rounds))
    memory_mb = psutil.Process().memory_info().rss / 2**20

    table = Table("stage", "first turn", "median", "worst", title=f"{len(answers)} turns, seconds")
    for stage in STAGES:
        times = [a.turn.times_s[stage] for a in answers if stage in a.turn.times_s]
        if times:
            figures = (times[0], statistics.median(times), max(times))
            table.add_row(stage, *(f"{figure:.2f}" for figure in figures))
    console = Console()
    console.print(table)
    console.print(f"memory {memory_mb:.0f} MB")


if __name__ == "__main__":
    main()
