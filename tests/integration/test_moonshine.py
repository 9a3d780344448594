"""The real Moonshine, on what the project's own voice says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from moonshine_voice import Transcriber
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.moonshine.stt import MoonshineSTTSettings

from edgebot.errors import BrokenModelError
from edgebot.frames import SleepFrame
from edgebot.models.installed import InstalledModel
from edgebot.stages.recording import RATE_HZ, read_recording
from edgebot.stages.stt_moonshine import LocalMoonshineSTTService, load_transcriber
from tests.conftest import STT, Spoken
from tests.integration.conftest import noise
from tests.integration.running import Running


@pytest.fixture(scope="module")
def transcriber(model: Callable[[str], InstalledModel]) -> Transcriber:
    return load_transcriber(model(STT).path, "tiny")


def test_its_weights_are_in_memory_only_once(
    transcriber: Transcriber, model: Callable[[str], InstalledModel]
) -> None:
    """Its library maps the files and copies what is in them; reading again needs no file."""
    transcriber.transcribe_without_streaming([0.0] * RATE_HZ, RATE_HZ)
    kept_kb, is_weights = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            is_weights = str(model(STT).path.resolve()) in line
        elif is_weights and line.startswith("Rss:"):
            kept_kb += int(line.split()[1])
    weights_kb = sum(file.stat().st_size for file in model(STT).path.glob("*.ort")) // 1024
    assert kept_kb < weights_kb / 20


@pytest.mark.skipif((os.cpu_count() or 1) == 1, reason="one processor: one thread in any case")
def test_it_has_no_threads_that_spin(model: Callable[[str], InstalledModel]) -> None:
    before = set(Path("/proc/self/task").iterdir())
    loaded = load_transcriber(model(STT).path, "tiny")
    assert not set(Path("/proc/self/task").iterdir()) - before
    del loaded


@pytest.fixture
def service(transcriber: Transcriber) -> LocalMoonshineSTTService:
    settings = MoonshineSTTSettings(model="tiny", language="en")
    return LocalMoonshineSTTService(transcriber=transcriber, settings=settings)


def utterance(audio: bytes) -> list[Frame]:
    size = RATE_HZ // 10 * 2
    sound = [
        InputAudioRawFrame(audio[start : start + size], RATE_HZ, 1)
        for start in range(0, len(audio), size)
    ]
    return [VADUserStartedSpeakingFrame(), *sound, VADUserStoppedSpeakingFrame()]


async def test_spoken_sentences_are_heard(
    service: LocalMoonshineSTTService, spoken: Spoken
) -> None:
    async with Running([service]) as line:
        for text in ("What is the capital of France?", "Please turn on the kitchen light."):
            audio = read_recording(spoken(text), text).audio
            here = await line.send(*utterance(audio))
            place = await line.tap.wait_for(TranscriptionFrame, after=here)
            heard = line.tap.frames[place - 1]
            assert isinstance(heard, TranscriptionFrame)
            assert heard.finalized
            words = set(text.lower().strip("?.").split())
            assert words <= set(heard.text.lower().strip("?.").replace(",", "").split())


async def test_silence_and_noise_are_no_error(
    service: LocalMoonshineSTTService, spoken: Spoken, log: list[str]
) -> None:
    question = read_recording(spoken("What is the capital of France?"), "question").audio
    async with Running([service]) as line:
        await line.send(*utterance(bytes(RATE_HZ)), *utterance(noise(1.0)))
        here = await line.send(*utterance(question))
        await line.tap.until(
            lambda: any("France" in frame.text for frame in line.tap.of(TranscriptionFrame, here))
        )
    assert log == []


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenModelError, match="Moonshine cannot load"):
        load_transcriber(tmp_path, "tiny")


def test_an_unknown_architecture_is_refused(model: Callable[[str], InstalledModel]) -> None:
    with pytest.raises(BrokenModelError, match="Moonshine cannot load"):
        load_transcriber(model(STT).path, "enormous")


async def test_what_was_said_before_it_sleeps_is_forgotten(
    service: LocalMoonshineSTTService, spoken: Spoken
) -> None:
    audio = read_recording(spoken("What is the capital of France?"), "a question").audio
    async with Running([service]) as line:
        await line.send(*utterance(audio), SleepFrame(cancelled=True))
        await line.send(*utterance(read_recording(spoken("Good morning."), "a greeting").audio))
        place = await line.tap.wait_for(TranscriptionFrame)
        heard = line.tap.frames[place - 1]
        assert isinstance(heard, TranscriptionFrame)
        assert "morning" in heard.text.lower()


async def test_an_utterance_that_ends_twice_is_heard_once(
    service: LocalMoonshineSTTService, spoken: Spoken
) -> None:
    audio = read_recording(spoken("What is the capital of France?"), "a question").audio
    async with Running([service]) as line:
        await line.send(*utterance(audio), VADUserStoppedSpeakingFrame())
        await line.send(*utterance(read_recording(spoken("Good morning."), "a greeting").audio))
        await line.tap.until(lambda: len(line.tap.of(TranscriptionFrame)) == 2)
        assert "france" in line.tap.of(TranscriptionFrame)[0].text.lower()
        assert "morning" in line.tap.of(TranscriptionFrame)[1].text.lower()
