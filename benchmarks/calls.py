"""Voice to voice in a browser beside the device's own: python -m benchmarks.calls

Five questions, spoken by the project's voice: first into the microphone of a Chromium that calls
the bridge, where the page itself measures from the end of each question to the first sound of its
answer as it hears both; then into a virtual microphone of `edgebot run`, measured at a virtual
speaker.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soxr

from edgebot.app import choose_model
from edgebot.config import load_settings
from edgebot.engines.piper import PiperEngine
from edgebot.stages.recording import write_wav
from tests.browser import CHROMIUM, browser
from tests.e2e.harness import Program, VirtualSound, missing_programs

QUESTIONS = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "What color is the sky?",
    "What is the largest ocean?",
    "What do bees make?",
)
BROWSER_HZ = 48_000
GREETING_S, ANSWER_S = 8.0, 9.0
READY_S, PAUSE_S = 90.0, 1.2
WATCH = """(() => {
    const latency = document.getElementById("latency");
    window.found = [];
    new MutationObserver(() => window.found.push(Number(latency.dataset.ms)))
        .observe(latency, { attributes: true, attributeFilter: ["data-ms"] });
})()"""
# What the engine counts itself, of each turn: by stage.
COUNTED = """[...document.querySelectorAll("li.it small.times")].map((note) => Object.fromEntries(
    note.title.split(", ").map((part) => part.match(/(.+) ([0-9.]+) s/).slice(1))))"""


def speak() -> tuple[list[bytes], int]:
    """Return each question as 16-bit mono PCM, and its rate."""
    model, _ = choose_model("tts", load_settings())
    voice = PiperEngine(model.path)
    return [b"".join(voice.synthesize(question)) for question in QUESTIONS], voice.rate_hz


def microphone(file: Path, questions: list[bytes], rate_hz: int) -> float:
    """Write what the browser hears; return how long it lasts."""
    parts = [np.zeros(int(GREETING_S * BROWSER_HZ))]
    for audio in questions:
        samples = np.frombuffer(audio, dtype="<i2").astype(np.float32)
        parts += [soxr.resample(samples, rate_hz, BROWSER_HZ), np.zeros(int(ANSWER_S * BROWSER_HZ))]
    whole = np.concatenate(parts).astype("<i2")
    write_wav(file, whole.tobytes(), BROWSER_HZ)
    return len(whole) / BROWSER_HZ


async def at_the_page(folder: Path, flags: list[str]) -> tuple[list[float], list[dict[str, str]]]:
    """Return what the page measures, and what the engine counts by stage, in seconds."""
    lasts_s = microphone(folder / "questions.wav", *speak())
    socket = folder / "calls.sock"
    python, environment = [sys.executable, "-u", "-m"], dict(os.environ)
    engine = [*python, "tests.engine", str(socket), *flags]
    bridge = [*python, "edgebot", "--set", "bridge.port=0", "bridge", "--engine", str(socket)]
    with Program(engine, environment, subprocess.PIPE) as running:
        await asyncio.to_thread(running.wait_for, "ready", READY_S)
        with Program(bridge, environment) as bridging:
            link = await asyncio.to_thread(bridging.wait_for, r"http\S+token=\S+", READY_S)
            async with browser(folder / "questions.wav") as page:
                await page.open(link[0])
                await page.run(WATCH)
                await page.run("document.getElementById('call').click()")
                await asyncio.sleep(lasts_s)
                found = await page.run("window.found.map((ms) => ms / 1000)")
                return found, await page.run(COUNTED)


def at_the_device(folder: Path, flags: list[str]) -> list[float]:
    """Return what is measured between a virtual microphone and a virtual speaker, in seconds."""
    sets = [part for flag in ("wake.mode=always", *flags) for part in ("--set", flag)]
    command = [sys.executable, "-u", "-m", "edgebot", *sets, "run"]
    found = []
    with VirtualSound() as sound:
        environment = {
            **sound.environment,
            "EDGEBOT_MODELS__DIR": str(load_settings().models.dir),
        }
        with (
            Program(command, environment) as program,
            sound.hear("mic") as mic,
            sound.hear("spk") as speaker,
        ):
            program.wait_for("ready", READY_S)
            speaker.wait_for_silence(time.monotonic(), lasts_s=PAUSE_S, timeout_s=READY_S)
            questions, rate_hz = speak()
            for number, audio in enumerate(questions):
                wav = folder / f"{number}.wav"
                write_wav(wav, audio, rate_hz)
                begun = time.monotonic()
                sound.play(wav)
                asked = mic.loud_times(begun)[-1]
                answered = speaker.wait_for_sound(asked, READY_S)
                found.append(answered - asked)
                speaker.wait_for_silence(answered, lasts_s=PAUSE_S, timeout_s=READY_S)
    return found


def tell(name: str, times_s: list[float]) -> None:
    """Print one line."""
    each = ", ".join(f"{time_s:.2f}" for time_s in times_s)
    median = f"{statistics.median(times_s):.2f}" if times_s else "none"
    print(f"{name}: median {median} s of {len(times_s)} ({each})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="flags")
    flags = parser.parse_args().flags
    if CHROMIUM is None or missing_programs():
        sys.exit("This needs Chromium and PulseAudio.")
    with tempfile.TemporaryDirectory() as folder:
        page, counted = asyncio.run(at_the_page(Path(folder), flags))
        tell("at the page", page)
        for stage in dict.fromkeys(stage for turn in counted for stage in turn):
            tell(f"  {stage}", [float(turn[stage]) for turn in counted if stage in turn])
        tell("at the device", at_the_device(Path(folder), flags))


if __name__ == "__main__":
    main()
