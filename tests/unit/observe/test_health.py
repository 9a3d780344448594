"""Frames that show that a part moves."""

from __future__ import annotations

import pytest
from pipecat.frames.frames import (
    BotSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)

from edgebot.frames import FaultFrame
from edgebot.observe.health import HealthObserver
from edgebot.state import Fault


@pytest.mark.parametrize(
    ("frame", "moved"),
    [
        (InputAudioRawFrame(b"", 16_000, 1), ["microphone"]),
        (BotSpeakingFrame(), ["speaker"]),
        (BotStoppedSpeakingFrame(), ["speaker"]),
        (TranscriptionFrame("a", "", ""), ["engine"]),
        (LLMFullResponseStartFrame(), ["engine"]),
        (LLMTextFrame("a"), ["engine"]),
        (LLMFullResponseEndFrame(), ["engine"]),
        (TTSAudioRawFrame(b"", 16_000, 1), ["engine"]),
        (OutputAudioRawFrame(b"", 16_000, 1), []),
    ],
)
def test_a_frame_shows_what_moves(frame: Frame, moved: list[str]) -> None:
    seen: list[str] = []
    HealthObserver(seen.append).note(frame)
    assert seen == moved


def test_a_faults_sentence_is_told_when_it_begins() -> None:
    told: list[tuple[Fault, str]] = []
    observer = HealthObserver(lambda part: None, lambda fault, text: told.append((fault, text)))
    observer.note(FaultFrame(Fault.SPEAKER, "Plug it in."))
    observer.note(FaultFrame(Fault.SPEAKER, is_over=True))
    assert told == [(Fault.SPEAKER, "Plug it in.")]
