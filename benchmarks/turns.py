"""How many recordings are taken as exactly one turn: python -m benchmarks.turns FOLDER

Each recording of the folder is spoken into a virtual microphone, in real time, with `edgebot run`
as a process of its own at the other end. A recording that becomes two turns was cut short; one that
becomes none was not noticed. Also printed: how long after the speech the turn ended.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness import Ear, Program, VirtualSound, missing_programs

# As long as this nothing may be said or printed before the next recording.
QUIET_S = 2.5
LONGEST_WAIT_S = 40.0


@dataclass(frozen=True)
class Taken:
    """What became of one recording: the turns, and how long after its last sound the first ended.

    A turn that ended before the last sound has a negative delay.
    """

    name: str
    turns: tuple[str, ...]
    delay_s: float | None


def speak(name: str, wav: Path, sound: VirtualSound, program: Program, ears: list[Ear]) -> Taken:
    """Speak one recording, wait until the assistant is quiet again, and see what it took."""
    microphone, speaker = ears
    start = time.monotonic()
    sound.play(wav)
    played = time.monotonic()
    while time.monotonic() - played < LONGEST_WAIT_S:
        printed = program.lines[-1][0] if program.lines else start
        loud = speaker.loud_times(played - 1)
        if time.monotonic() - max(played, printed, *loud[-1:]) > QUIET_S:
            break
        time.sleep(0.1)
    found = list(program.find(r"^ +you  (.*)", start))
    end = microphone.loud_times(start)[-1]
    delay_s = found[0][0] - end if found else None
    return Taken(name, tuple(match.group(1) for _, match in found), delay_s)


def measure(folder: Path, settings: list[str], verbose: bool) -> list[Taken]:
    """Speak all recordings of a folder to one assistant."""
    flags = [part for assignment in settings for part in ("--set", assignment)]
    taken = []
    with VirtualSound() as sound:
        command = [sys.executable, "-u", "-m", "edgebot", *flags, "run"]
        with (
            Program(command, sound.environment) as program,
            sound.hear("mic") as microphone,
            sound.hear("spk") as speaker,
        ):
            program.wait_for("ready", 120)
            time.sleep(QUIET_S)
            for name in json.loads((folder / "label.json").read_text(encoding="utf-8")):
                one = speak(name, folder / name, sound, program, [microphone, speaker])
                taken.append(one)
                if verbose or len(one.turns) != 1:
                    delay = "" if one.delay_s is None else f" {one.delay_s:+.2f} s"
                    print(f"{name}: {len(one.turns)} turns{delay}: {' | '.join(one.turns)}")
                    sys.stdout.flush()
            program.end()
    return taken


def main() -> None:
    """Print the recordings that were not exactly one turn, and how many were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--verbose", action="store_true", help="print every recording")
    options = parser.parse_args()
    if missing := missing_programs():
        parser.error(f"this needs {', '.join(missing)} (Debian: pulseaudio, pulseaudio-utils)")
    taken = measure(options.folder, options.settings, options.verbose)
    ones = [one for one in taken if len(one.turns) == 1]
    delays = [one.delay_s for one in ones if one.delay_s is not None]
    median = f", its end noticed after {statistics.median(delays):.2f} s (median)" if delays else ""
    print(f"exactly one turn in {len(ones)} of {len(taken)} recordings{median}")


if __name__ == "__main__":
    main()
