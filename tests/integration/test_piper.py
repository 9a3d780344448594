"""The real Piper: sound of the right rate, length and level, and words that can be understood."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from pipecat.frames.frames import (
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)

from edgebot.engines import piper as piper_module
from edgebot.engines.at_work import AtWork
from edgebot.engines.piper import PiperEngine
from edgebot.engines.thread import EngineThread
from edgebot.engines.voice_split import Part, split_voice
from edgebot.engines.voice_windows import FIRST_FRAMES, WindowedVoice
from edgebot.errors import BrokenModelError
from edgebot.models.installed import InstalledModel
from edgebot.stages.recording import write_wav
from edgebot.stages.tts_piper import PiperTTSService
from tests.conftest import TTS, Heard, likeness
from tests.integration.running import Running

TEXT = "The kitchen light is on. Your tea will be ready in three minutes. Do you want some milk?"
PATIENCE_S = 30.0


def rms(audio: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(audio, dtype="<i2").astype(float) ** 2)))


def test_a_sentence_comes_in_windows_at_the_voices_own_rate(piper: PiperEngine) -> None:
    assert piper.whole_because is None
    pieces = list(piper.synthesize(TEXT))
    assert piper.rate_hz == 22_050
    # The first of each of the three sentences is short (the last of one may be by chance), and the
    # very first begins with its sound.
    assert [len(piece) for piece in pieces[1:]].count(2 * 256 * FIRST_FRAMES) >= 2
    first = np.frombuffer(pieces[0], dtype="<i2")
    assert np.argmax(np.abs(first) >= int(0.003 * 32767)) <= piper.rate_hz // 100
    seconds = len(b"".join(pieces)) / (2 * piper.rate_hz)
    assert 3.0 < seconds < 9.0
    assert rms(b"".join(pieces)) > 1000
    samples = np.frombuffer(b"".join(pieces), dtype="<i2").astype(int)
    assert np.abs(samples).max() <= 32767


def test_it_is_at_work_until_its_last_piece(
    piper: PiperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = AtWork(2)
    monkeypatch.setattr(piper_module, "OTHERS", others)
    for piece in piper.synthesize("Ready. Steady."):
        assert piece
        assert others.left_of(2) == 1
    assert others.left_of(2) == 2
    # Whoever wants no more of it drops it.
    pieces = piper.synthesize("Ready. Steady.")
    next(pieces)
    del pieces
    assert others.left_of(2) == 2


def test_windows_say_what_the_whole_voice_says(model: Callable[[str], InstalledModel]) -> None:
    """Of the same frames, sample by sample; without its noises a voice always says the same."""
    path = model(TTS).path
    split = split_voice(path.read_bytes())

    def load(model: bytes) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def run_part(part: Part) -> Callable[[Mapping[str, np.ndarray]], Sequence[Any]]:
        session = load(part.model)
        return lambda inputs: list(session.run(list(part.outputs), dict(inputs)))

    ids = np.random.default_rng(1).integers(10, 60, (1, 150))
    inputs = {
        "input": ids,
        "input_lengths": np.array([ids.shape[1]]),
        "scales": np.array([0.0, 1.0, 0.0], dtype=np.float32),
    }
    (whole,) = load(path.read_bytes()).run(None, inputs)
    pieces = list(WindowedVoice(split, run_part).run(inputs))
    assert len(pieces) > 4
    difference = np.abs(np.concatenate(pieces) - whole.reshape(-1)).max() / np.abs(whole).max()
    assert difference < 1e-4


@pytest.mark.parametrize("text", ["", " ", "\n", "...", "—", "\x00", "🙂"])
def test_what_cannot_be_spoken_is_no_error(piper: PiperEngine, text: str) -> None:
    sound = b"".join(piper.synthesize(text))
    # Of an emoji it says the name.
    assert len(sound) < (4 if text == "🙂" else 2) * piper.rate_hz


@pytest.mark.parametrize(
    "text",
    [
        "It was said in every street of the town that the winter would be long and hard.",
        "Please set the table for seven people and put the flowers in the middle.",
    ],
)
def test_what_it_says_is_what_was_written(
    piper: PiperEngine, heard: Heard, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "said.wav"
    write_wav(file, b"".join(piper.synthesize(text)), piper.rate_hz)
    assert likeness(heard(file), text) > 0.6


def test_stopped_in_the_middle_it_returns_early_and_then_speaks_again(piper: PiperEngine) -> None:
    chunks: list[bytes] = []
    first = threading.Event()

    def speak(sentences: Iterator[bytes]) -> None:
        for chunk in sentences:
            chunks.append(chunk)
            first.set()

    long_text = " ".join(
        f"This is sentence number {number} of a long story." for number in range(40)
    )
    worker = threading.Thread(target=speak, args=(piper.synthesize(long_text),))
    worker.start()
    assert first.wait(PATIENCE_S)
    piper.stop()
    worker.join(PATIENCE_S)
    assert not worker.is_alive()
    assert 1 <= len(chunks) <= 3
    again = b"".join(piper.synthesize(TEXT))
    assert len(again) > 3 * 2 * piper.rate_hz
    assert rms(again) > 1000


def test_speed_changes_the_length_and_volume_the_level(
    piper: PiperEngine, model: Callable[[str], InstalledModel]
) -> None:
    plain = b"".join(piper.synthesize(TEXT))
    changed = b"".join(PiperEngine(model(TTS).path, speed=1.5, volume=0.5).synthesize(TEXT))
    # Each rendering draws its own noise, so two of them are never quite the same.
    assert len(changed) / len(plain) == pytest.approx(1 / 1.5, rel=0.15)
    assert rms(changed) / rms(plain) == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("missing", ["voice.onnx", "voice.onnx.json"])
def test_a_voice_with_a_file_missing_is_refused(
    tmp_path: Path, model: Callable[[str], InstalledModel], missing: str
) -> None:
    here = model(TTS).path
    (tmp_path / "voice.onnx").symlink_to(here)
    (tmp_path / "voice.onnx.json").symlink_to(f"{here}.json")
    (tmp_path / missing).unlink()
    with pytest.raises(BrokenModelError, match="Piper cannot load the voice"):
        PiperEngine(tmp_path / "voice.onnx")


def test_a_file_that_is_no_voice_is_refused(
    tmp_path: Path, model: Callable[[str], InstalledModel]
) -> None:
    (tmp_path / "voice.onnx").write_bytes(bytes(1000))
    (tmp_path / "voice.onnx.json").symlink_to(f"{model(TTS).path}.json")
    with pytest.raises(BrokenModelError, match="Piper cannot load the voice"):
        PiperEngine(tmp_path / "voice.onnx")


class TestService:
    """`PiperTTSService` around the real engine."""

    async def test_an_interruption_ends_it_and_the_next_text_is_whole(
        self, piper: PiperEngine, heard: Heard, tmp_path: Path, log: list[str]
    ) -> None:
        story = " ".join(
            f"This is sentence number {number} of a long story." for number in range(40)
        )
        order = "Please set the table for seven people."
        async with Running([PiperTTSService(engine=piper, thread=EngineThread("piper"))]) as line:
            here = await line.send(TTSSpeakFrame(story))
            await line.tap.wait_for(TTSAudioRawFrame, after=here)
            here = await line.interrupt()
            place = await line.send(TTSSpeakFrame(order))
            await line.tap.wait_for(TTSStoppedFrame, after=place)
            said: list[TTSAudioRawFrame] = line.tap.of(TTSAudioRawFrame, here)
            (begun,) = line.tap.of(TTSStartedFrame, here)
            assert {frame.context_id for frame in said} == {begun.context_id}
            assert {frame.sample_rate for frame in said} == {piper.rate_hz}
        write_wav(tmp_path / "said.wav", b"".join(frame.audio for frame in said), piper.rate_hz)
        assert likeness(heard(tmp_path / "said.wav"), order) > 0.6
        assert log == []
