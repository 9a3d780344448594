"""Moonshine's stage, with a transcriber that hears how often it is asked and how much."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from line import PATIENCE_S, Line
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.moonshine.stt import MoonshineSTTSettings
from pipecat.transcriptions.language import Language

from edgebot.engines.at_work import AtWork
from edgebot.frames import SleepFrame
from edgebot.stages import stt_moonshine
from edgebot.stages.stt_moonshine import LocalMoonshineSTTService, OneAtATime

RATE_HZ = 16_000
FRAME = 320
VOICE, QUIET = "#", "."


@dataclass
class FakeTranscriber:
    """Hears the number of loud frames of 20 ms."""

    def __post_init__(self) -> None:
        self.heard: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0

    def transcribe_without_streaming(
        self, audio: Sequence[float], sample_rate: int = RATE_HZ
    ) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.gate.wait(PATIENCE_S)
        loud = int((np.abs(np.array(audio)) > 0.1).sum()) // FRAME
        self.heard.append(f"{loud} loud" if loud else "")
        self.at_once -= 1
        return SimpleNamespace(lines=[SimpleNamespace(text=self.heard[-1])])


def sound(pattern: str) -> list[Frame]:
    """Return frames of 20 ms: "#" is a voice, "." is none."""
    samples = {VOICE: 8000, QUIET: 0}
    return [
        InputAudioRawFrame(np.full(FRAME, samples[c], dtype="<i2").tobytes(), RATE_HZ, 1)
        for c in pattern
    ]


def line_of(transcriber: FakeTranscriber, *, is_eager: bool = True) -> Line:
    settings = MoonshineSTTSettings(model="tiny", language="en")
    whole: Any = OneAtATime(transcriber)  # type: ignore[arg-type]
    return Line(
        LocalMoonshineSTTService(transcriber=whole, settings=settings, is_eager=is_eager),
        audio_in_sample_rate=RATE_HZ,
    )


def texts(line: Line, kind: type[Frame]) -> list[str]:
    return [frame.text for frame in line.of(kind) if type(frame) is kind]


START, STOP = VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame


async def test_it_is_at_work_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    others, left = AtWork(2), list[int]()
    monkeypatch.setattr(stt_moonshine, "OTHERS", others)

    class Ear(FakeTranscriber):
        def transcribe_without_streaming(self, *args: Any) -> Any:
            left.append(others.left_of(2))
            return super().transcribe_without_streaming(*args)

    async with line_of(Ear()) as line:
        await line.send(*sound("####"), START(), *sound("####..."), *sound("......"), STOP())
        await line.until_down(TranscriptionFrame)
    assert set(left) == {1}
    assert others.left_of(2) == 2


async def test_a_pause_at_the_end_is_read_before_the_voice_detector_is_sure() -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        await line.send(*sound("####"), START(), *sound("####..."))
        await line.until_down(EagerTranscriptionFrame)
        assert texts(line, TranscriptionFrame) == []
        await line.send(*sound("......"), STOP())
        await line.until_down(TranscriptionFrame)
    (frame,) = line.of(TranscriptionFrame)
    assert (frame.text, frame.finalized, frame.language) == ("8 loud", True, Language.EN)
    assert texts(line, EagerTranscriptionFrame) == ["8 loud"]
    # It was read once.
    assert ear.heard == ["8 loud"]


async def test_a_guess_is_withdrawn_when_the_voice_goes_on() -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        await line.send(START(), *sound("###..."))
        await line.until_down(EagerTranscriptionFrame)
        await line.send(*sound("##"))
        await line.until_down(EagerEndOfTurnCancelFrame)
        await line.send(*sound("..."))
        await line.until_down(EagerTranscriptionFrame, 2)
        await line.send(STOP())
        await line.until_down(TranscriptionFrame)
    assert texts(line, EagerTranscriptionFrame) == ["3 loud", "5 loud"]
    assert texts(line, TranscriptionFrame) == ["5 loud"]


async def test_a_guess_that_is_not_ready_when_the_voice_goes_on_is_never_told() -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        ear.gate.clear()
        await line.send(START(), *sound("###..."))
        await line.until(lambda: ear.at_once == 1)
        await line.send(*sound("##"), STOP())
        await line.until_down(STOP)
        ear.gate.set()
        await line.until_down(TranscriptionFrame)
    assert texts(line, EagerTranscriptionFrame) == []
    assert texts(line, InterimTranscriptionFrame) == []
    assert texts(line, TranscriptionFrame) == ["5 loud"]
    assert ear.most_at_once == 1


async def test_a_guess_that_came_too_early_tells_how_it_began() -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        ear.gate.clear()
        await line.send(START(), *sound("###..."))
        await line.until(lambda: ear.at_once == 1)
        await line.send(*sound("##"))
        ear.gate.set()
        await line.until_down(InterimTranscriptionFrame)
        await line.send(*sound("..."), STOP())
        await line.until_down(TranscriptionFrame)
    assert texts(line, InterimTranscriptionFrame) == ["3 loud"]
    assert texts(line, EagerTranscriptionFrame) == ["5 loud"]
    assert texts(line, TranscriptionFrame) == ["5 loud"]


async def test_guesses_do_not_pile_up() -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        ear.gate.clear()
        await line.send(START(), *sound("###...##...##...##..."))
        await line.until(lambda: ear.at_once == 1)
        await line.send(*sound("##"), STOP())
        await line.until_down(STOP)
        ear.gate.set()
        await line.until_down(TranscriptionFrame)
    assert ear.heard == ["3 loud", "11 loud"]


async def test_a_machine_that_is_too_slow_guesses_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stt_moonshine, "SLOW_GUESS_S", -1.0)
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        for number in range(stt_moonshine.MOST_SLOW_GUESSES):
            await line.send(START(), *sound("#..."))
            await line.until_down(EagerTranscriptionFrame, number + 1)
            await line.send(STOP())
            await line.until_down(TranscriptionFrame, number + 1)
        await line.send(START(), *sound("##....."), STOP())
        await line.until(lambda: texts(line, TranscriptionFrame)[-1] == "2 loud")
    assert len(texts(line, EagerTranscriptionFrame)) == stt_moonshine.MOST_SLOW_GUESSES


async def test_without_eagerness_it_is_read_at_the_end_only() -> None:
    ear = FakeTranscriber()
    async with line_of(ear, is_eager=False) as line:
        await line.send(START(), *sound("###......"), STOP())
        await line.until_down(TranscriptionFrame)
    assert texts(line, EagerTranscriptionFrame) == []
    assert ear.heard == ["3 loud"]


@pytest.mark.parametrize("pattern", ["###...", "###"])
async def test_what_was_said_before_it_sleeps_is_forgotten(pattern: str) -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        await line.send(START(), *sound(pattern), SleepFrame())
        await line.until_down(SleepFrame)
        await line.send(START(), *sound("#"), STOP())
        await line.until_down(TranscriptionFrame)
    assert texts(line, TranscriptionFrame) == ["1 loud"]


async def test_noise_is_no_guess() -> None:
    ear = FakeTranscriber()
    async with line_of(ear) as line:
        await line.send(START(), *sound("......"), STOP(), START(), *sound("#"), STOP())
        await line.until_down(TranscriptionFrame)
    assert texts(line, EagerTranscriptionFrame) == []
    assert texts(line, TranscriptionFrame) == ["1 loud"]
