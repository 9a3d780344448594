"""Frames → progress: what shows that the microphone, the speaker and the engines move."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import (
    BotSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed

from edgebot.frames import FaultFrame
from edgebot.state import Fault


class HealthObserver(BaseObserver):
    """Tells which part has moved, by its plain name, and what is said of a fault."""

    def __init__(
        self,
        when_moved: Callable[[str], None],
        when_fault: Callable[[Fault, str], None] = lambda fault, text: None,
    ) -> None:
        """Name who is told.

        Args:
            when_moved: Called with "microphone", "speaker" or "engine", as often as frames come.
            when_fault: Called with each fault that begins, and its sentence.
        """
        super().__init__(observe_every_push=False)
        self._when_moved = when_moved
        self._when_fault = when_fault

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take note of a frame."""
        self.note(data.frame)

    def note(self, frame: Frame) -> None:
        """Take note of a frame."""
        match frame:
            case FaultFrame(is_over=False):
                self._when_fault(frame.fault, frame.text)
            case InputAudioRawFrame():
                self._when_moved("microphone")
            case BotSpeakingFrame() | BotStoppedSpeakingFrame():
                # The output sends these as it hands sound to the device.
                self._when_moved("speaker")
            case (
                TranscriptionFrame()
                | LLMFullResponseStartFrame()
                | LLMTextFrame()
                | LLMFullResponseEndFrame()
                | TTSAudioRawFrame()
            ):
                self._when_moved("engine")
