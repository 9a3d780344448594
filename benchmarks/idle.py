"""What `edgebot run` takes asleep in a kitchen, under PulseAudio: python -m benchmarks.idle FOLDER

The folder holds `noise/kitchen.wav`. The whole program with its real engines runs in a process of
its own; the kernel tells how long each of its threads was on a processor. Beside it: the wake word
engine alone, handed the same sound in real time, 20 ms at a time and as the program hands it on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from edgebot.config import load_settings
from edgebot.engines.wakeword import MicroWakeWordEngine
from edgebot.hw.audio_stream import FRAME_BYTES, MICROPHONE_PERIOD_S, PATIENT_S
from edgebot.stages.recording import read_recording
from tests.e2e.harness import Program, VirtualSound


def thread_times_s(process: int) -> dict[str, float]:
    """Return how long each thread of a process was on a processor, by its number and name."""
    found = {}
    for task in Path(f"/proc/{process}/task").iterdir():
        name = (task / "comm").read_text().strip()
        found[f"{task.name} {name}"] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def measure_program(models: Path, noise: Path, seconds: float) -> None:
    """Let the program sleep beside a noise."""
    command = [sys.executable, "-u", "-m", "edgebot", "--set", f"models.dir={models}", "run"]
    with (
        VirtualSound() as sound,
        sound.hear("mic"),
        sound.hear("spk"),
        Program(command, sound.environment) as program,
    ):
        program.wait_for("^ready: ", 120)
        with subprocess.Popen(
            ["paplay", "--device=mic", str(noise)], env=sound.environment
        ) as player:
            time.sleep(3)
            before, began_s = thread_times_s(program.process.pid), time.monotonic()
            time.sleep(seconds)
            after, took_s = thread_times_s(program.process.pid), time.monotonic() - began_s
            player.kill()
        if "listening" in program.text:
            print("it woke, so the figure is none of sleep:", program.text)
    shares = {name: (spent - before.get(name, 0)) / took_s for name, spent in after.items()}
    print(f"asleep in {noise.name}, {took_s:.0f} s: {sum(shares.values()):.4f} of a core")
    for name, share in sorted(shares.items(), key=lambda item: -item[1])[:6]:
        print(f"  {share:.4f} {name}")


def measure_engine(noise: Path, piece_s: float, seconds: float) -> None:
    """Let the wake word engine alone hear a noise in real time."""
    wake = load_settings(flags=[], environment={}).wake
    engine = MicroWakeWordEngine(wake.words, sensitivity=wake.sensitivity)
    audio = read_recording(noise, noise.name).audio
    size = int(FRAME_BYTES * piece_s / MICROPHONE_PERIOD_S)
    spent_s, due_s = 0.0, time.monotonic()
    for start in range(0, int(seconds / piece_s) * size, size):
        due_s += piece_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        began_s = time.thread_time()
        engine.accept(audio[start : start + size])
        spent_s += time.thread_time() - began_s
    print(f"its engine alone, {1000 * piece_s:.0f} ms at a time: {spent_s / seconds:.4f} of a core")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    noise = options.folder / "noise" / "kitchen.wav"
    measure_program(
        load_settings(flags=[], environment={}).models.dir.resolve(), noise, options.seconds
    )
    for piece_s in (MICROPHONE_PERIOD_S, PATIENT_S):
        measure_engine(noise, piece_s, options.seconds)


if __name__ == "__main__":
    main()
