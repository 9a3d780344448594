"""Speech to text between the voice detector's start and stop, with a recognizer that is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from line import PATIENCE_S, Line, of
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    MetricsFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.tests.utils import run_test
from pipecat.transcriptions.language import Language

from edgebot.engines.thread import EngineThread
from edgebot.engines.vosk import RATE_HZ, Utterance, Word
from edgebot.frames import SleepFrame
from edgebot.stages.stt_vosk import PRE_ROLL_S, VoskSTTService, VoskSTTSettings

FRAME_BYTES = int(RATE_HZ * 0.02) * 2


class FakeRecognizer:
    """Hears a letter in every 20 ms of sound: the first byte of each; " " is nothing."""

    def __init__(self) -> None:
        self.heard = b""
        self.calls: list[str] = []
        self.heard_s = 0.0
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def accept(self, audio: bytes) -> str:
        self.gate.wait(PATIENCE_S)
        if self.fault is not None:
            raise self.fault
        self.heard += audio[::FRAME_BYTES]
        self.heard_s += len(audio) / (RATE_HZ * 2)
        self.calls.append(f"accept {audio[::FRAME_BYTES].decode()!r}")
        return self.heard.decode().strip()

    def finish(self) -> Utterance:
        if self.fault is not None:
            raise self.fault
        text, self.heard = self.heard.decode().strip(), b""
        self.calls.append("finish")
        words = (Word(text, 0.25, 0.5, 0.75),) if text else ()
        return Utterance(text, words)

    def renew(self) -> None:
        self.calls.append("renew")
        self.heard_s = 0.0


def sound(letters: str) -> list[Frame]:
    """Return frames of 20 ms that the fake recognizer reads as letters."""
    return [InputAudioRawFrame(letter.encode() * FRAME_BYTES, RATE_HZ, 1) for letter in letters]


def said(letters: str) -> list[Frame]:
    """Return an utterance: the voice detector's start, sound, and its stop."""
    return [VADUserStartedSpeakingFrame(), *sound(letters), VADUserStoppedSpeakingFrame()]


@pytest.fixture
def engine() -> FakeRecognizer:
    return FakeRecognizer()


@pytest.fixture
async def thread() -> AsyncIterator[EngineThread]:
    made = EngineThread("fake")
    yield made
    made.close()


@pytest.fixture
def stage(engine: FakeRecognizer, thread: EngineThread) -> VoskSTTService:
    settings = VoskSTTSettings(model="fake", language="en")
    return VoskSTTService(engine=engine, thread=thread, settings=settings)


async def test_an_utterance_becomes_one_finalized_transcript(stage: VoskSTTService) -> None:
    down, up = await run_test(stage, frames_to_send=said("hello"))
    (frame,) = of(list(down), TranscriptionFrame)
    assert frame.text == "hello"
    assert frame.finalized is True
    assert frame.language == Language.EN
    assert frame.result == {
        "words": [{"text": "hello", "start_s": 0.25, "end_s": 0.5, "confidence": 0.75}]
    }
    assert of(list(up), ErrorFrame) == []


async def test_sound_and_the_voice_detectors_frames_pass(stage: VoskSTTService) -> None:
    frames = said("hi")
    down, _ = await run_test(stage, frames_to_send=frames)
    assert [frame for frame in down if frame in frames] == frames


async def test_the_pre_roll_is_heard_first(stage: VoskSTTService) -> None:
    down, _ = await run_test(stage, frames_to_send=[*sound("abc"), *said("def")])
    assert [frame.text for frame in of(list(down), TranscriptionFrame)] == ["abcdef"]


async def test_the_pre_roll_has_its_length(stage: VoskSTTService, engine: FakeRecognizer) -> None:
    before = "x" * 50 + "0123456789abcdefghijklmnopqrst"
    assert int(PRE_ROLL_S * 50) == 30
    down, _ = await run_test(stage, frames_to_send=[*sound(before), *said("!")])
    assert [frame.text for frame in of(list(down), TranscriptionFrame)] == [before[-30:] + "!"]


async def test_the_pre_roll_is_heard_once(stage: VoskSTTService) -> None:
    down, _ = await run_test(stage, frames_to_send=[*sound("a"), *said("b"), *said("c")])
    assert [frame.text for frame in of(list(down), TranscriptionFrame)] == ["ab", "c"]


async def test_what_was_said_while_nobody_spoke_is_not_heard(stage: VoskSTTService) -> None:
    down, _ = await run_test(stage, frames_to_send=sound("noise"))
    assert of(list(down), TranscriptionFrame) == of(list(down), InterimTranscriptionFrame) == []


async def test_words_appear_while_one_speaks(stage: VoskSTTService, engine: FakeRecognizer) -> None:
    async with Line(stage) as line:
        await line.send(VADUserStartedSpeakingFrame(), *sound("a"))
        await line.until_down(InterimTranscriptionFrame)
        await line.send(*sound(" "))
        await line.until(lambda: "accept ' '" in engine.calls)
        await line.send(*sound("b"))
        await line.until_down(InterimTranscriptionFrame, 2)
        assert line.of(TranscriptionFrame) == []
        await line.send(VADUserStoppedSpeakingFrame())
        await line.until_down(TranscriptionFrame)
        # The same words are not told twice, and the last ones are final.
        assert [frame.text for frame in line.of(InterimTranscriptionFrame)] == ["a", "a b"]
        assert [frame.text for frame in line.of(TranscriptionFrame)] == ["a b"]


async def test_sound_that_waited_is_heard_in_one_go(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    engine.gate.clear()
    async with Line(stage) as line:
        await line.send(VADUserStartedSpeakingFrame(), *sound("a"))
        await line.until_down(InputAudioRawFrame)
        await line.send(*sound("bcd"), VADUserStoppedSpeakingFrame())
        await line.until_down(VADUserStoppedSpeakingFrame)
        engine.gate.set()
        await line.until_down(TranscriptionFrame)
        assert engine.calls == ["finish", "accept 'a'", "accept 'bcd'", "finish"]


async def test_two_utterances_that_waited_stay_two(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    engine.gate.clear()
    async with Line(stage) as line:
        await line.send(*said("ab"), *said("cd"))
        await line.until_down(VADUserStoppedSpeakingFrame, 2)
        engine.gate.set()
        await line.until_down(TranscriptionFrame, 2)
        assert [frame.text for frame in line.of(TranscriptionFrame)] == ["ab", "cd"]


async def test_nothing_heard_is_no_frame(stage: VoskSTTService) -> None:
    down, _ = await run_test(stage, frames_to_send=said("   "))
    assert of(list(down), TranscriptionFrame) == of(list(down), InterimTranscriptionFrame) == []


async def test_an_engine_that_was_left_in_a_word_begins_anew(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    engine.heard = b"left over"
    down, _ = await run_test(stage, frames_to_send=said("new"))
    assert [frame.text for frame in of(list(down), TranscriptionFrame)] == ["new"]


async def test_the_end_brings_what_is_heard(stage: VoskSTTService) -> None:
    frames = [VADUserStartedSpeakingFrame(), *sound("half")]
    down, _ = await run_test(stage, frames_to_send=frames)
    assert [frame.text for frame in of(list(down), TranscriptionFrame)] == ["half"]


async def test_a_cancelled_conversation_ends_at_once_and_leaves_no_call(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    engine.gate.clear()
    async with Line(stage) as line:
        await line.send(*said("ab"))
        await line.until_down(VADUserStoppedSpeakingFrame)
        asyncio.get_running_loop().call_soon(engine.gate.set)
        await line.cancel()
    assert line.of(TranscriptionFrame) == []


async def test_the_recognizer_is_renewed_when_idle(
    engine: FakeRecognizer, thread: EngineThread
) -> None:
    stage = VoskSTTService(engine=engine, thread=thread, renew_after_s=0.05)
    async with Line(stage) as line:
        await line.send(*said("ab"))
        await line.until_down(TranscriptionFrame)
        await line.send(*said("cd"))
        await line.until_down(TranscriptionFrame, 2)
    assert engine.calls.count("renew") == 1
    assert engine.calls[-2:] == ["finish", "renew"]


async def test_the_recognizer_is_never_renewed_in_the_middle_of_speech(
    engine: FakeRecognizer, thread: EngineThread
) -> None:
    stage = VoskSTTService(engine=engine, thread=thread, renew_after_s=0.05)
    engine.gate.clear()
    async with Line(stage) as line:
        # The second utterance has begun when the first is finished.
        await line.send(*said("abcd"), VADUserStartedSpeakingFrame(), *sound("e"))
        await line.until_down(InputAudioRawFrame, 5)
        engine.gate.set()
        await line.until_down(InterimTranscriptionFrame)
        assert "renew" not in engine.calls
        await line.send(*sound("f"))
        await line.until_down(InterimTranscriptionFrame, 2)
        assert "renew" not in engine.calls
        await line.send(VADUserStoppedSpeakingFrame())
        await line.until_down(TranscriptionFrame, 2)
    assert [frame.text for frame in line.of(TranscriptionFrame)] == ["abcd", "ef"]
    assert engine.calls[-2:] == ["finish", "renew"]


async def test_a_recognizer_that_fails_makes_the_stage_unusable(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    engine.fault = ValueError("no lattice")
    async with Line(stage) as line:
        await line.send(*said("ab"))
        await line.until_up(ErrorFrame)
        await line.end()
    frame = of(line.up, ErrorFrame)[0]
    assert frame.error == "the recognizer failed: no lattice"
    assert frame.exception is engine.fault
    assert frame.processor is stage
    assert not stage.is_usable


async def test_a_recognizer_that_breaks_in_a_word_makes_the_stage_unusable(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    async with Line(stage) as line:
        await line.send(VADUserStartedSpeakingFrame(), *sound("a"))
        await line.until_down(InterimTranscriptionFrame)
        engine.fault = ValueError("no lattice")
        await line.send(*sound("b"))
        await line.until_up(ErrorFrame)
        await line.end()
    assert not stage.is_usable


async def test_use_and_time_are_measured(stage: VoskSTTService) -> None:
    async with Line(stage, metrics=True) as line:
        await line.send(*said("ab"))
        await line.until_down(TranscriptionFrame)
    data = [item for frame in line.of(MetricsFrame) for item in frame.data]
    assert {item.processor for item in data} == {stage.name}
    assert {"STTUsageMetricsData", "TTFBMetricsData"} <= {type(item).__name__ for item in data}


async def test_a_stage_needs_no_settings(engine: FakeRecognizer, thread: EngineThread) -> None:
    stage = VoskSTTService(engine=engine, thread=thread)
    down, _ = await run_test(stage, frames_to_send=said("a"))
    assert of(list(down), TranscriptionFrame)[0].language is None


async def test_what_was_said_before_it_sleeps_is_forgotten(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    async with Line(stage) as line:
        await line.send(*sound("a"), VADUserStartedSpeakingFrame(), *sound("b"))
        await line.until(lambda: "accept 'ab'" in engine.calls or engine.heard == b"ab")
        await line.send(SleepFrame(cancelled=True), VADUserStoppedSpeakingFrame(), *said("c"))
        await line.until_down(TranscriptionFrame)
    assert [frame.text for frame in line.of(TranscriptionFrame)] == ["c"]


async def test_what_the_recognizer_is_busy_with_is_forgotten_too(
    stage: VoskSTTService, engine: FakeRecognizer
) -> None:
    async with Line(stage) as line:
        engine.gate.clear()
        await line.send(*said("secret"), SleepFrame(cancelled=True))
        await line.until_down(SleepFrame)
        engine.gate.set()
        await line.send(*said("c"))
        await line.until_down(TranscriptionFrame)
    assert [frame.text for frame in line.of(TranscriptionFrame)] == ["c"]


def loud(pattern: str) -> list[Frame]:
    """Return frames of 20 ms: "#" is a voice that is heard as "#", " " is none."""
    voice = b"#\x20" * (FRAME_BYTES // 2)
    return [
        InputAudioRawFrame(voice if c == "#" else b" \x00" * (FRAME_BYTES // 2), RATE_HZ, 1)
        for c in pattern
    ]


async def test_at_a_pause_the_words_so_far_are_a_guess(
    engine: FakeRecognizer, thread: EngineThread
) -> None:
    stage = VoskSTTService(engine=engine, thread=thread, is_eager=True)
    async with Line(stage, audio_in_sample_rate=RATE_HZ) as line:
        await line.send(VADUserStartedSpeakingFrame(), *loud("###   "))
        await line.until_down(EagerTranscriptionFrame)
        await line.send(*loud("##"))
        await line.until_down(EagerEndOfTurnCancelFrame)
        await line.send(*loud("     "))
        await line.until_down(EagerTranscriptionFrame, 2)
        await line.send(VADUserStoppedSpeakingFrame())
        await line.until_down(TranscriptionFrame)
    assert [frame.text for frame in line.of(EagerTranscriptionFrame)] == ["###", "###   ##"]
    assert len(line.of(EagerEndOfTurnCancelFrame)) == 1


async def test_without_eagerness_a_pause_is_no_guess(
    engine: FakeRecognizer, thread: EngineThread
) -> None:
    stage = VoskSTTService(engine=engine, thread=thread)
    async with Line(stage, audio_in_sample_rate=RATE_HZ) as line:
        await line.send(
            VADUserStartedSpeakingFrame(), *loud("###      "), VADUserStoppedSpeakingFrame()
        )
        await line.until_down(TranscriptionFrame)
    assert line.of(EagerTranscriptionFrame) == []
