"""When each stage of a turn was done, by the frames that leave it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipecat.frames.frames import (
    AggregatedTextFrame,
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
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport

from edgebot.observe.together import Watcher

TRANSCRIPT, END_OF_TURN = "transcript", "end of turn"
FIRST_TOKEN, FIRST_CLAUSE = "first token", "first clause"
FIRST_AUDIO, FIRST_SOUND = "first audio", "first sound"
LIKELY_END = "likely end"
# In the order in which they usually come.
STAGES = (
    LIKELY_END,
    END_OF_TURN,
    TRANSCRIPT,
    FIRST_TOKEN,
    FIRST_CLAUSE,
    FIRST_AUDIO,
    FIRST_SOUND,
)
WITHDRAWN = "withdrawn"
# Of these the last one before the answer counts: it completes the question.
_LAST_COUNTS = (LIKELY_END, TRANSCRIPT)


@dataclass(frozen=True)
class Mark:
    """A frame that shows that a stage was done, and when: nanoseconds of the pipeline's clock."""

    stage: str
    at_ns: int
    text: str = ""


def stage_of(frame: Frame) -> str | None:
    """Return what a frame shows, or None."""
    match frame:
        case EagerEndOfTurnCancelFrame():
            return WITHDRAWN
        case EagerTranscriptionFrame():
            return LIKELY_END
        case InterimTranscriptionFrame() | TTSTextFrame():
            return None
        case TranscriptionFrame():
            return TRANSCRIPT
        case UserStoppedSpeakingFrame():
            return END_OF_TURN
        case LLMTextFrame():
            return FIRST_TOKEN
        case AggregatedTextFrame():
            return FIRST_CLAUSE
        case TTSAudioRawFrame():
            return FIRST_AUDIO
    return None


class Stamps(BaseObserver):
    """Notes when each frame was pushed for the first time, not when an observer hears of it."""

    def __init__(self, *others: Watcher) -> None:
        """Name who else is shown each frame: every observer costs something."""
        super().__init__(observe_every_push=False)
        self._others = others
        self.marks: list[Mark] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        """Note a frame."""
        for other in self._others:
            other.note(data.frame)
        # What is told to all is pushed in both directions, and sound once more as it is played.
        if data.direction is FrameDirection.UPSTREAM or isinstance(
            data.source, BaseOutputTransport
        ):
            return
        if (stage := stage_of(data.frame)) is not None:
            text = str(getattr(data.frame, "text", ""))
            self.marks.append(Mark(stage, data.timestamp, text))


def clock_zero_s(stage: FrameProcessor) -> float:
    """Return when the pipeline's clock began, by `time.monotonic`."""
    return (time.monotonic_ns() - stage.get_clock().get_time()) / 1e9


def stage_times(marks: Sequence[Mark], end_s: float) -> dict[str, float]:
    """Return the seconds from the end of a question's sound to each stage's first result.

    Args:
        marks: Of one question and its answer, in their order.
        end_s: The end of the question's sound, on the pipeline's clock.
    """
    found: dict[str, float] = {}
    for mark in marks:
        time_s = mark.at_ns / 1e9 - end_s
        if mark.stage in _LAST_COUNTS:
            if FIRST_TOKEN not in found:
                found[mark.stage] = time_s
        elif mark.stage != WITHDRAWN and time_s > 0:
            found.setdefault(mark.stage, time_s)
    return {stage: found[stage] for stage in STAGES if stage in found}


def first_clause(marks: Sequence[Mark]) -> str:
    """Return what was spoken first; "" is nothing."""
    return next((mark.text for mark in marks if mark.stage == FIRST_CLAUSE), "")
