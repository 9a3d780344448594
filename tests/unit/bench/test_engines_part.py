"""What is measured beside the language model while it writes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
)

from edgebot.bench import engines as engines_module
from edgebot.bench import narrator as narrator_module
from edgebot.bench.engines import Speeds, lasting, while_speaking
from edgebot.bench.narrator import Narrator
from edgebot.bench.questions import Question
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
from edgebot.stages.recording import RATE_HZ, Recording

VOICE_HZ = 22_050
PATIENCE_S = 5.0


def question(seconds: float) -> Question:
    audio = b"\x00\x40" * int(seconds * RATE_HZ)
    return Question("What?", Recording("What?", audio), seconds)


def test_no_more_is_said_than_is_needed() -> None:
    three = [question(1.0), question(2.0), question(3.0)]
    assert lasting(three, 0.5).end_s == pytest.approx(1.0)
    assert lasting(three, 2.5).end_s == pytest.approx(3.0)
    assert lasting(three, 99.0).end_s == pytest.approx(6.0)


def test_a_moment_in_which_it_hardly_writes_counts_for_what_it_is() -> None:
    speeds = Speeds()
    assert speeds.figures() == {}
    speeds.add([1.0, 100.0], 100.0)
    figures = speeds.figures()
    # 2 tokens in 1.01 s.
    assert figures["mean"] == pytest.approx(2 / 1.01)
    assert figures["ratio"] == pytest.approx(2 / 1.01 / 100)


class FakeConversation:
    """Computes each sentence at once, as half a second of sound."""

    def __init__(self, narrator: Narrator) -> None:
        self.narrator = narrator
        self.said: list[str] = []
        self.computed = asyncio.Semaphore(0)

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            assert isinstance(frame, TTSSpeakFrame)
            self.said.append(frame.text)
            self.sound(0.5, VOICE_HZ)
            # As it is played it comes by once more.
            self.sound(0.5, SPEAKER_RATE_HZ)
            self.narrator.note(TTSStoppedFrame())
            self.computed.release()

    def sound(self, seconds: float, rate_hz: int) -> None:
        self.narrator.note(TTSAudioRawFrame(bytes(2 * int(seconds * rate_hz)), rate_hz, 1))


async def test_the_next_sentence_comes_when_the_one_before_has_nearly_sounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(narrator_module, "_LEFT_S", 0.9)
    narrator = Narrator()
    conversation: Any = FakeConversation(narrator)
    narrating = asyncio.create_task(narrator.narrate(conversation))
    async with asyncio.timeout(PATIENCE_S):
        await narrator.has_begun.wait()
        await conversation.computed.acquire()
        await conversation.computed.acquire()
    # A whole second is ahead now.
    await asyncio.sleep(0.04)
    assert narrator.sentences == len(conversation.said) == 2
    assert narrator.sound_s == pytest.approx(1.0, abs=0.001)
    async with asyncio.timeout(PATIENCE_S):
        await conversation.computed.acquire()
    narrating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await narrating


async def test_a_voice_that_does_not_begin_ends_no_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Mute:
        def __init__(self) -> None:
            self.sent: list[Frame] = []

        async def send(self, *frames: Frame) -> None:
            self.sent += frames

    monkeypatch.setattr(engines_module, "_PATIENCE_S", 0.05)
    conversation: Any = Mute()
    probe: Any = None
    assert await while_speaking(conversation, probe, Narrator()) == []
    # What it may still have to say is called off.
    assert [type(frame) for frame in conversation.sent] == [TTSSpeakFrame, InterruptionFrame]
