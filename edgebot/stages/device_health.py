"""What is known of a microphone or a speaker, told as frames."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.frames import FaultFrame
from edgebot.state import Fault


class Told:
    """Who is told of a device's fate."""

    def __init__(
        self,
        lasting: bool,
        when_known: Callable[[Fault, bool], None],
        when_reopened: Callable[[], None],
        when_note: Callable[[str], None],
    ) -> None:
        self.lasting = lasting
        self.when_known = when_known
        self.when_reopened = when_reopened
        self.when_note = when_note


class Health:
    """What is known of one device, told as frames, each thing once."""

    def __init__(
        self, stage: FrameProcessor, direction: FrameDirection, fault: Fault, told: Told
    ) -> None:
        self._stage = stage
        self._direction = direction
        self._fault = fault
        self._told = told
        self._is_faulty = False
        self._openings = 0

    def opened(self) -> None:
        """Take note that it was opened."""
        self._openings += 1
        if self._openings > 1:
            self._told.when_reopened()

    async def works(self) -> None:
        """Take note that it works."""
        if self._is_faulty:
            self._is_faulty = False
            text = f"The {self._fault} works again."
            self._told.when_note(text)
            await self._push(FaultFrame(self._fault, text, is_over=True))
        self._told.when_known(self._fault, True)

    async def fails(self, text: str) -> None:
        """Take note that it cannot be opened, or has stopped."""
        if not self._told.lasting:
            await self._stage.push_error(text.rstrip("."), force_treat_as_permanent=True)
            return
        if not self._is_faulty:
            self._is_faulty = True
            self._told.when_note(text)
            await self._push(FaultFrame(self._fault, text))
        self._told.when_known(self._fault, False)

    async def _push(self, frame: Frame) -> None:
        await self._stage.push_frame(frame, self._direction)
