"""The engines inside the house: how fast they are while the rest of it is at work."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames.frames import InterruptionFrame, TTSSpeakFrame

from edgebot.app import Engines, load_engines
from edgebot.bench.bare import PROBE_TOKENS, PROBES, SENTENCES
from edgebot.bench.levels import last_loud_s
from edgebot.bench.narrator import Narrator
from edgebot.bench.probe import Probe, endless
from edgebot.bench.questions import Question
from edgebot.bench.turns import Questioner, quiet
from edgebot.config import Settings
from edgebot.listening import hear
from edgebot.speaking import RATE_HZ as VOICE_RATE_HZ
from edgebot.speaking import speak
from edgebot.stages.recording import RATE_HZ, Recording, RecordingTransport

THINKING, LISTENING, SPEAKING, COMPUTING = "thinking", "listening", "speaking", "computing"
PHASES = (THINKING, LISTENING, SPEAKING, COMPUTING)
# The voice has more to speak than the language model has to write meanwhile.
_MUCH = 60
# How long each of the others is measured: as long as a sentence sounds.
_SPAN_S = 8.0
# Until both are at work.
_SETTLE_S = 0.5
# A voice begins to compute no later, and computes no piece for longer.
_PATIENCE_S = 20.0
_PIECE_S = 2.0


@dataclass
class Speeds:
    """How fast the language model writes, tokens a second, and to bare llama.cpp beside it."""

    tokens_per_s: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def add(self, found: Sequence[float], bare: float) -> None:
        """Take what was found, and how fast bare llama.cpp was just before and after it."""
        self.tokens_per_s += found
        self.ratios += [speed / bare for speed in found]

    def figures(self) -> dict[str, float]:
        """Return the means over all the time that it wrote; {} where nothing was found.

        Each measurement has as many tokens, so the harmonic mean is all tokens by all seconds: a
        short moment in which it hardly writes counts for what it is.
        """
        if not self.ratios:
            return {}
        return {
            "mean": statistics.harmonic_mean(self.tokens_per_s),
            "ratio": statistics.harmonic_mean(self.ratios),
        }


async def measure_house(
    settings: Settings,
    questions: Sequence[Question],
    bare: Callable[[], Sequence[float]],
    *,
    when_step: Callable[[str], None] = lambda text: None,
    when_trouble: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Return the engines' speeds through the stages: a conversation for each question.

    Args:
        settings: All of them.
        questions: What somebody says while the language model writes.
        bare: Measures bare llama.cpp; called before and after each conversation, because
            machines grow hot or busy meanwhile.
        when_step: Told what is measured now.
        when_trouble: Called with what went wrong and does not end the conversation.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    settings = endless(quiet(settings))
    engines = await load_engines(settings)
    speeds = {what: Speeds() for what in PHASES}
    when_step("bare llama.cpp")
    alone = [list(await asyncio.to_thread(bare))]
    least_s = _SETTLE_S + PROBES * PROBE_TOKENS / statistics.median(alone[0])
    for number in range(len(questions)):
        when_step(f"the language model beside the house, {number + 1} of {len(questions)}")
        question = lasting([*questions[number:], *questions[:number]], least_s)
        narrator = Narrator()
        async with (
            Questioner.start(
                settings, engines, watchers=(narrator,), when_trouble=when_trouble
            ) as questioner,
            Probe.start(engines.llm) as probe,
        ):
            found = {
                THINKING: await for_some_time(probe),
                LISTENING: await while_listening(questioner, probe, question),
                SPEAKING: await while_speaking(questioner, probe, narrator),
                COMPUTING: await while_computing(questioner, probe),
            }
        alone.append(list(await asyncio.to_thread(bare)))
        level = statistics.median([*alone[-2], *alone[-1]])
        for what, values in found.items():
            speeds[what].add(values, level)
    when_step("speech to text and the voice")
    return {
        "bare": [speed for values in alone for speed in values],
        "tokens_per_s": speeds,
        "stt": await heard(engines, [join(questions[:1]), join(questions)]),
        "tts": await spoken(engines, texts()),
    }


async def while_listening(questioner: Questioner, probe: Probe, question: Question) -> list[float]:
    """Measure the language model again and again while a question is heard."""
    asking = asyncio.create_task(questioner.ask(question))
    await questioner.has_begun.wait()
    try:
        return await _until(probe, lambda: not questioner.is_heard_out)
    finally:
        await asking


async def while_speaking(questioner: Questioner, probe: Probe, narrator: Narrator) -> list[float]:
    """Measure the language model again and again while sentence after sentence sounds.

    A voice that does not begin leaves nothing to measure.
    """
    narrating = asyncio.create_task(narrator.narrate(questioner))
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(narrator.has_begun.wait(), _PATIENCE_S)
        return await for_some_time(probe) if narrator.has_begun.is_set() else []
    finally:
        narrating.cancel()
        await questioner.send(InterruptionFrame())


async def while_computing(questioner: Questioner, probe: Probe) -> list[float]:
    """Measure the language model again and again while the voice has sentences to compute."""
    began_s = time.monotonic()
    await questioner.send(*(TTSSpeakFrame(SENTENCES[-1]) for _ in range(_MUCH)))
    for _ in range(int(_PATIENCE_S / _SETTLE_S)):
        if questioner.computed_s() > began_s:
            break
        await asyncio.sleep(_SETTLE_S)
    began_s = time.monotonic()
    found = await _until(
        probe,
        lambda: (
            time.monotonic() < began_s + _SPAN_S
            and time.monotonic() - questioner.computed_s() < _PIECE_S
        ),
    )
    await questioner.send(InterruptionFrame())
    return found


async def for_some_time(probe: Probe) -> list[float]:
    """Measure again and again for a while, and at least once."""
    began_s = time.monotonic()
    return await _until(probe, lambda: time.monotonic() < began_s + _SPAN_S, least=1)


async def _until(probe: Probe, goes_on: Callable[[], bool], *, least: int = 0) -> list[float]:
    """Measure again and again; but for the least, only what ended while the other work went on."""
    await asyncio.sleep(_SETTLE_S)
    found: list[float] = []
    while len(found) < least or goes_on():
        speed = await probe.tokens_per_s()
        if speed is None:
            break
        if len(found) < least or goes_on():
            found.append(speed)
    return found


def lasting(questions: Sequence[Question], least_s: float) -> Question:
    """Return as many questions, said in one breath, as last for so long; all, if none do."""
    count = 1
    while count < len(questions) and sum(one.end_s for one in questions[:count]) < least_s:
        count += 1
    return join(questions[:count])


def join(questions: Sequence[Question]) -> Question:
    """Return several questions as one, said in one breath."""
    audio = b"".join(one.recording.audio[: 2 * int(one.end_s * RATE_HZ)] for one in questions)
    text = " ".join(one.text for one in questions)
    return Question(text, Recording(text, audio), last_loud_s(audio, RATE_HZ))


def texts() -> list[str]:
    """Return a short text and a long one."""
    return [SENTENCES[1], " ".join(SENTENCES[1:])]


async def heard(engines: Engines, questions: Sequence[Question]) -> list[tuple[float, float]]:
    """Return the seconds that the stage takes for each recording, and how long it sounds."""
    return [
        (await _timed(hear(engines.stt, one.recording)), one.recording.duration_s)
        for one in questions
    ]


async def spoken(engines: Engines, wanted: Sequence[str]) -> list[tuple[float, float]]:
    """Return the seconds that the stage takes for each text, and how long it sounds."""
    found = []
    for text in wanted:
        room = RecordingTransport(rate_hz=VOICE_RATE_HZ)
        taken_s = await _timed(speak(engines.tts, room.output(), text, rate_hz=VOICE_RATE_HZ))
        found.append((taken_s, len(room.take_spoken()) / (2 * VOICE_RATE_HZ)))
    return found


async def _timed(work: Awaitable[object]) -> float:
    began_s = time.perf_counter()
    await work
    return time.perf_counter() - began_s


def factor(short: tuple[float, float], long: tuple[float, float]) -> float:
    """Return the seconds of work for one more second of sound: what a beginning costs falls out.

    Args:
        short: The work for a short sound, and its length.
        long: Likewise for a longer one.
    """
    return (long[0] - short[0]) / (long[1] - short[1])
