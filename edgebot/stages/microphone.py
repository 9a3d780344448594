"""The microphone's stage: live sound, or none."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import TransportParams

from edgebot.frames import MuteFrame
from edgebot.stages.device_health import Health, Told
from edgebot.stages.keeper import Device, Keeper
from edgebot.state import Fault

RATE_HZ = 16_000
# What was heard longer ago is thrown away: nobody wants an answer to it any more.
STALE_AFTER_S = 0.3
# The most sound that waits for the pipeline, in pieces of 20 ms.
_MOST_WAITING = 15

NO_MORE_HEARD = (
    "The microphone delivers no more sound: check its cable, or restart the sound server; it is "
    "opened again as soon as it is back."
)


class Microphone(Device, Protocol):
    """What the stage needs of an open microphone."""


OpenMicrophone = Callable[[Callable[[bytes], None]], Microphone]


class DeviceInput(BaseInputTransport):
    """Sound from a microphone.

    Attributes:
        stale: How many pieces of 20 ms were thrown away, because they came too late.
    """

    def __init__(
        self, params: TransportParams, open_microphone: OpenMicrophone | None, told: Told
    ) -> None:
        super().__init__(params)
        self.stale = 0
        self._open = open_microphone
        self._health = Health(self, FrameDirection.DOWNSTREAM, Fault.MICROPHONE, told)
        self._heard: deque[tuple[float, bytes]] = deque()
        self._has_heard = asyncio.Event()
        self._keeper: Keeper[Microphone] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, frame: StartFrame) -> None:
        """Begin to keep the microphone open."""
        await super().start(frame)
        if self._open is None:
            return
        await self.set_transport_ready(frame)
        loop = asyncio.get_running_loop()
        open_microphone = self._open

        def when_audio(audio: bytes) -> None:
            # PortAudio's thread: the queue is bounded, and nothing waits for the event loop.
            self._heard.append((loop.time(), audio))
            while len(self._heard) > _MOST_WAITING:
                self._heard.popleft()
                self.stale += 1
            loop.call_soon_threadsafe(self._has_heard.set)

        self._keeper = Keeper(
            lambda: open_microphone(when_audio),
            stopped=NO_MORE_HEARD,
            when_opened=lambda device: self._health.opened(),
            when_working=self._health.works,
            when_fault=self._health.fails,
        )
        self._tasks = [self.create_task(self._deliver()), self.create_task(self._keeper.run())]

    async def _deliver(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._has_heard.wait()
            self._has_heard.clear()
            while self._heard:
                came_s, audio = self._heard.popleft()
                if now() - came_s > STALE_AFTER_S:
                    self.stale += 1
                elif not self._paused:
                    await self.push_frame(InputAudioRawFrame(audio, RATE_HZ, 1))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Close the microphone while it is muted; pass everything on."""
        if isinstance(frame, MuteFrame) and self._keeper is not None:
            self._keeper.want(not frame.muted)
        await super().process_frame(frame, direction)

    async def stop(self, frame: EndFrame) -> None:
        """Close the microphone."""
        await self._close()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """Close the microphone."""
        await self._close()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        """Close the microphone."""
        await self._close()
        await super().cleanup()

    async def _close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await self.cancel_task(task, timeout=None)
