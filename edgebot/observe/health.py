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


class HealthObserver(BaseObserver):
    """Tells which part has moved, by its plain name."""

    def __init__(self, when_moved: Callable[[str], None]) -> None:
        """Name who is told.

        Args:
            when_moved: Called with "microphone", "speaker" or "engine", as often as frames come.
        """
        super().__init__(observe_every_push=False)
        self._when_moved = when_moved

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take note of a frame."""
        self.note(data.frame)

    def note(self, frame: Frame) -> None:
        """Take note of a frame."""
        match frame:
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
