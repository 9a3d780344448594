"""The real wake word engine, the voice's own words, and speech to text behind the gate."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessor

from edgebot.config import Settings, load_settings
from edgebot.engines.piper import PiperEngine
from edgebot.engines.thread import EngineThread
from edgebot.engines.vosk import VoskEngine
from edgebot.engines.wakeword import BUNDLED, MicroWakeWordEngine
from edgebot.frames import SleepFrame, TalkFrame, WakeFrame
from edgebot.models.installed import InstalledModel
from edgebot.stages import context as contexts
from edgebot.stages import wake
from edgebot.stages.recording import RATE_HZ, read_recording, write_wav
from edgebot.stages.stt_moonshine import load as load_moonshine
from edgebot.stages.stt_vosk import VoskSTTService
from tests.conftest import STT, TTS, likeness
from tests.integration.conftest import noise
from tests.integration.running import Running

FRAME_S = 0.02
VOSK = "vosk-model-small-ko"
NAMES = {
    "hey_jarvis": "Hey Jarvis",
    "okay_nabu": "Okay Nabu",
    "hey_mycroft": "Hey Mycroft",
    "alexa": "Alexa",
}
QUESTION = "What is the capital of France?"

Say = Callable[..., bytes]


@pytest.fixture(scope="module")
def say(model: Callable[[str], InstalledModel], tmp_path_factory: pytest.TempPathFactory) -> Say:
    """Return what the voice says, at 16 kHz."""
    file = tmp_path_factory.mktemp("said") / "said.wav"
    voices: dict[float, PiperEngine] = {}

    def speak(text: str, speed: float = 1.0) -> bytes:
        if speed not in voices:
            voices[speed] = PiperEngine(model(TTS).path, speed=speed)
        write_wav(file, b"".join(voices[speed].synthesize(text)), voices[speed].rate_hz)
        return read_recording(file, file.name).audio

    return speak


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * RATE_HZ) * 2)


def frames(audio: bytes) -> Iterator[bytes]:
    size = int(RATE_HZ * FRAME_S) * 2
    for start in range(0, len(audio), size):
        yield audio[start : start + size].ljust(size, b"\0")


def names_heard(engine: MicroWakeWordEngine, audio: bytes) -> list[str]:
    engine.reset()
    found = (engine.accept(piece) for piece in frames(audio))
    return [detection.name for detection in found if detection]


def name_ends_s(engine: MicroWakeWordEngine, audio: bytes, piece_s: float) -> float:
    """Return when a name ends in sound that comes in pieces; infinity is never."""
    engine.reset()
    size = int(RATE_HZ * piece_s) * 2
    for start in range(0, len(audio), size):
        if found := engine.accept(audio[start : start + size]):
            return min(start + size, len(audio)) / (2 * RATE_HZ) - found.ago_s
    return float("inf")


class TestEngine:
    """Words that the voice says, each at several speeds: no two renderings are the same."""

    @pytest.fixture
    def engine(self) -> MicroWakeWordEngine:
        return MicroWakeWordEngine(list(BUNDLED), sensitivity=0.6)

    @pytest.mark.parametrize("word", NAMES)
    def test_a_name_is_heard_once(self, engine: MicroWakeWordEngine, say: Say, word: str) -> None:
        heard = [
            names_heard(engine, silence(1) + say(NAMES[word], speed) + silence(1))
            for speed in (0.9, 1.0, 1.1)
        ]
        (name,) = (name for name in engine.names if name.lower() == NAMES[word].lower())
        assert heard.count([name]) >= 2
        assert all(found in ([], [name]) for found in heard)

    def test_a_name_ends_where_it_ends_however_long_the_pieces_are(
        self, engine: MicroWakeWordEngine, say: Say
    ) -> None:
        for speed in (1.0, 0.95, 1.05, 0.9, 1.1):
            audio = silence(1) + say("Okay Nabu", speed) + silence(1)
            ends = [name_ends_s(engine, audio, piece_s) for piece_s in (0.02, 0.04, 0.1)]
            if ends[0] < float("inf"):
                assert max(ends) - min(ends) < 0.015
                return
        pytest.fail("the name was heard at no speed")

    @pytest.mark.parametrize("text", [QUESTION, "Hello there, how are you today?", "Hey, Travis!"])
    def test_other_words_are_not_its_name(
        self, engine: MicroWakeWordEngine, say: Say, text: str
    ) -> None:
        assert names_heard(engine, silence(1) + say(text) + silence(1)) == []

    def test_noise_is_not_its_name(self, engine: MicroWakeWordEngine) -> None:
        assert names_heard(engine, noise(10.0)) == []

    def test_it_costs_next_to_nothing(self) -> None:
        engine, audio = MicroWakeWordEngine(["hey_jarvis"]), noise(20.0)
        began = time.process_time()
        names_heard(engine, audio)
        assert (time.process_time() - began) / 20.0 < 0.02


class Talker:
    """A gate, speech to text and a turn's end, to which a person speaks in real time."""

    def __init__(self, settings: Settings, stt: FrameProcessor) -> None:
        self.memory = contexts.new_context(settings)
        user, _ = contexts.create(settings, self.memory)
        self.gate = wake.create(settings, wake.load_engine(settings))
        self.running = Running([self.gate, stt, user])
        self.tap = self.running.tap

    async def hear(self, audio: bytes) -> None:
        """Play sound to the microphone."""
        due = time.monotonic()
        for piece in frames(audio):
            due += FRAME_S
            await asyncio.sleep(due - time.monotonic())
            await self.running.worker.queue_frame(InputAudioRawFrame(piece, RATE_HZ, 1))

    @property
    def kept(self) -> list[str]:
        """What the conversation keeps; a guess is asked, and perhaps withdrawn."""
        return [str(message["content"]) for message in self.memory.messages]

    def asked(self, after: int = 0) -> list[str]:
        """Return the questions that the language model would have got."""
        return [
            " ".join(str(m["content"]) for m in frame.context.messages[-1:])
            for frame in self.tap.of(LLMContextFrame, after)
        ]


def settings_of(*flags: str) -> Settings:
    return load_settings(flags=["assistant.examples=[]", *flags], environment={})


@pytest.fixture(scope="module")
def moonshine(
    model: Callable[[str], InstalledModel],
) -> Callable[[], FrameProcessor]:
    return asyncio.run(load_moonshine(settings_of(), model(STT)))


class TestGate:
    """A question after a name or a press, through the real voice detector and Moonshine."""

    @pytest.mark.parametrize(
        ("word", "text"),
        [
            ("hey_jarvis", f"Hey Jarvis, {QUESTION}"),
            ("okay_nabu", f"Okay Nabu {QUESTION}"),
            ("hey_mycroft", f"Hey Mycroft {QUESTION}"),
        ],
    )
    async def test_the_question_behind_the_name_is_heard_whole(
        self, moonshine: Callable[[], FrameProcessor], say: Say, word: str, text: str
    ) -> None:
        heard = []
        for speed in (1.0, 0.95, 1.05):
            talker = Talker(settings_of(f"wake.words=['{word}']"), moonshine())
            async with talker.running:
                await talker.hear(silence(1.0) + say(text, speed) + silence(2.0))
                await asyncio.sleep(0.5)
            heard += talker.asked()
            if heard and likeness(heard[-1], QUESTION) > 0.9:
                return
        pytest.fail(f"{text!r} was heard as {heard}")

    async def test_asleep_nothing_is_transcribed(
        self, moonshine: Callable[[], FrameProcessor], say: Say
    ) -> None:
        talker = Talker(settings_of(), moonshine())
        async with talker.running:
            await talker.hear(say(QUESTION) + silence(1.0))
        assert talker.asked() == []
        assert talker.tap.of(InputAudioRawFrame) == []

    async def test_a_late_press_loses_no_word(
        self, moonshine: Callable[[], FrameProcessor], say: Say
    ) -> None:
        talker = Talker(settings_of("wake.mode=button"), moonshine())
        question = say(QUESTION)
        async with talker.running:
            await talker.hear(silence(1.0) + question[: len(silence(0.3))])
            await talker.running.send(WakeFrame())
            await talker.hear(question[len(silence(0.3)) :] + silence(1.5))
            await talker.tap.until(lambda: talker.kept)
        (heard,) = talker.kept
        assert likeness(heard, QUESTION) > 0.8

    async def test_a_cancelled_question_is_forgotten(
        self, moonshine: Callable[[], FrameProcessor], say: Say
    ) -> None:
        talker = Talker(settings_of("wake.mode=button"), moonshine())
        async with talker.running:
            await talker.running.send(WakeFrame())
            await talker.hear(silence(0.2) + say("How many legs does a spider have?")[:-16000])
            await talker.running.send(SleepFrame(cancelled=True))
            await talker.tap.wait_for(UserStoppedSpeakingFrame)
            await talker.running.send(WakeFrame())
            await talker.hear(silence(0.2) + say(QUESTION) + silence(1.5))
            await talker.tap.until(lambda: talker.kept)
        (heard,) = talker.kept
        assert likeness(heard, QUESTION) > 0.8
        assert "spider" not in " ".join(talker.asked())


@pytest.fixture(scope="module")
def korean(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Korean speech that ends with its last sound."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("nothing here speaks Korean: apt-get install espeak-ng")
    file = tmp_path_factory.mktemp("korean") / "greeting.wav"
    subprocess.run(["espeak-ng", "-v", "ko", "-s", "130", "-w", file, "안녕하세요"], check=True)
    return read_recording(file, file.name).audio.rstrip(b"\0")


class TestTalkButton:
    """Push-to-talk with Vosk."""

    @pytest.fixture
    def talker(self, model: Callable[[str], InstalledModel]) -> Talker:
        engine = VoskEngine(model(VOSK).path)
        stt = VoskSTTService(engine=engine, thread=EngineThread("vosk"))
        return Talker(settings_of("wake.mode=button"), stt)

    async def test_letting_go_hands_the_words_on_without_a_silence(
        self, talker: Talker, korean: bytes
    ) -> None:
        async with talker.running:
            for count in range(1, 4):
                await talker.running.send(TalkFrame(held=True))
                await talker.hear(korean)
                await talker.running.send(TalkFrame(held=False))
                # Nothing more is heard: no voice detector tells that speech has ended.
                await talker.tap.until(lambda count=count: len(talker.asked()) >= count)
                await talker.hear(silence(0.3))
        assert len(talker.asked()) == 3
        assert all(talker.asked())

    @pytest.mark.skipif(not os.environ.get("EDGEBOT_SOAK"), reason="minutes: EDGEBOT_SOAK=1")
    async def test_how_soon_letting_go_hands_the_words_on(
        self, talker: Talker, korean: bytes
    ) -> None:
        delays_ms: list[float] = []
        handed: list[float] = []

        def note(frame: Frame) -> None:
            if isinstance(frame, LLMContextFrame):
                handed.append(time.monotonic())

        talker.tap.when_frame = note
        async with talker.running:
            for count in range(1, 61):
                await talker.running.send(TalkFrame(held=True))
                await talker.hear(korean)
                let_go = time.monotonic()
                await talker.running.send(TalkFrame(held=False))
                # A microphone goes on hearing.
                hearing = asyncio.create_task(talker.hear(silence(0.5)))
                await talker.tap.until(lambda count=count: len(handed) >= count)
                delays_ms.append((handed[-1] - let_go) * 1000)
                await hearing
        median, worst = statistics.median(delays_ms), max(delays_ms)
        slow = [round(delay_ms) for delay_ms in sorted(delays_ms)[-5:]]
        print(f"release to transcript: median {median:.0f} ms, worst {worst:.0f} ms, {slow}")
        assert len(handed) == 60
        assert all(talker.asked())
        # Silence would end the turn after 600 ms.
        assert median <= 300

    async def test_no_silence_ends_a_held_turn(self, talker: Talker, korean: bytes) -> None:
        async with talker.running:
            await talker.running.send(TalkFrame(held=True))
            await talker.hear(korean + silence(6.5) + korean)
            assert talker.asked() == []
            assert talker.tap.of(UserStoppedSpeakingFrame) == []
            await talker.running.send(TalkFrame(held=False))
            await talker.tap.until(talker.asked)
        (heard,) = talker.asked()
        # The recognizer is never sure of what espeak-ng says, but hears something of both.
        assert len(heard) > 1.5 * len("안녕하세요")

    async def test_nothing_said_is_no_question_and_no_turn_for_ever(self, talker: Talker) -> None:
        async with talker.running:
            await talker.running.send(TalkFrame(held=True))
            await talker.hear(silence(0.5))
            let_go = await talker.running.send(TalkFrame(held=False))
            await talker.tap.wait_for(UserStoppedSpeakingFrame, after=let_go)
        assert talker.asked() == []

    async def test_cancelling_forgets_what_was_said(self, talker: Talker, korean: bytes) -> None:
        async with talker.running:
            await talker.running.send(TalkFrame(held=True))
            await talker.hear(korean)
            await talker.running.send(SleepFrame(cancelled=True))
            await talker.tap.wait_for(UserStoppedSpeakingFrame)
            await talker.hear(silence(1.0))
        assert talker.asked() == []
        assert talker.memory.messages == []
