"""How many key words of recorded orders are understood: python -m benchmarks.orders FOLDER

The folder holds recordings and a `label.json`: {"a.wav": {"slots": {"size": "twelve ounce"}}}. The
words of all slots are the key words. The figures of `edgebot listen` stand beside those of the bare
engine, which is handed each whole recording: the house must not lose what its engine hears.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loguru import logger


@dataclass(frozen=True)
class Score:
    """How well a set of recordings was understood: of each kind, how many there are and were heard.

    Attributes:
        recordings: A recording is heard when all its key phrases are.
        phrases: What a slot holds, such as "light roast".
        words: The single words of all phrases.
    """

    recordings: tuple[int, int]
    phrases: tuple[int, int]
    words: tuple[int, int]

    def __str__(self) -> str:
        def part(counts: tuple[int, int], what: str) -> str:
            return f"{counts[1]} of {counts[0]} {what} ({counts[1] / counts[0]:.3f})"

        return ", ".join(
            [
                part(self.recordings, "recordings whole"),
                part(self.phrases, "key phrases"),
                part(self.words, "key words"),
            ]
        )


def words(text: str) -> list[str]:
    """Return a text's words in lower case; a hyphen parts two of them."""
    return re.findall(r"[a-z0-9']+", text.lower())


def read_labels(folder: Path) -> dict[str, list[list[str]]]:
    """Return the key phrases of each recording, each as its words."""
    labels = json.loads((folder / "label.json").read_text(encoding="utf-8"))
    return {
        name: [words(phrase) for phrase in entry["slots"].values()]
        for name, entry in labels.items()
    }


def holds(heard: Sequence[str], phrase: Sequence[str]) -> bool:
    """Tell whether the words of a phrase stand side by side in what was heard."""
    size = len(phrase)
    return any(heard[at : at + size] == phrase for at in range(len(heard) - size + 1))


def score(labels: Mapping[str, list[list[str]]], transcripts: Mapping[str, str]) -> Score:
    """Compare transcripts with what they must hold."""
    found = {
        name: [(phrase, holds(words(transcripts[name]), phrase)) for phrase in phrases]
        for name, phrases in labels.items()
    }
    phrases = [is_heard for rows in found.values() for _, is_heard in rows]
    single = [
        word in words(transcripts[name])
        for name, rows in found.items()
        for phrase, _ in rows
        for word in phrase
    ]
    whole = [all(is_heard for _, is_heard in rows) for rows in found.values()]
    return Score(*((len(kind), sum(kind)) for kind in (whole, phrases, single)))


def listen(files: Sequence[Path], flags: Sequence[str]) -> dict[str, str]:
    """Return what `edgebot listen` hears in each recording."""
    command = [sys.executable, "-m", "edgebot", *flags, "listen", "--json", *map(str, files)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(line["file"]).name: line["heard"] for line in lines}


def bare_engine(files: Sequence[Path], flags: Sequence[str]) -> dict[str, str]:
    """Return what Moonshine alone hears in each whole recording."""
    # Pipecat greets whoever imports it.
    logger.remove()
    from edgebot.app import choose_model
    from edgebot.config import load_settings
    from edgebot.stages.recording import RATE_HZ, read_recording
    from edgebot.stages.stt_moonshine import load_transcriber

    settings = load_settings(flags=[*flags[1::2], "stt.engine=moonshine"])
    model, _ = choose_model("stt", settings)
    transcriber = load_transcriber(model.path, str(model.model.options.get("arch", "tiny")))
    heard = {}
    for file in files:
        audio = np.frombuffer(read_recording(file, file.name).audio, dtype="<i2") / 32768
        transcript = transcriber.transcribe_without_streaming(audio.tolist(), RATE_HZ)
        heard[file.name] = " ".join(line.text for line in transcript.lines)
    return heard


def main() -> None:
    """Print both scores, and with --verbose every transcript that lacks a key word."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--verbose", action="store_true", help="print what was misheard")
    options = parser.parse_args()
    flags = [part for assignment in options.settings for part in ("--set", assignment)]
    labels = read_labels(options.folder)
    files = [options.folder / name for name in labels]
    heard = listen(files, flags)
    if options.verbose:
        for name, phrases in labels.items():
            missed = [" ".join(p) for p in phrases if not holds(words(heard[name]), p)]
            if missed:
                print(f"{name}: {heard[name]} (without {', '.join(missed)})")
    print(f"edgebot listen: {score(labels, heard)}")
    print(f"bare Moonshine: {score(labels, bare_engine(files, flags))}")


if __name__ == "__main__":
    main()
