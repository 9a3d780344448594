"""edgebot and stock Pipecat in turn: python -m benchmarks.beside_peer YARD [--questions 20]

YARD is a folder with a yardstick, `v2v.py`, that speaks recordings into a virtual microphone,
listens at a virtual speaker and prints JSON lines, and with `run-peer.sh WAV...`, which does so
with stock Pipecat and the same models. Neither knows of edgebot, so both are measured alike.
The questions are those of `edgebot bench`; each program is asked them `--rounds` times, in turn.
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


def show(name: str, found: dict[str, Any]) -> float:
    times_s = found["times_s"] or [math.nan]
    median_s = statistics.median(times_s)
    memory_mb = (found["rss_mb"] or 0) + found.get("llm_server_rss_mb", 0)
    print(
        f"{name:8} {found['answered']:3} of {found['asked']:3} {times_s[0]:6.2f} {median_s:6.2f} "
        f"{max(times_s):6.2f} {memory_mb:7} {found['ready_s']:6.1f} {found['idle_cpu_cores']:6.3f}",
        flush=True,
    )
    return median_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("yard", type=Path)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    questions = speak(load_settings(), choose(options.questions))
    files = [question.recording.name for question in questions]
    print("program  answered    first median  worst  MB RSS  ready   idle", flush=True)
    for _ in range(options.rounds):
        theirs_s = show("peer", peer(options.yard, files))
        ours = edgebot(options.yard, files)
        ours_s = show("edgebot", ours)
        worst_s = max(ours["times_s"], default=math.nan)
        print(f"median to median {ours_s / theirs_s:.2f}, worst to median {worst_s / theirs_s:.2f}")


if __name__ == "__main__":
    main()
