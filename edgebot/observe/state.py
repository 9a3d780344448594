"""Frames → state."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed

from edgebot.state import AssistantState


class StateObserver(BaseObserver):
    """Derives the assistant's state from what passes through the pipeline."""

    def __init__(self, when_changed: Callable[[AssistantState], None]) -> None:
        """Name who is told of each change.

        Args:
            when_changed: Called with the new state.
        """
        super().__init__(observe_every_push=False)
        self._when_changed = when_changed
        self._speaking = False
        self._thinking = False
        self._has_text = False
        self._hearing = False
        self.state = AssistantState.STARTING

    def ready(self) -> None:
        """Leave `STARTING`: the pipeline runs."""
        self._show()

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take note of a frame."""
        self.note(data.frame)

    def note(self, frame: Frame) -> None:
        """Take note of a frame."""
        match frame:
            case UserStartedSpeakingFrame():
                self._hearing = True
            case UserStoppedSpeakingFrame():
                self._hearing = False
            case LLMFullResponseStartFrame():
                self._thinking, self._has_text = True, False
            case LLMTextFrame():
                self._has_text = True
            case BotStartedSpeakingFrame():
                self._speaking, self._thinking = True, False
            case BotStoppedSpeakingFrame():
                self._speaking = False
            case LLMFullResponseEndFrame():
                # With text, it thinks until the voice begins.
                self._thinking = self._thinking and self._has_text
            case InterruptionFrame():
                self._thinking = False
            case _:
                return
        self._show()

    def _show(self) -> None:
        state = AssistantState.LISTENING
        if self._hearing:
            state = AssistantState.HEARING
        elif self._speaking:
            state = AssistantState.SPEAKING
        elif self._thinking:
            state = AssistantState.THINKING
        if state is not self.state:
            self.state = state
            self._when_changed(state)
