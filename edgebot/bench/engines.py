"""The engines inside the house: how fast they are while the rest of it is at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pipecat.frames.frames import InterruptionFrame, TTSSpeakFrame

from edgebot.app import Engines, load_engines
from edgebot.bench.bare import PROBES, SENTENCES
from edgebot.bench.levels import last_loud_s
from edgebot.bench.probe import Probe, endless
from edgebot.bench.questions import Question
from edgebot.bench.turns import Questioner, quiet
from edgebot.config import Settings
from edgebot.listening import hear
from edgebot.speaking import RATE_HZ as VOICE_RATE_HZ
from edgebot.speaking import speak
from edgebot.stages.recording import RATE_HZ, Recording, RecordingTransport

# The voice has more to speak than the language model has to write meanwhile.
_MUCH = 60
# Until both are at work.
_SETTLE_S = 0.5
# A voice begins to compute no later, and computes no piece for longer.
_PATIENCE_S = 20.0
_PIECE_S = 2.0


async def measure_house(
    settings: Settings,
    questions: Sequence[Question],
    *,
    when_step: Callable[[str], None] = lambda text: None,
    when_trouble: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Return the engines' speeds through the stages, in one running conversation.

    Args:
        settings: All of them.
        questions: What somebody says while the language model writes.
        when_step: Told what is measured now.
        when_trouble: Called with what went wrong and does not end the conversation.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    settings = endless(quiet(settings))
    engines = await load_engines(settings)
    async with (
        Questioner.start(settings, engines, when_trouble=when_trouble) as questioner,
        Probe.start(engines.llm) as probe,
    ):
        when_step("the language model while nobody speaks")
        alone = [await probe.tokens_per_s() for _ in range(PROBES)]
        when_step("the language model while somebody speaks")
        listening = await while_listening(questioner, probe, questions)
        when_step("the language model while the voice computes")
        speaking = await while_speaking(questioner, probe)
    when_step("speech to text and the voice")
    return {
        "tokens_per_s": {
            "thinking": known(alone),
            "listening": known(listening),
            "speaking": known(speaking),
        },
        "stt": await heard(engines, [join(questions[:1]), join(questions)]),
        "tts": await spoken(engines, texts()),
    }


def known(values: Sequence[float | None]) -> list[float]:
    """Leave out what could not be measured."""
    return [value for value in values if value is not None]


async def while_listening(
    questioner: Questioner, probe: Probe, questions: Sequence[Question]
) -> list[float | None]:
    """Measure the language model again and again while one long question is heard."""
    asking = asyncio.create_task(questioner.ask(join(questions)))
    await questioner.has_begun.wait()
    try:
        return await _until(probe, lambda: not questioner.is_heard_out)
    finally:
        await asking


async def while_speaking(questioner: Questioner, probe: Probe) -> list[float | None]:
    """Measure the language model again and again while the voice has sentences to compute."""
    began_s = time.monotonic()
    await questioner.send(*(TTSSpeakFrame(SENTENCES[-1]) for _ in range(_MUCH)))
    for _ in range(int(_PATIENCE_S / _SETTLE_S)):
        if questioner.computed_s() > began_s:
            break
        await asyncio.sleep(_SETTLE_S)
    found = await _until(probe, lambda: time.monotonic() - questioner.computed_s() < _PIECE_S)
    await questioner.send(InterruptionFrame())
    return found


async def _until(probe: Probe, goes_on: Callable[[], bool]) -> list[float | None]:
    """Measure some times; the last one counts only if it ended while the other work went on."""
    await asyncio.sleep(_SETTLE_S)
    found: list[float | None] = []
    while goes_on() and len(found) < PROBES:
        speed = await probe.tokens_per_s()
        if goes_on():
            found.append(speed)
    return found


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
