"""The tables of docs/performance.md: python -m benchmarks.figures [YARD] > figures.txt

One benchmark after the other, each in a process of its own, an hour and a half in all; nothing else
should be at work. YARD is what `benchmarks.beside_peer` wants; without it the peer is left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("yard", type=Path, nargs="?")
    parser.add_argument("--minutes", default="10", help="of speech with the language model busy")
    parser.add_argument("--questions", default="20")
    options = parser.parse_args()
    count = ["--questions", options.questions]
    wanted = [
        ["edgebot", "bench", *count, "--plot", "turns.svg"],
        ["benchmarks.hearing_beside"],
        ["benchmarks.techniques", "--questions", "8"],
        ["benchmarks.conversation"],
        ["benchmarks.conversation", "--aloud", "--context-tokens", "1024"],
        ["benchmarks.stutter", "--minutes", options.minutes],
    ]
    if options.yard:
        wanted.append(["benchmarks.beside_peer", str(options.yard), *count])
    failed = 0
    for words in wanted:
        print(f"\n$ python -m {' '.join(words)}", flush=True)
        failed += subprocess.run([sys.executable, "-m", *words], check=False).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
