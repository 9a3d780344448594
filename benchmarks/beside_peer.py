"""edgebot and stock Pipecat in turn: python -m benchmarks.beside_peer YARD [--questions 20]

YARD is a folder with a yardstick, `v2v.py`, that speaks recordings into a virtual microphone,
listens at a virtual speaker and prints JSON lines, and with `run-peer.sh WAV...`, which does so
with stock Pipecat and the same models. Neither knows of edgebot, so both are measured alike.
The questions are those of `edgebot bench`, `--share` of them after each start, the programs in
turn, so that both have what the processors have to give at the time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
from loguru import logger

logger.remove()
# edgebot sets variables for the libraries that it loads; another program is to have none of them.
ENVIRONMENT = dict(os.environ)

from edgebot.bench.questions import choose, speak  # noqa: E402
from edgebot.config import load_settings  # noqa: E402

# A chime is no answer, and nobody says a name before the questions.
AS_THE_PEER = ("wake.mode=always", "chimes.play=[]")


def measure(command: list[str]) -> dict[str, Any]:
    """Return what the yardstick prints, its last lines as one object."""
    # The yardstick gives the program another home; what is kept from earlier starts is not there.
    environment = ENVIRONMENT | {"XDG_CACHE_HOME": str(Path(platformdirs.user_cache_dir()))}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = {"times_s": [line["v2v_s"] for line in lines if line.get("v2v_s")]}
    for line in lines:
        found |= {name: value for name, value in line.items() if name not in ("wav", "v2v_s")}
    return found


def edgebot(yard: Path, files: list[str]) -> dict[str, Any]:
    models = load_settings().models.dir
    flags = [part for one in (*AS_THE_PEER, f"models.dir={models}") for part in ("--set", one)]
    wavs = [part for file in files for part in ("--wav", file)]
    program = [sys.executable, "-u", "-m", "edgebot", *flags, "run"]
    command = [sys.executable, str(yard / "v2v.py"), "--ready", "^ready", *wavs, "--", *program]
    return measure(command)


def peer(yard: Path, files: list[str]) -> dict[str, Any]:
    return measure(["bash", str(yard / "run-peer.sh"), *files])


def healthy_peer(yard: Path, files: list[str], tries: int) -> dict[str, Any]:
    """Return what a peer did that answered all; if none does, what the last one did, untimed.

    Stock Pipecat's output stops for good every now and then (`timed out after 10.0s writing
    audio`). What it does from then on says nothing of how fast it is. edgebot has one try only.
    """
    for _ in range(tries):
        found = peer(yard, files)
        show("peer", found)
        if found["answered"] == found["asked"]:
            return found
    return found | {"answered": 0, "times_s": []}


def memory_mb(found: dict[str, Any]) -> int:
    return (found["rss_mb"] or 0) + found.get("llm_server_rss_mb", 0)


def show(name: str, found: dict[str, Any]) -> None:
    times_s = found["times_s"] or [math.nan]
    first_s = found.get("first_s") or times_s[0]
    print(
        f"{name:8} {found['answered']:3} of {found['asked']:3} {first_s:6.2f} "
        f"{statistics.median(times_s):6.2f} {max(times_s):6.2f} {memory_mb(found):7} "
        f"{found['ready_s']:6.1f} {found['idle_cpu_cores']:6.3f}",
        flush=True,
    )


def together(shares: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a program's shares as one: all its times, the worst first one, the most memory."""
    timed = [found for found in shares if found["times_s"]] or shares
    return {
        "answered": sum(found["answered"] for found in shares),
        "asked": sum(found["asked"] for found in shares),
        "times_s": [time_s for found in timed for time_s in found["times_s"]],
        "first_s": max((found["times_s"][0] for found in timed if found["times_s"]), default=None),
        "rss_mb": max(map(memory_mb, timed)),
        "ready_s": max(found["ready_s"] for found in timed),
        "idle_cpu_cores": statistics.median(found["idle_cpu_cores"] for found in timed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("yard", type=Path)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--share", type=int, default=5, help="questions after each start")
    parser.add_argument("--tries", type=int, default=4, help="starts of a peer that falls silent")
    options = parser.parse_args()
    questions = speak(load_settings(), choose(options.questions))
    files = [question.recording.name for question in questions]
    theirs, ours = list[dict[str, Any]](), list[dict[str, Any]]()
    print("program  answered    first median  worst  MB RSS  ready   idle", flush=True)
    for start in range(0, len(files), options.share):
        share = files[start : start + options.share]
        theirs.append(healthy_peer(options.yard, share, options.tries))
        ours.append(edgebot(options.yard, share))
        show("edgebot", ours[-1])
    print("all of them, and the worst of the first answers")
    all_theirs, all_ours = together(theirs), together(ours)
    show("peer", all_theirs)
    show("edgebot", all_ours)
    if not (all_theirs["times_s"] and all_ours["times_s"]):
        sys.exit("There is nothing to compare: one of the two answered nothing.")
    theirs_s = statistics.median(all_theirs["times_s"])
    ours_s = statistics.median(all_ours["times_s"])
    print(
        f"median to median {ours_s / theirs_s:.2f}, worst to median "
        f"{max(all_ours['times_s']) / theirs_s:.2f}, "
        f"first to its own median {all_ours['first_s'] / ours_s:.2f}, "
        f"memory {all_ours['rss_mb'] / all_theirs['rss_mb']:.2f}"
    )


if __name__ == "__main__":
    main()
