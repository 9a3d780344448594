"""How well its name is heard, and how much it costs: python -m benchmarks.wake FOLDER

The folder holds `wake/` (a name in each recording: hey_jarvis_1.wav), `noise/kitchen.wav` and
`orders/`, which nobody has said its name in. Each part can be run alone: --only names, questions,
asleep, press, lead.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from loguru import logger

# Pipecat greets whoever imports it.
logger.remove()

from pipecat.frames.frames import (  # noqa: E402
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    StartFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

from edgebot.app import choose_model, load_engine  # noqa: E402
from edgebot.config import Settings, load_settings  # noqa: E402
from edgebot.engines.wakeword import MicroWakeWordEngine  # noqa: E402
from edgebot.frames import WakeFrame  # noqa: E402
from edgebot.stages import context, wake  # noqa: E402
from edgebot.stages.recording import RATE_HZ, read_recording  # noqa: E402
from edgebot.stages.stt_moonshine import load_transcriber  # noqa: E402

FRAME_S = 0.02
SNR_DB = 10.0
PARTS = ("names", "questions", "asleep", "press", "lead")
# As much silence before a voice, as a gate may leave there.
LEADS_S = (1.0, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


def read(file: Path) -> bytes:
    return read_recording(file, file.name).audio


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * RATE_HZ) * 2)


def frames(audio: bytes) -> Iterator[bytes]:
    size = int(RATE_HZ * FRAME_S) * 2
    for start in range(0, len(audio), size):
        yield audio[start : start + size].ljust(size, b"\0")


def mixed(speech: bytes, noise: bytes, snr_db: float, offset: int) -> bytes:
    """Lay noise under speech; the ratio is that of the whole recordings' powers."""
    voice = np.frombuffer(speech, dtype="<i2").astype(float)
    other = np.frombuffer(noise, dtype="<i2").astype(float)[offset : offset + len(voice)]
    gain = np.sqrt((voice**2).mean() / (other**2).mean() / 10 ** (snr_db / 10))
    both = np.clip(voice + gain * other, -32768, 32767)
    return bytes(both.astype("<i2").tobytes())


def word_of(file: Path) -> str:
    return file.stem.rpartition("_")[0]


def is_heard(file: Path, audio: bytes, sensitivity: float) -> bool:
    engine = MicroWakeWordEngine([word_of(file)], sensitivity=sensitivity)
    return any(engine.accept(piece) for piece in frames(audio + silence(1)))


def measure_names(folder: Path, settings: Settings) -> None:
    """How many recordings of a name are heard, clean and in a kitchen."""
    files, noise = sorted((folder / "wake").glob("*.wav")), read(folder / "noise" / "kitchen.wav")
    sensitivity = settings.wake.sensitivity
    clean = [is_heard(file, read(file), sensitivity) for file in files]
    print(f"names, clean: {sum(clean)} of {len(files)}")
    for second in (0, 12, 50, 90):
        noisy = {
            file.name: is_heard(
                file, mixed(read(file), noise, SNR_DB, second * RATE_HZ), sensitivity
            )
            for file in files
        }
        missed = ", ".join(name for name, heard in noisy.items() if not heard) or "none"
        count = f"{sum(noisy.values())} of {len(files)}"
        print(f"names, kitchen from {second} s at 10 dB: {count} (missed: {missed})")


class Tap(FrameProcessor):
    """Keeps what comes out of the pipeline."""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.frames: list[Frame] = []
        self.started = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self.started.set()
        elif direction is FrameDirection.DOWNSTREAM:
            self.frames.append(frame)
        await self.push_frame(frame, direction)

    def count(self, kind: type[Frame]) -> int:
        return sum(isinstance(frame, kind) for frame in self.frames)

    @property
    def asked(self) -> str:
        """All that the language model would have been asked, but for what it is asked ahead."""
        asked = [frame for frame in self.frames if isinstance(frame, LLMContextFrame)]
        messages = asked[-1].context.messages if asked else []
        return " ".join(str(message["content"]) for message in messages)


async def run(
    settings: Settings, stt: FrameProcessor, sound: Sequence[bytes | Frame], *, paced: bool = True
) -> Tap:
    """Play sound and frames to a gate, speech to text and the user's aggregator."""
    user, _ = context.create(settings, LLMContext())
    tap = Tap()
    gate = wake.create(settings, wake.load_engine(settings))
    worker = PipelineWorker(
        Pipeline([gate, stt, user, tap]),
        params=PipelineParams(audio_in_sample_rate=RATE_HZ),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await tap.started.wait()
    due = time.monotonic()
    for item in sound:
        if isinstance(item, Frame):
            await worker.queue_frame(item)
            continue
        for piece in frames(item):
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - time.monotonic()) if paced else 0)
            await worker.queue_frame(InputAudioRawFrame(piece, RATE_HZ, 1))
    await asyncio.sleep(1.0)
    await worker.cancel()
    await running
    return tap


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def first_sound(audio: bytes) -> int:
    """Return the sample at which a voice begins."""
    level = np.abs(np.frombuffer(audio, dtype="<i2").astype(float))
    steps = level[: len(level) // 160 * 160].reshape(-1, 160).mean(axis=1)
    return int(np.argmax(steps > 0.08 * steps.max())) * 160


def last_sound(audio: bytes) -> int:
    """Return the sample at which a voice ends."""
    samples = np.frombuffer(audio, dtype="<i2")
    return len(samples) - first_sound(samples[::-1].tobytes())


def bare(settings: Settings) -> object:
    """Return a function that transcribes a whole recording with the bare engine."""
    model, _ = choose_model("stt", settings)
    transcriber = load_transcriber(model.path, str(model.model.options.get("arch", "tiny")))

    def transcribe(audio: bytes) -> str:
        samples = np.frombuffer(audio, dtype="<i2") / 32768
        lines = transcriber.transcribe_without_streaming(samples.tolist(), RATE_HZ).lines
        return " ".join(line.text for line in lines)

    return transcribe


async def measure_questions(folder: Path, settings: Settings) -> None:
    """A name and, 0.1 s after it, an order: is the order understood as without the name?"""
    make, _ = await load_engine("stt", settings)
    transcribe = bare(settings)
    orders = [read(file) for file in sorted((folder / "orders").glob("*.wav"))[:8]]
    whole = 0
    for file, order in zip(sorted((folder / "wake").glob("*.wav")), orders, strict=True):
        name = read(file)
        order = order[first_sound(order) * 2 :]
        sound = name[: last_sound(name) * 2] + silence(0.1) + order + silence(1.5)
        word = load_settings(
            flags=[f"wake.words=['{word_of(file)}']", "stt.engine=moonshine"], environment={}
        )
        tap = await run(word, make(), [silence(1), sound])
        wanted = words(transcribe(silence(0.3) + order + silence(0.5)))  # type: ignore[operator]
        heard = words(tap.asked)
        is_whole = heard[:2] == wanted[:2] and len(heard) >= 0.8 * len(wanted)
        whole += is_whole
        mark = "whole" if is_whole else "BUT"
        print(f"  {file.stem}: {mark} {' '.join(heard)!r} / {' '.join(wanted)!r}", flush=True)
    print(f"questions right behind a name: {whole} of {len(orders)} as the bare engine hears them")


async def measure_asleep(folder: Path, settings: Settings) -> None:
    """Orders and ten minutes of a kitchen: does it wake, and what does it cost?"""
    make, _ = await load_engine("stt", settings)
    noise = read(folder / "noise" / "kitchen.wav")
    orders = [read(file) + silence(1) for file in sorted((folder / "orders").glob("*.wav"))]
    ten_minutes = (noise * 5)[: len(silence(600))]
    tap = await run(settings, make(), [*orders, ten_minutes], paced=False)
    seconds = (sum(map(len, orders)) + len(ten_minutes)) / (2 * RATE_HZ)
    print(
        f"asleep for {seconds:.0f} s of orders and kitchen: {tap.count(WakeFrame)} times woken, "
        f"{tap.count(TranscriptionFrame)} transcripts, {tap.count(LLMContextFrame)} questions, "
        f"{tap.count(InputAudioRawFrame)} frames passed on"
    )
    began = time.process_time(), time.monotonic()
    await run(settings, make(), [noise[: len(silence(60))]])
    share = (time.process_time() - began[0]) / (time.monotonic() - began[1])
    print(f"asleep in real time, gate, speech to text and aggregator: {share:.4f} of a core")


async def measure_press(folder: Path, settings: Settings) -> None:
    """Orders spoken right after a press: is the first word there?"""
    make, _ = await load_engine("stt", settings)
    transcribe = bare(settings)
    button = load_settings(flags=["wake.mode=button", "stt.engine=moonshine"], environment={})
    for late_s in (0.0, 0.2):
        kept, files = 0, sorted((folder / "orders").glob("*.wav"))
        for file in files:
            order = read(file)
            at = first_sound(order) * 2 + len(silence(late_s))
            sound = [silence(1) + order[:at], WakeFrame(), order[at:] + silence(1.5)]
            heard = words((await run(button, make(), sound)).asked)
            wanted = words(transcribe(order))  # type: ignore[operator]
            kept += heard[:1] == wanted[:1]
            if heard[:1] != wanted[:1]:
                print(
                    f"  {file.stem[:8]}: {' '.join(heard[:5])!r} / {' '.join(wanted[:5])!r}",
                    flush=True,
                )
        count = f"{kept} of {len(files)}"
        print(f"orders, pressed {late_s} s late: first word as the bare engine's: {count}")


async def measure_lead(folder: Path, settings: Settings) -> None:
    """How far the bare engine's own first word depends on the silence before it."""
    transcribe = bare(settings)
    files, unsteady = sorted((folder / "orders").glob("*.wav")), 0
    for file in files:
        order = read(file)
        voice = order[first_sound(order) * 2 :] + silence(0.2)
        heard = [order, *(silence(lead_s) + voice for lead_s in LEADS_S)]
        first = [" ".join(words(transcribe(audio))[:1]) for audio in heard]  # type: ignore[operator]
        unsteady += len(set(first)) > 1
        if len(set(first)) > 1:
            print(f"  {file.stem[:8]}: {first}", flush=True)
    print(f"the bare engine's first word changes with the silence: {unsteady} of {len(files)}")


def main() -> None:
    """Measure one part or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args()
    settings = load_settings(flags=[*options.settings, "stt.engine=moonshine"], environment={})
    parts = (options.only,) if options.only else PARTS
    if "names" in parts:
        measure_names(options.folder, settings)
    for name, measure in (
        ("questions", measure_questions),
        ("asleep", measure_asleep),
        ("press", measure_press),
        ("lead", measure_lead),
    ):
        if name in parts:
            asyncio.run(measure(options.folder, settings))


if __name__ == "__main__":
    main()
