"""A call for the person beside the box: sound from the microphone to the caller, and back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from pipecat.frames.frames import Frame, InputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.frames import CallFrame
from edgebot.stages.wire import Wire, WireError

RATE_HZ = 16_000
# Pieces of the microphone's sound, 20 ms each: what is older nobody wants to hear.
MOST_WAITING = 15


class Intercom(FrameProcessor):
    """Stands behind the echo canceller: while two people talk, the assistant hears nothing.

    Attributes:
        when_sound: Called with the microphone's sound in a call: 16-bit mono PCM at 16 kHz.
    """

    def __init__(self) -> None:
        super().__init__()
        self.when_sound: Callable[[bytes], None] = lambda audio: None
        self._is_open = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand sound to the caller while there is one; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame) and self._is_open:
            self.when_sound(frame.audio)
            return
        await self.push_frame(frame, direction)
        if isinstance(frame, CallFrame):
            self._is_open = frame.connected and frame.intercom
            if self._is_open:
                # Whatever it was saying is not for the caller's ear.
                await self.broadcast_interruption()


class Caller(FrameProcessor):
    """Stands between the two ends of a caller's socket, in a pipeline of their own."""

    def __init__(self, wire: Wire, when_sound: Callable[[bytes], None]) -> None:
        """Take the wire.

        Args:
            wire: Carries the microphone's sound to them, which is live already.
            when_sound: Called with theirs, 16-bit mono PCM at 16 kHz.
        """
        super().__init__()
        self._wire = wire
        self._when_sound = when_sound
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None

    def hear(self, audio: bytes) -> None:
        """Send what the microphone hears; where it piles up, the oldest is dropped."""
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(audio)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand the caller's sound over; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self._when_sound(frame.audio)
            return
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._sending = self.create_task(self._send())

    async def cleanup(self) -> None:
        """Send no more."""
        await super().cleanup()
        if self._sending is not None:
            await self.cancel_task(self._sending)
            self._sending = None

    async def _send(self) -> None:
        # When the wire is broken, its reader tells.
        with contextlib.suppress(WireError):
            while True:
                await self._wire.send_sound(await self._waiting.get(), RATE_HZ)
