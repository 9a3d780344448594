"""What hearing costs a language model, without edgebot: python -m benchmarks.hearing_beside

An assistant hears while it thinks. In one process, bare llama.cpp writes while bare engines hear:
Silero decides on each 32 ms of a microphone's sound, and the recognizer transcribes each question
once, at its end. There is no pipeline, no echo canceller, no speaker and no name. What they leave
llama.cpp is what edgebot's own figures, measured in turn with it, are to be held against.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import statistics
import threading
from collections.abc import Sequence

from loguru import logger

logger.remove()

from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402

from edgebot.app import choose_model, load_engines  # noqa: E402
from edgebot.bench import bare  # noqa: E402
from edgebot.bench.apart import Apart  # noqa: E402
from edgebot.bench.bare_ears import load_ear  # noqa: E402
from edgebot.bench.engines import for_some_time, join, while_listening  # noqa: E402
from edgebot.bench.paced import PacedMicrophone  # noqa: E402
from edgebot.bench.probe import Probe, endless  # noqa: E402
from edgebot.bench.questions import Question, choose, speak  # noqa: E402
from edgebot.bench.turns import Questioner, quiet  # noqa: E402
from edgebot.config import Settings, load_settings  # noqa: E402
from edgebot.stages.recording import RATE_HZ  # noqa: E402

QUESTIONS = 4
# How often silence is measured: about as long as the questions last.
SILENT_TIMES = 3


class Hearer:
    """A microphone with a voice detector, and a recognizer in a thread of its own."""

    def __init__(self, settings: Settings, questions: Sequence[Question]) -> None:
        """Load them, and say the questions one behind the other; none at all is silence."""
        self._detector = SileroVADAnalyzer(sample_rate=RATE_HZ)
        self._detector.set_sample_rate(RATE_HZ)
        self._window_bytes = 2 * self._detector.num_frames_required()
        self._waiting = bytearray()
        self._questions = list(questions)
        self._transcribe = load_ear(choose_model("stt", settings)[0]) if questions else None
        self._ended: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._microphone = PacedMicrophone(self._accept)
        self._threads = [
            threading.Thread(target=self._say, daemon=True),
            threading.Thread(target=self._hear, daemon=True),
        ]

    def _accept(self, audio: bytes) -> None:
        self._waiting += audio
        while len(self._waiting) >= self._window_bytes:
            self._detector.voice_confidence(bytes(self._waiting[: self._window_bytes]))
            del self._waiting[: self._window_bytes]

    def _say(self) -> None:
        for question in self._questions:
            self._microphone.say(question.recording.audio, question.end_s).result()
            self._ended.put(question)
        self._ended.put(None)

    def _hear(self) -> None:
        while question := self._ended.get():
            assert self._transcribe is not None
            self._transcribe(question.recording.audio)

    def start(self) -> None:
        self._microphone.start()
        for thread in self._threads:
            thread.start()

    @property
    def is_at_work(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        self._microphone.close()


def beside(settings: Settings, questions: Sequence[Question]) -> list[float]:
    """Return how fast bare llama.cpp writes while all questions are heard, or silence is."""
    hearer = Hearer(settings, questions)
    bare.tokens_per_s(settings)
    hearer.start()
    found: list[float] = []
    while hearer.is_at_work if questions else len(found) < SILENT_TIMES * bare.PROBES:
        speeds = bare.tokens_per_s(settings)
        if hearer.is_at_work or not questions:
            found += speeds
    hearer.close()
    return found


async def measure(settings: Settings, questions: Sequence[Question], rounds: int) -> None:
    settings = endless(quiet(settings))
    engines = await load_engines(settings)
    ratios: dict[str, list[float]] = {}
    with Apart() as apart:
        for _ in range(rounds):
            alone = list(apart.run(bare.tokens_per_s, settings))
            found = {
                "thinking, bare": apart.run(beside, settings, ()),
                "listening, bare": apart.run(beside, settings, questions),
            }
            alone += apart.run(bare.tokens_per_s, settings)
            async with (
                Questioner.start(settings, engines) as questioner,
                Probe.start(engines.llm) as probe,
            ):
                found["thinking, edgebot"] = await for_some_time(probe)
                found["listening, edgebot"] = await while_listening(
                    questioner, probe, join(questions)
                )
            alone += apart.run(bare.tokens_per_s, settings)
            level = statistics.median(alone)
            print(f"{level:6.1f} tokens/s alone; of it", end="", flush=True)
            for what, speeds in found.items():
                # A slow machine writes too little while the questions last.
                if speeds:
                    ratios.setdefault(what, []).append(statistics.harmonic_mean(speeds) / level)
                    print(f" {what} {ratios[what][-1]:.2f};", end="")
            print()
    for what, values in ratios.items():
        print(f"{what}: {statistics.median(values):.2f}, median of {len(values)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    rounds = parser.parse_args().rounds
    settings = load_settings()
    asyncio.run(measure(settings, speak(settings, choose(QUESTIONS)), rounds))


if __name__ == "__main__":
    main()
