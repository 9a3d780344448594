"""A voice's stage, with a voice that says what it is told to and honours a stop."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from line import PATIENCE_S, Line, kinds, of
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EagerEndOfTurnCancelFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData, TTSUsageMetricsData
from pipecat.services.settings import TTSSettings
from pipecat.utils.text.base_text_aggregator import TextType

from edgebot.engines.right_of_way import RightOfWay
from edgebot.engines.thread import EngineThread
from edgebot.stages import tts_piper
from edgebot.stages.tts_piper import PiperTTSService

RATE_HZ = 16_000
# 20 ms of sound: no more is said at a time.
PIECE = b"\x10\x00" * 320


class FakeSynthesizer:
    """Says a piece of sound for each sentence."""

    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.stopped = threading.Event()
        self.began = threading.Event()
        self.returned = threading.Event()
        self.fault: Exception | None = None

    def synthesize(self, text: str) -> Iterator[bytes]:
        self.texts.append(text)
        self.stopped.clear()
        self.returned.clear()
        self.began.set()
        try:
            if self.fault is not None:
                raise self.fault
            for _ in range(text.count(".")):
                yield PIECE
                self.after_piece()
        finally:
            self.returned.set()

    def after_piece(self) -> None:
        """Go on at once."""

    def stop(self) -> None:
        self.stopped.set()


class SlowSynthesizer(FakeSynthesizer):
    """Works after each sentence until it is stopped."""

    def after_piece(self) -> None:
        assert self.stopped.wait(PATIENCE_S)


@pytest.fixture
async def thread() -> AsyncIterator[EngineThread]:
    made = EngineThread("fake")
    yield made
    made.close()


def line_of(engine: FakeSynthesizer, thread: EngineThread, *, metrics: bool = False) -> Line:
    stage = PiperTTSService(
        engine=engine,
        thread=thread,
        settings=TTSSettings(model="fake", voice="fake", language="en"),
    )
    # Pipecat waits 3 s for the sound of a text that brings none.
    stage._stop_frame_timeout_s = 0.02
    return Line(stage, metrics=metrics, audio_out_sample_rate=RATE_HZ)


def clause(text: str) -> AggregatedTextFrame:
    return AggregatedTextFrame(text, TextType.SENTENCE)


async def test_a_text_becomes_sound_and_then_what_was_said(thread: EngineThread) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        await line.send(TTSSpeakFrame("One. Two."))
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == ["One. Two."]
    assert [kind for kind in kinds(line.down) if kind in (TTSStartedFrame, TTSAudioRawFrame)] == [
        TTSStartedFrame,
        TTSAudioRawFrame,
        TTSAudioRawFrame,
    ]
    frames = line.of(TTSAudioRawFrame)
    assert b"".join(frame.audio for frame in frames) == PIECE * 2
    assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(RATE_HZ, 1)}
    assert [frame.text for frame in line.of(TTSTextFrame)] == ["One. Two."]


async def test_the_clauses_of_an_answer_are_spoken_one_by_one(thread: EngineThread) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        await line.send(
            LLMFullResponseStartFrame(), clause("One."), clause("Two."), LLMFullResponseEndFrame()
        )
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == ["One.", "Two."]
    assert [frame.text for frame in line.of(TTSTextFrame)] == ["One.", "Two."]
    assert len(line.of(TTSStartedFrame)) == len(line.of(TTSStoppedFrame)) == 1


async def test_the_voice_computes_alone_while_somebody_waits_for_it(
    thread: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only until its first sound, and not while it is heard already."""
    way = RightOfWay(2)
    monkeypatch.setattr(tts_piper, "FIRST_SOUND", way)
    engine, is_free = FakeSynthesizer(), list[bool]()
    said = engine.synthesize

    def synthesize(text: str) -> Iterator[bytes]:
        is_free.append(way._is_free.is_set())
        for piece in said(text):
            yield piece
            # It is released where the sound arrives, in another thread.
            is_free.append(way._is_free.wait(PATIENCE_S))

    monkeypatch.setattr(engine, "synthesize", synthesize)
    async with line_of(engine, thread) as line:
        await line.send(TTSSpeakFrame("One. Two."))
        await line.until_down(TTSStoppedFrame)
        await line.send(BotStartedSpeakingFrame(), TTSSpeakFrame("Three."))
        await line.until_down(TTSStoppedFrame, 2)
        await line.send(BotStoppedSpeakingFrame(), TTSSpeakFrame("🙂 Mm"))
        await line.until_down(TTSStoppedFrame, 3)
    assert is_free == [False, True, True, True, True, False]
    # Nothing was heard of the last one.
    assert way._is_free.is_set()


async def test_memory_is_given_back_when_an_answer_has_ended(
    thread: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[str] = []
    monkeypatch.setattr(tts_piper, "trim", lambda: trimmed.append(threading.current_thread().name))
    async with line_of(FakeSynthesizer(), thread) as line:
        await line.send(BotStartedSpeakingFrame(), TTSSpeakFrame("One."))
        await line.until_down(TTSStoppedFrame)
        assert trimmed == []
        await line.send(BotStoppedSpeakingFrame())
        await line.until(lambda: trimmed)
    # Where no sound can be late.
    (name,) = trimmed
    assert name.startswith("fake")


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It is **big**.", "It is big."),
        ("Use `ls` here.", "Use ls here."),
        ("# Title.", "Title."),
        ("It is 3 * 4.", "It is 3 * 4."),
    ],
)
async def test_markdown_is_not_spoken(thread: EngineThread, text: str, spoken: str) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        await line.send(TTSSpeakFrame(text))
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == [spoken]
    # The context keeps what was written.
    assert [frame.text for frame in line.of(TTSTextFrame)] == [text]


async def test_an_interruption_stops_the_engine_and_waits_for_it(thread: EngineThread) -> None:
    engine = SlowSynthesizer()
    async with line_of(engine, thread) as line:
        await line.send(TTSSpeakFrame("One. Two. Three."))
        await line.until_down(TTSAudioRawFrame)
        await line.send(InterruptionFrame())
        await line.until_down(InterruptionFrame)
        assert engine.stopped.is_set()
        assert engine.returned.is_set()
        old = line.down.index(line.of(InterruptionFrame)[0])
        engine.after_piece = lambda: None  # type: ignore[method-assign]
        await line.send(TTSSpeakFrame("Now."))
        await line.until_down(TTSStoppedFrame)
    after = line.down[old:]
    assert len(of(after, TTSAudioRawFrame)) == 1
    assert [frame.text for frame in of(after, TTSTextFrame)] == ["Now."]
    assert of(line.up, ErrorFrame) == []


async def test_a_text_without_sound_holds_the_voice_no_longer(thread: EngineThread) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        for number in range(1, 7):
            await line.send(LLMFullResponseStartFrame(), clause("Mm"), LLMFullResponseEndFrame())
            await line.until_down(TTSStoppedFrame, number)
        await line.send(TTSSpeakFrame("One."))
        await line.until_down(TTSStoppedFrame, 7)
    sounds = [frame.audio for frame in line.of(TTSAudioRawFrame)]
    assert sounds == [bytes(2 * RATE_HZ // 100)] * 6 + [PIECE]
    assert engine.texts[-1] == "One."
    assert of(line.up, ErrorFrame) == []


@pytest.mark.parametrize("text", ["🙂", "👍🏽 "])
async def test_a_lone_emoji_is_not_spoken(thread: EngineThread, text: str) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        await line.send(LLMFullResponseStartFrame(), clause(text), LLMFullResponseEndFrame())
        await line.until_down(LLMFullResponseEndFrame)
        await line.send(TTSSpeakFrame("One."))
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == ["One."]
    assert len(line.of(TTSStartedFrame)) == 1
    assert of(line.up, ErrorFrame) == []


@pytest.mark.parametrize(
    ("language", "spoken"),
    [("en", "It costs 5 dollars."), (None, "It costs 5 dollars."), ("de", "It costs $5.")],
)
async def test_what_is_english_is_read_as_a_person_does(
    thread: EngineThread, language: str | None, spoken: str
) -> None:
    engine = FakeSynthesizer()
    stage = PiperTTSService(
        engine=engine, thread=thread, settings=TTSSettings(language=language, model=None)
    )
    async with Line(stage, audio_out_sample_rate=RATE_HZ) as line:
        await line.send(TTSSpeakFrame("It costs $5. 🙂"))
        await line.until_down(TTSStoppedFrame)
    assert [text.strip() for text in engine.texts] == [spoken]
    assert [frame.text for frame in line.of(TTSTextFrame)] == ["It costs $5. 🙂"]


async def test_a_voice_that_fails_is_an_error(thread: EngineThread) -> None:
    engine = FakeSynthesizer()
    engine.fault = RuntimeError("no memory")
    async with line_of(engine, thread) as line:
        await line.send(TTSSpeakFrame("One."))
        await line.until_up(ErrorFrame, 2)
        engine.fault = None
        await line.send(TTSSpeakFrame("Two."))
        await line.until_down(TTSAudioRawFrame)
    failed, *_ = of(line.up, ErrorFrame)
    assert "no memory" in failed.error


async def test_time_and_use_are_measured(thread: EngineThread) -> None:
    async with line_of(FakeSynthesizer(), thread, metrics=True) as line:
        await line.send(TTSSpeakFrame("One."))
        await line.until_down(TTSStoppedFrame)
    data = [item for frame in line.of(MetricsFrame) for item in frame.data]
    usage = [item for item in data if isinstance(item, TTSUsageMetricsData)]
    assert [item.value for item in usage] == [len("One.")]
    first = [item for item in data if isinstance(item, TTFBMetricsData) and item.model == "fake"]
    assert len(first) == 1


async def test_what_was_spoken_ahead_is_not_spoken_again(thread: EngineThread) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        stage = line.stage
        await stage.speak_ahead("It is **one**. Two.")
        await line.until(lambda: engine.texts == ["It is one. Two."])
        assert line.of(TTSAudioRawFrame) == []
        await line.send(TTSSpeakFrame("It is **one**. Two."))
        await line.until_down(TTSStoppedFrame)
        await line.send(TTSSpeakFrame("Three."))
        await line.until_down(TTSStoppedFrame, 2)
    assert engine.texts == ["It is one. Two.", "Three."]
    assert b"".join(frame.audio for frame in line.of(TTSAudioRawFrame)) == PIECE * 3


async def test_what_is_still_being_spoken_ahead_is_waited_for(thread: EngineThread) -> None:
    engine = SlowSynthesizer()
    async with line_of(engine, thread) as line:
        await line.stage.speak_ahead("One. Two.")
        await line.send(TTSSpeakFrame("One. Two."))
        await line.until_down(TTSAudioRawFrame)
        engine.stop()
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == ["One. Two."]
    assert len(line.of(TTSAudioRawFrame)) == 2


async def test_another_text_is_spoken_instead(thread: EngineThread) -> None:
    engine = SlowSynthesizer()
    async with line_of(engine, thread) as line:
        await line.stage.speak_ahead("One. Two.")
        await line.until(lambda: engine.texts == ["One. Two."])
        await line.send(TTSSpeakFrame("Three."))
        await line.until_down(TTSAudioRawFrame)
        assert engine.texts == ["One. Two.", "Three."]
        engine.stop()
        await line.until_down(TTSStoppedFrame)
    assert len(line.of(TTSAudioRawFrame)) == 1


@pytest.mark.parametrize("frame", [InterruptionFrame, EagerEndOfTurnCancelFrame])
async def test_a_turn_that_goes_on_forgets_what_was_spoken_ahead(
    thread: EngineThread, frame: type[Frame]
) -> None:
    engine = SlowSynthesizer()
    async with line_of(engine, thread) as line:
        await line.stage.speak_ahead("One. Two.")
        await line.until(lambda: engine.began.is_set())
        await line.send(frame())
        await line.until_down(frame)
        assert engine.returned.wait(PATIENCE_S)
        await line.send(TTSSpeakFrame("One. Two."))
        await line.until_down(TTSAudioRawFrame)
        engine.stop()
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == ["One. Two."] * 2


async def test_a_text_without_words_is_not_spoken_ahead(thread: EngineThread) -> None:
    engine = FakeSynthesizer()
    async with line_of(engine, thread) as line:
        await line.stage.speak_ahead("\U0001f600")
        await line.send(TTSSpeakFrame("One."))
        await line.until_down(TTSStoppedFrame)
    assert engine.texts == ["One."]
