"""Frames → turns: what was heard and said, and how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    EagerTranscriptionFrame,
    Frame,
    InterimTranscriptionFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.aggregators.llm_response_universal import (
    AssistantTurnStoppedMessage,
    LLMAssistantAggregator,
    LLMUserAggregator,
    UserTurnStoppedMessage,
)

# The first results of a turn's stages, in their order.
STAGES = ("transcript", "end of turn", "first token", "first clause", "first audio", "first sound")


@dataclass
class Turn:
    """A question and its answer.

    Attributes:
        heard: The question.
        said: The answer, as far as it was really spoken.
        interrupted: Whether the user spoke into it.
        times_s: Seconds from the end of the question's sound to each stage's first result.
    """

    heard: str = ""
    said: str = ""
    interrupted: bool = False
    times_s: dict[str, float] = field(default_factory=dict)


class TurnObserver(BaseObserver):
    """Follows one turn after the other."""

    def __init__(
        self,
        *,
        when_heard: Callable[[str], None] = lambda text: None,
        when_said: Callable[[Turn], None] = lambda turn: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name who is told.

        Args:
            when_heard: Called with what was understood when the user's turn has ended; "" is
                nothing.
            when_said: Called with the turn when its answer was spoken, or interrupted.
            clock: Seconds; the same clock as the voice detector's stamps.
        """
        super().__init__(observe_every_push=False)
        self._when_heard = when_heard
        self._when_said = when_said
        self._clock = clock
        self._end_of_speech: float | None = None
        self.turn = Turn()
        # What is said answers this one, even when the next one has begun with an interruption.
        self._asked = self.turn

    def watch(self, user: LLMUserAggregator, assistant: LLMAssistantAggregator) -> None:
        """Listen to the two sides of the context."""

        async def heard(_: object, strategy: object, message: UserTurnStoppedMessage) -> None:
            self._asked = self.turn
            self.turn.heard = message.content or ""
            self._when_heard(self.turn.heard)

        async def said(_: object, message: AssistantTurnStoppedMessage) -> None:
            self._asked.said, self._asked.interrupted = message.content, message.interrupted
            self._when_said(self._asked)

        user.add_event_handler("on_user_turn_stopped", heard)
        assistant.add_event_handler("on_assistant_turn_stopped", said)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take note of a frame."""
        self.note(data.frame)

    def note(self, frame: Frame) -> None:
        """Stamp the stage whose first result this frame is."""
        match frame:
            case UserStartedSpeakingFrame():
                self.turn, self._end_of_speech = Turn(), None
            case VADUserStoppedSpeakingFrame():
                self._end_of_speech = frame.timestamp - frame.stop_secs
            case InterimTranscriptionFrame() | EagerTranscriptionFrame() | TTSTextFrame():
                pass
            case TranscriptionFrame():
                # The last one completes the question.
                self.turn.times_s.pop("transcript", None)
                self._stamp("transcript")
            case UserStoppedSpeakingFrame():
                self._stamp("end of turn")
            case LLMTextFrame():
                self._stamp("first token")
            case AggregatedTextFrame():
                self._stamp("first clause")
            case TTSAudioRawFrame():
                self._stamp("first audio")
            case BotStartedSpeakingFrame():
                self._stamp("first sound")

    def _stamp(self, stage: str) -> None:
        if self._end_of_speech is not None and stage not in self.turn.times_s:
            self.turn.times_s[stage] = self._clock() - self._end_of_speech
