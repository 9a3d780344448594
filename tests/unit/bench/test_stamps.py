"""When each stage was done."""

from __future__ import annotations

import pytest
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    Frame,
    InterimTranscriptionFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams

from edgebot.bench.stamps import Mark, Stamps, first_clause, stage_of, stage_times


@pytest.mark.parametrize(
    ("frame", "stage"),
    [
        (EagerTranscriptionFrame("a", "", ""), "likely end"),
        (EagerEndOfTurnCancelFrame(), "withdrawn"),
        (InterimTranscriptionFrame("a", "", ""), None),
        (TranscriptionFrame("a", "", ""), "transcript"),
        (UserStoppedSpeakingFrame(), "end of turn"),
        (LLMTextFrame("a"), "first token"),
        (AggregatedTextFrame("a", "sentence"), "first clause"),
        (TTSTextFrame("a", "word"), None),
        (TTSAudioRawFrame(b"", 16_000, 1), "first audio"),
        (BotStartedSpeakingFrame(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_frame_shows_a_stage(frame: Frame, stage: str | None) -> None:
    assert stage_of(frame) == stage


def marks(*stages: tuple[str, float]) -> list[Mark]:
    return [Mark(stage, int(at_s * 1e9)) for stage, at_s in stages]


def test_times_count_from_the_end_of_the_question() -> None:
    found = stage_times(
        marks(
            ("transcript", 10.3),
            ("end of turn", 10.6),
            ("first token", 10.7),
            ("first token", 10.8),
            ("first clause", 10.9),
            ("first audio", 11.0),
            ("transcript", 14.0),
        ),
        10.0,
    )
    assert found == pytest.approx(
        {
            "end of turn": 0.6,
            "transcript": 0.3,
            "first token": 0.7,
            "first clause": 0.9,
            "first audio": 1.0,
        }
    )


def test_the_last_words_before_the_answer_complete_the_question() -> None:
    found = stage_times(
        marks(("transcript", 9.0), ("likely end", 9.1), ("transcript", 10.2), ("likely end", 10.3)),
        10.0,
    )
    assert found == pytest.approx({"likely end": 0.3, "transcript": 0.2})


def test_an_answer_into_the_question_is_none() -> None:
    cut_short = marks(("end of turn", 9.5), ("first token", 9.6), ("withdrawn", 9.7))
    assert stage_times(cut_short, 10.0) == {}


def test_the_first_clause() -> None:
    said = [Mark("first token", 1, "O"), Mark("first clause", 2, "One,"), Mark("first clause", 3)]
    assert first_clause(said) == "One,"
    assert first_clause([]) == ""


async def test_sound_that_is_played_is_not_computed_once_more() -> None:
    stamps, output = Stamps(), BaseOutputTransport(TransportParams())
    sound = TTSAudioRawFrame(b"", 16_000, 1)
    await stamps.on_push_frame(FramePushed(output, output, sound, FrameDirection.DOWNSTREAM, 1))
    assert stamps.marks == []


async def test_marks_have_the_time_of_the_push_and_others_are_shown_all() -> None:
    class Other:
        frames: list[Frame] = []  # noqa: RUF012

        def note(self, frame: Frame) -> None:
            self.frames.append(frame)

    other, stage = Other(), IdentityFilter()
    stamps = Stamps(other)
    frames = [LLMTextFrame("a"), EagerEndOfTurnCancelFrame(), EagerEndOfTurnCancelFrame()]
    directions = [FrameDirection.DOWNSTREAM, FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM]
    for number, (frame, direction) in enumerate(zip(frames, directions, strict=True)):
        await stamps.on_push_frame(FramePushed(stage, stage, frame, direction, number))
    # What is told to all is pushed both ways, and counts once.
    assert stamps.marks == [Mark("first token", 0, "a"), Mark("withdrawn", 1)]
    assert other.frames == frames
