"""Does it hear itself, and is it still interrupted? python -m benchmarks.echo [FOLDER]

The speaker comes back into the microphone at -12 dB, 60 ms late, through a small room's response.
Long answers are spoken without anybody else in the room: whatever interrupts them is an echo. Then
people speak into answers: the recordings of FOLDER, or, without one, the project's voice as another
speaker. The table has a line for each of: neither, the canceller, the guard, and both. Canceller,
voice detector, recognizer and voice are the real ones; the room's time is simulated.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr
from loguru import logger
from pipecat.processors.frame_processor import FrameProcessor

from edgebot.app import choose_model
from edgebot.config import Settings, load_settings
from edgebot.engines.piper import PiperEngine
from edgebot.stages import echo, stt_moonshine
from edgebot.stages.recording import read_recording
from tests.integration.room import HEARD_HZ, PLAYED_HZ, Room, at_level, response
from tests.unit.fake_time import run_in_fake_time

ANSWERS = (
    "Bees live together in a hive. In the morning the workers fly out and look for flowers. They "
    "bring back nectar, which they turn into honey, and pollen, which they feed to the young. In "
    "winter they huddle together and keep their queen warm.",
    "Once upon a time there was a king who lived in a castle by the sea. Every evening he walked "
    "along the beach and counted the waves. One day a small boat came, and in it sat a stranger "
    "who had never seen a king before.",
    "To bake bread, mix flour, water, salt and yeast in a large bowl. Knead the dough for ten "
    "minutes, cover it, and let it rise for an hour. Shape a loaf, let it rest once more, and bake "
    "it in a hot oven until the crust is brown.",
    "A volcano is a place where melted rock comes up from deep inside the earth. Some volcanoes "
    "erupt quietly, and the lava runs down their sides like honey. Others explode and throw ash "
    "high into the air, where the wind carries it for thousands of miles.",
    "The moon goes around the earth once a month. Its light is the light of the sun, which it "
    "reflects. When it stands between us and the sun we cannot see it at all, and two weeks later "
    "it is full and rises just as the sun goes down.",
    "Trains were first used in mines, where horses pulled carts on wooden rails. Later engineers "
    "built machines that were driven by steam. They were loud and dirty, but they could pull more "
    "than a hundred horses, and soon every city wanted a station of its own.",
    "Coffee grows on small trees in warm countries. The beans are the seeds of a red fruit. They "
    "are picked by hand, washed, dried in the sun, and shipped across the ocean. Only when they "
    "are roasted do they turn brown and get the taste that we know.",
    "The heart is a muscle about the size of a fist. It beats around seventy times every minute, "
    "and each beat pushes blood through the whole body. When you run it beats faster, because your "
    "legs need more oxygen than they do when you sit and read.",
    "Whales are not fish. They breathe air, and their young drink milk. The blue whale is the "
    "largest animal that has ever lived, and yet it eats the smallest ones: tiny creatures that "
    "drift in cold water, which it catches by the million.",
    "The first clocks had no hands. People watched a shadow move over a stone, or water drip from "
    "one bowl into another. Much later somebody built a clock with wheels and weights, and put it "
    "in a tower, where its bell told the whole town what hour it was.",
)
SAID = (
    "Stop.",
    "Stop talking, please.",
    "Wait a moment.",
    "No, that is not what I meant.",
    "What time is it?",
    "Hold on, I have another question.",
    "What is the capital of France?",
    "Please be quiet.",
    "That is enough, thank you.",
    "Turn the lights off in the kitchen.",
    "Set a timer for five minutes.",
    "Can you say that again?",
    "Never mind.",
    "How much is twelve times twelve?",
    "Tell me something else.",
    "Will it rain tomorrow?",
    "Excuse me, who are you?",
    "I would like a cup of tea.",
    "Play some music.",
    "Okay, go to sleep.",
)
# A person at a table is heard about as loud as this; the loudest sample is at 0 dB.
PERSON_DB = -26.0
# What is not noticed in this time was ignored.
NOTICED_S = 3.0

Stt = Callable[[], FrameProcessor]


@dataclass(frozen=True)
class Answer:
    """What the assistant says, and how it sounds: 16-bit mono PCM at `PLAYED_HZ`."""

    text: str
    audio: bytes

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return len(self.audio) / (2 * PLAYED_HZ)


@dataclass(frozen=True)
class Saying:
    """What a person says: samples from -1 to 1 at 16 kHz, from the first sound on."""

    text: str
    samples: np.ndarray


@dataclass
class Result:
    """What came of one way to guard.

    Attributes:
        answers: How many were spoken with nobody else in the room.
        interrupted: How many of them were broken off.
        pauses: How often they were held and went on.
        own_turns: How often its own words became somebody's turn.
        taken: Of the people who spoke into an answer, whether the answer was broken off.
        silence_s: From a person's first sound to silence.
        likenesses: How much of what was said is in the turn's question.
    """

    answers: int = 0
    interrupted: int = 0
    pauses: int = 0
    own_turns: int = 0
    taken: list[bool] = field(default_factory=list)
    silence_s: list[float] = field(default_factory=list)
    likenesses: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        silence_ms = [1000 * value for value in self.silence_s] or [float("nan")]
        return (
            f"{self.interrupted:3} of {self.answers:2} | {self.own_turns:9} | {self.pauses:6} | "
            f"{sum(self.taken):3} of {len(self.taken):2} | {statistics.median(silence_ms):6.0f} "
            f"{max(silence_ms):6.0f} | {statistics.mean(self.likenesses or [0.0]):8.2f}"
        )


async def measure(
    settings: Settings,
    stt: Stt,
    answers: list[Answer],
    people: list[Saying],
    *,
    alone: int,
    level_db: float,
    verbose: bool,
) -> Result:
    """Speak some answers alone, then let everybody interrupt one."""
    result = Result()
    loop = asyncio.get_running_loop()
    stage = echo.create(settings, "microphone")
    async with Room(settings, stt(), echo=stage, click=response(level_db=level_db)) as room:
        for answer in answers[:alone]:
            before = len(room.heard.interruptions_s), len(room.heard.turns_s)
            holds = len(room.heard.holds_s)
            await room.begin(answer.text, answer.audio)
            await room.end()
            result.answers += 1
            result.interrupted += len(room.heard.interruptions_s) > before[0]
            result.own_turns += len(room.heard.turns_s) - before[1]
            result.pauses += len(room.heard.holds_s) - holds
        for trouble in room.heard.troubles:
            print(f"  {trouble}")
    # People come into a room where it has just been shown that no voice can be told from its own.
    stage = echo.create(settings, "microphone")
    async with Room(settings, stt(), echo=stage, click=response(level_db=level_db)) as room:
        rng = np.random.default_rng(3)
        for number, saying in enumerate(people):
            answer = answers[number % len(answers)]
            heard = len(room.heard.questions), len(room.heard.transcripts)
            await room.begin(answer.text, answer.audio)
            await asyncio.sleep(rng.uniform(2.0, answer.duration_s - 6.0))
            began = loop.time()
            room.speak(saying.samples)
            await asyncio.sleep(len(saying.samples) / HEARD_HZ + NOTICED_S)
            taken = [at - began for at in room.heard.interruptions_s if at > began]
            result.taken.append(bool(taken))
            if taken:
                silent = room.silent_from(began) - began
                result.silence_s.append(silent)
            await room.end()
            question = " ".join(room.heard.questions[heard[0] :])
            result.likenesses.append(likeness(saying.text, question))
            if verbose:
                transcripts = " / ".join(room.heard.transcripts[heard[1] :])
                print(
                    f"  {[round(at, 2) for at in taken]} {saying.text!r} -> {question!r} "
                    f"({transcripts!r})"
                )
    return result


def likeness(first: str, second: str) -> float:
    """Return how alike two texts sound by their letters, 0.0 to 1.0."""
    letters = ["".join(filter(str.isalnum, text.lower())) for text in (first, second)]
    return difflib.SequenceMatcher(None, *letters, autojunk=False).ratio()


def synthesized(engine: PiperEngine, text: str) -> np.ndarray:
    """Return a spoken text, -1 to 1 at the voice's rate."""
    return np.frombuffer(b"".join(engine.synthesize(text)), dtype="<i2").astype(float) / 32768


def answer_of(engine: PiperEngine, text: str) -> Answer:
    """Return an answer as the assistant speaks it."""
    samples = soxr.resample(synthesized(engine, text), engine.rate_hz, PLAYED_HZ)
    return Answer(text, (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def from_first_sound(samples: np.ndarray) -> np.ndarray:
    """Return speech without the silence at its beginning."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() / 10)
    return samples[loud[0] :]


def person_of(engine: PiperEngine, text: str) -> Saying:
    """Return a text as somebody else says it: the same voice, a fifth higher."""
    samples = soxr.resample(synthesized(engine, text), engine.rate_hz * 1.2, HEARD_HZ)
    return Saying(text, at_level(from_first_sound(samples), PERSON_DB))


def people_of(folder: Path, heard: Callable[[bytes], str]) -> list[Saying]:
    """Return the recordings of a folder, each with what the recognizer alone makes of it."""
    people = []
    for file in sorted(folder.glob("*.wav")):
        audio = read_recording(file, file.name).audio
        samples = np.frombuffer(audio, dtype="<i2").astype(float) / 32768
        people.append(Saying(heard(audio), at_level(from_first_sound(samples), PERSON_DB)))
    return people


WAYS = {
    "neither": ("off", "false"),
    "canceller": ("on", "false"),
    "guard": ("off", "true"),
    "both": ("on", "true"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="recordings of people who interrupt")
    parser.add_argument("--way", action="append", choices=WAYS, help="measure only this one")
    parser.add_argument(
        "--answers", type=int, default=len(ANSWERS), help="how many are spoken alone"
    )
    parser.add_argument("--people", type=int, default=len(SAID), help="how many interrupt")
    parser.add_argument("--level", type=float, default=-12.0, help="of the echo, in dB")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--verbose", action="store_true", help="print every interruption")
    options = parser.parse_args()
    logger.remove()
    settings = load_settings(flags=options.settings)
    voice, _ = choose_model("tts", settings)
    ear, _ = choose_model("stt", settings)
    engine = PiperEngine(voice.path)
    answers = [answer_of(engine, text) for text in ANSWERS]
    transcriber = stt_moonshine.load_transcriber(ear.path, "tiny")

    def heard(audio: bytes) -> str:
        samples = np.frombuffer(audio, dtype="<i2") / 32768
        lines = transcriber.transcribe_without_streaming(samples.tolist(), HEARD_HZ).lines
        return " ".join(line.text for line in lines)

    def stt() -> FrameProcessor:
        return stt_moonshine.LocalMoonshineSTTService(
            transcriber=transcriber,
            settings=stt_moonshine.MoonshineSTTSettings(model="tiny", language=settings.language),
        )

    if options.folder:
        people = people_of(options.folder, heard)
    else:
        other = PiperEngine(voice.path, speed=0.9)
        people = [person_of(other, text) for text in SAID]
    length_s = statistics.mean(answer.duration_s for answer in answers)
    print(f"answers of {length_s:.0f} s; echo at {options.level:g} dB; people at {PERSON_DB:g} dB")
    print("          | broken off by itself | pauses | people taken | ms to silence | words")
    print("          |   answers | own turns |        |             | median  worst |")
    for way in options.way or WAYS:
        cancel, guard = WAYS[way]
        flags = [*options.settings, f"echo.cancel={cancel}", f"echo.guard={guard}"]
        result = run_in_fake_time(
            measure(
                load_settings(flags=flags),
                stt,
                answers,
                people[: options.people],
                alone=options.answers,
                level_db=options.level,
                verbose=options.verbose,
            )
        )
        print(f"{way:9} | {result}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
