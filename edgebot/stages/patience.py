"""Joins the microphone's pieces while nobody waits for them.

A piece costs more on its way than for what is in it, and on two processors whatever else is at work
holds the language model up. The echo canceller comes before: it finds an echo by counting pieces.
"""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.frames import SleepFrame, TalkFrame

# So much sound goes on at once, and a voice is noticed later by as much at the most.
JOINED_S = 0.1
# As long after its own voice, the room may still bring it, and every piece is looked at.
ECHO_S = 1.0


class Patience(FrameProcessor):
    """Hands sound on in longer pieces, but not in a turn and not while the assistant speaks."""

    def __init__(self) -> None:
        # Its work is too short to be worth a queue of its own.
        super().__init__(enable_direct_mode=True)
        self._is_turn = self._is_voice = self._is_held = self._is_speaking = False
        self._spoke_at_s = -ECHO_S
        self._waiting: InputAudioRawFrame | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Join sound, and pass everything else on behind the sound that came before it."""
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                await self._join(frame)
                return
            case UserStartedSpeakingFrame() | UserStoppedSpeakingFrame():
                self._is_turn = isinstance(frame, UserStartedSpeakingFrame)
            case VADUserStartedSpeakingFrame() | VADUserStoppedSpeakingFrame():
                self._is_voice = isinstance(frame, VADUserStartedSpeakingFrame)
            case TalkFrame():
                self._is_held = frame.held
            case SleepFrame():
                # What was heard until now is not to be heard, and not to wake it again.
                self._waiting = None
            case BotStartedSpeakingFrame():
                self._is_speaking = True
            case BotStoppedSpeakingFrame():
                self._is_speaking, self._spoke_at_s = False, self._now()
        if direction is FrameDirection.DOWNSTREAM or not self._is_patient:
            await self._hand_on()
        await self.push_frame(frame, direction)

    @property
    def _is_patient(self) -> bool:
        is_busy = self._is_turn or self._is_voice or self._is_held or self._is_speaking
        return not is_busy and self._now() - self._spoke_at_s >= ECHO_S

    async def _join(self, frame: InputAudioRawFrame) -> None:
        if self._waiting is not None:
            frame.audio = self._waiting.audio + frame.audio
            frame.num_frames += self._waiting.num_frames
        self._waiting = frame
        if not self._is_patient or frame.num_frames >= JOINED_S * frame.sample_rate:
            await self._hand_on()

    async def _hand_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await self.push_frame(waiting)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
