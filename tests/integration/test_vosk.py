"""The real Vosk, with its small Korean model: no English one is in a package registry.

espeak-ng speaks Korean badly enough that the words are not what was said, and well enough that
there are some, always the same.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.tests.utils import SleepFrame, run_test
from pipecat.transcriptions.language import Language

from edgebot.engines import vosk as vosk_module
from edgebot.engines.at_work import AtWork
from edgebot.engines.thread import EngineThread
from edgebot.engines.vosk import RATE_HZ, Utterance, VoskEngine
from edgebot.errors import BrokenModelError
from edgebot.models.installed import InstalledModel
from edgebot.stages.recording import read_recording
from edgebot.stages.stt_vosk import VoskSTTService, VoskSTTSettings
from tests.integration.conftest import noise

MODEL = "vosk-model-small-ko"
CHUNK_BYTES = int(0.2 * RATE_HZ) * 2


@pytest.fixture(scope="module")
def vosk(model: Callable[[str], InstalledModel]) -> VoskEngine:
    return VoskEngine(model(MODEL).path)


@pytest.fixture(scope="module")
def korean(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Korean speech: 16-bit mono PCM at 16 kHz, a whole number of chunks."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("nothing here speaks Korean: apt-get install espeak-ng")
    file = tmp_path_factory.mktemp("korean") / "greeting.wav"
    subprocess.run(["espeak-ng", "-v", "ko", "-s", "130", "-w", file, "안녕하세요"], check=True)
    audio = read_recording(file, file.name).audio
    return audio.ljust(-(-len(audio) // CHUNK_BYTES) * CHUNK_BYTES, b"\0")


def chunks(audio: bytes) -> list[bytes]:
    return [audio[start : start + CHUNK_BYTES] for start in range(0, len(audio), CHUNK_BYTES)]


def hear(engine: VoskEngine, audio: bytes) -> tuple[list[str], Utterance]:
    """Return what the utterance was after each chunk, and what it was in the end."""
    return [engine.accept(chunk) for chunk in chunks(audio)], engine.finish()


@pytest.mark.parametrize("audio", [bytes(RATE_HZ * 2), b"", noise(1.0), b"\0\0"])
def test_where_nobody_speaks_nothing_is_made_up_of_silence(vosk: VoskEngine, audio: bytes) -> None:
    _, utterance = hear(vosk, audio)
    assert all(0.0 <= word.confidence <= 1.0 for word in utterance.words)
    if not any(audio):
        assert utterance == Utterance("")


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("AcceptWaveform", lambda engine: engine.accept(bytes(3200))),
        ("FinalResult", lambda engine: engine.finish()),
    ],
)
def test_it_is_at_work_while_it_decodes(
    vosk: VoskEngine,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    call: Callable[[VoskEngine], object],
) -> None:
    others, left = AtWork(2), list[int]()
    real = getattr(vosk._recognizer, method)

    def look(*args: object) -> object:
        left.append(others.left_of(2))
        return real(*args)

    monkeypatch.setattr(vosk_module, "OTHERS", others)
    monkeypatch.setattr(vosk._recognizer, method, look)
    call(vosk)
    assert [*left, others.left_of(2)] == [1, 2]


def test_an_utterance_may_end_twice(vosk: VoskEngine, korean: bytes) -> None:
    vosk.finish()
    assert hear(vosk, korean)[1].text
    assert vosk.finish() == Utterance("")
    assert vosk.finish() == Utterance("")


def test_words_come_with_times_and_confidences(vosk: VoskEngine, korean: bytes) -> None:
    vosk.finish()
    so_far, utterance = hear(vosk, korean)
    assert any(so_far)
    assert " ".join(word.text for word in utterance.words) == utterance.text
    duration_s = len(korean) / (2 * RATE_HZ)
    for word in utterance.words:
        assert 0.0 <= word.start_s < word.end_s <= duration_s + 0.1
        assert 0.0 <= word.confidence <= 1.0


def test_a_reused_recognizer_hears_the_same_again(vosk: VoskEngine, korean: bytes) -> None:
    vosk.renew()
    _, first = hear(vosk, korean)
    _, second = hear(vosk, korean)
    assert first.text == second.text
    assert vosk.heard_s == 2 * len(korean) / (2 * RATE_HZ)
    times = [[(word.start_s, word.end_s) for word in heard.words] for heard in (first, second)]
    assert times[0] == [pytest.approx(pair, abs=0.05) for pair in times[1]]


def test_a_renewed_recognizer_hears_the_same(vosk: VoskEngine, korean: bytes) -> None:
    _, first = hear(vosk, korean)
    vosk.renew()
    assert vosk.heard_s == 0.0
    assert hear(vosk, korean)[1].text == first.text


def test_a_pause_within_an_utterance_loses_nothing(vosk: VoskEngine, korean: bytes) -> None:
    vosk.renew()
    _, once = hear(vosk, korean)
    _, twice = hear(vosk, korean + bytes(3 * 2 * RATE_HZ) + korean)
    assert twice.text.startswith(once.text.split()[0])
    assert len(twice.text) > 1.5 * len(once.text)


def test_a_grammar_lets_nothing_else_be_heard(
    model: Callable[[str], InstalledModel], korean: bytes
) -> None:
    narrow = VoskEngine(model(MODEL).path, grammar=["하세요", "감사 합니다"])
    _, utterance = hear(narrow, korean)
    assert set(utterance.text.split()) <= {"하세요", "감사", "합니다", "[unk]"}
    assert "하세요" in utterance.text
    narrow.renew()
    assert hear(narrow, korean)[1].text == utterance.text


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenModelError, match="is it the folder of an unpacked Vosk model"):
        VoskEngine(tmp_path)


class TestService:
    """`VoskSTTService` around the real engine."""

    @pytest.fixture
    def service(self, vosk: VoskEngine) -> VoskSTTService:
        return VoskSTTService(
            engine=vosk,
            thread=EngineThread("vosk"),
            settings=VoskSTTSettings(model=MODEL, language="ko"),
        )

    def utterance(self, audio: bytes) -> list[Frame]:
        """Return the frames of a person who speaks, a little faster than in real time."""
        frames: list[Frame] = [VADUserStartedSpeakingFrame()]
        for chunk in chunks(audio):
            frames += [InputAudioRawFrame(chunk, RATE_HZ, 1), SleepFrame(0.15)]
        return [*frames, VADUserStoppedSpeakingFrame(), SleepFrame(0.3)]

    async def test_interim_words_come_before_the_whole_utterance(
        self, service: VoskSTTService, vosk: VoskEngine, korean: bytes
    ) -> None:
        vosk.renew()
        frames = [*self.utterance(korean), *self.utterance(korean)]
        down, _ = await run_test(service, frames_to_send=frames)
        heard = [
            frame
            for frame in down
            if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame)
        ]
        kinds = [isinstance(frame, TranscriptionFrame) for frame in heard]
        finals = [frame for frame in heard if isinstance(frame, TranscriptionFrame)]
        assert len(finals) == 2
        assert kinds[0] is False
        assert kinds[-1] is True
        assert finals[0].text == finals[1].text
        for final in finals:
            assert final.finalized
            assert final.language == Language.KO
            words = final.result["words"]
            assert " ".join(word["text"] for word in words) == final.text
            assert all(0.0 <= word["confidence"] <= 1.0 for word in words)
        # The same recognizer heard both.
        assert vosk.heard_s == 2 * len(korean) / (2 * RATE_HZ)

    async def test_a_start_that_the_detector_noticed_late_is_heard_all_the_same(
        self, service: VoskSTTService, vosk: VoskEngine, korean: bytes
    ) -> None:
        vosk.renew()
        _, whole = hear(vosk, korean)
        frames = self.utterance(korean)
        # The detector is sure only after the first two chunks, 0.4 s.
        start = frames.pop(0)
        frames.insert(4, start)
        down, _ = await run_test(service, frames_to_send=frames)
        (final,) = [frame for frame in down if isinstance(frame, TranscriptionFrame)]
        assert final.text == whole.text

    async def test_the_recognizer_is_renewed_in_a_pause(
        self, vosk: VoskEngine, korean: bytes
    ) -> None:
        service = VoskSTTService(engine=vosk, thread=EngineThread("vosk"), renew_after_s=1.0)
        down, _ = await run_test(service, frames_to_send=self.utterance(korean))
        assert sum(isinstance(frame, TranscriptionFrame) for frame in down) == 1
        assert vosk.heard_s == 0.0

    async def test_noise_is_no_error(self, service: VoskSTTService, log: list[str]) -> None:
        await run_test(service, frames_to_send=self.utterance(noise(2.0)))
        assert log == []
