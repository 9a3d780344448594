"""What does each technique gain? python -m benchmarks.techniques [--questions 12] [--rounds 1]

`edgebot bench` with everything as it is, then with one technique after the other switched off,
each in a process of its own, and the first one once more at the end. A technique that no setting
switches off is taken out of the program here, before it begins.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

# The library's own, where edgebot does not say otherwise.
LONG_SPIN = {"GOMP_SPINCOUNT": "300000"}


@dataclass(frozen=True)
class Technique:
    """What is switched off.

    Attributes:
        name: For a person.
        settings: Assignments that switch it off.
        taken_out: The name of a function of `WITHOUT`; "" is none.
        environment: Variables that switch it off.
    """

    name: str
    settings: tuple[str, ...] = ()
    taken_out: str = ""
    environment: tuple[tuple[str, str], ...] = ()


NOTHING = Technique("nothing")
TECHNIQUES = (
    NOTHING,
    Technique("answers ahead of the turn's end", ("turn.eager=false",)),
    Technique("the first clause spoken ahead", taken_out="speaking_ahead"),
    Technique(
        "a hold that fits the words",
        # Neither may be on the other side of `turn.hold_s`.
        ("turn.hold_question_s=10", "turn.hold_unfinished_s=0"),
    ),
    Technique("the melody, where words leave it open", ("turn.end=pause",)),
    Technique("sound in longer pieces", taken_out="patience"),
    Technique("the voice in windows", taken_out="windows"),
    Technique("clauses", ("tts.speak_by=sentence",)),
    Technique("an opening cut where one breathes", taken_out="breaths"),
    Technique("the question read while it is said", taken_out="reading_ahead"),
    Technique("both: ahead, and reading ahead", ("turn.eager=false",), taken_out="reading_ahead"),
    Technique("the question's words as a draft", taken_out="prompt_lookup"),
    Technique("each turn cut into tokens once", taken_out="turn_tokens"),
    Technique("the first sound computed alone", taken_out="right_of_way"),
    Technique("weights in a form computed faster", taken_out="recoding"),
    Technique("threads that sleep soon", environment=tuple(LONG_SPIN.items())),
    Technique("threads that leave processors to others", taken_out="giving_way"),
    Technique("words handed on in strides", taken_out="strides"),
    Technique("one thread for Moonshine", environment=(("MOONSHINE_ORT_SINGLE_THREAD", "0"),)),
    NOTHING,
)


def without_windows() -> None:
    from edgebot.engines import piper
    from edgebot.engines.voice_split import NotSplittableError

    def refuse(path: object) -> NoReturn:
        raise NotSplittableError("it is measured as a whole")

    piper._split = refuse  # type: ignore[assignment]


def without_speaking_ahead() -> None:
    from edgebot.stages import speak_ahead

    speak_ahead.connect = lambda *args: None  # type: ignore[assignment]


def without_breaths() -> None:
    from edgebot.stages import spoken_text

    spoken_text.BREATHS = ()


def without_reading_ahead() -> None:
    from edgebot.stages import read_ahead

    read_ahead.create = lambda *args: None  # type: ignore[assignment]


def without_prompt_lookup() -> None:
    from edgebot.stages import llm_llama_cpp

    llm_llama_cpp.last_words = lambda messages: ""


def without_turn_tokens() -> None:
    from edgebot.engines import turn_tokens

    turn_tokens._KEPT_TURNS = 0


def without_right_of_way() -> None:
    from edgebot.engines.right_of_way import FIRST_SOUND

    FIRST_SOUND.give = lambda: None  # type: ignore[method-assign]


def without_patience() -> None:
    from edgebot.stages import patience

    patience.JOINED_S = 0.0


def without_recoding() -> None:
    from edgebot.stages import llm_llama_cpp

    llm_llama_cpp.faster = lambda path, folder: path


def without_giving_way() -> None:
    from edgebot.engines.at_work import OTHERS

    OTHERS.left_of = lambda threads: threads  # type: ignore[method-assign]


def without_strides() -> None:
    from edgebot.stages import llm_llama_cpp

    llm_llama_cpp.strides = lambda pieces: ([piece] for piece in pieces)  # type: ignore[assignment]


WITHOUT: dict[str, Callable[[], None]] = {
    "windows": without_windows,
    "speaking_ahead": without_speaking_ahead,
    "breaths": without_breaths,
    "reading_ahead": without_reading_ahead,
    "prompt_lookup": without_prompt_lookup,
    "turn_tokens": without_turn_tokens,
    "right_of_way": without_right_of_way,
    "patience": without_patience,
    "recoding": without_recoding,
    "giving_way": without_giving_way,
    "strides": without_strides,
}


def run(technique: Technique, questions: int) -> dict[str, Any]:
    """Return the turns of a report without a technique."""
    flags = [part for assignment in technique.settings for part in ("--set", assignment)]
    bench = ["bench", "--only", "turns", "--no-floor", "--json", "-n", str(questions)]
    command = [sys.executable, "-m", "benchmarks.techniques", "--without", technique.taken_out]
    ran = subprocess.run(
        [*command, "--", *flags, *bench],
        env=os.environ | dict(technique.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    turns: dict[str, Any] = json.loads(ran.stdout)["turns"]
    return turns


def show(name: str, reports: Sequence[dict[str, Any]], usual_s: float) -> float:
    """Print a line, and return the median."""
    stages = [report["stages"]["first sound"] for report in reports]
    median_s = statistics.median(stage["p50"] for stage in stages)
    worst_s = max(stage["worst"] for stage in stages)
    answered = sum(report["answered"] for report in reports)
    asked = sum(report["asked"] for report in reports)
    gain = f"{median_s - usual_s:+8.2f}" if usual_s else "        "
    gaps = sum(report["underruns"] for report in reports)
    longest_s = max(report["longest_underrun_s"] for report in reports)
    print(
        f"{name:42} {median_s:6.2f} {gain} {worst_s:6.2f}  {answered:3} of {asked:3}"
        f"  {gaps:4} {longest_s:7.2f}",
        flush=True,
    )
    return median_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--without", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without is not None:
        WITHOUT.get(options.without, lambda: None)()
        from edgebot.cli.app import run as edgebot

        sys.exit(edgebot(options.arguments))
    print(f"{'switched off':38} median, s  without  worst  answered  gaps  longest", flush=True)
    usual_s = 0.0
    for technique in TECHNIQUES:
        reports = [run(technique, options.questions) for _ in range(options.rounds)]
        median_s = show(technique.name, reports, usual_s)
        usual_s = usual_s or median_s


if __name__ == "__main__":
    main()
