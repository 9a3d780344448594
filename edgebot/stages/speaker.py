"""The speaker's stage: it never waits for a device, and falls silent at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams

from edgebot.frames import ChimeFrame, HoldFrame, VolumeFrame
from edgebot.stages.device_health import Health, Told
from edgebot.stages.keeper import Device, Keeper
from edgebot.state import Fault

# As much sound as may wait for the speaker: it covers a late event loop, and no more.
AHEAD_S = 0.08
# The start waits so long for a device, so that the first words are not spoken before it is there.
_START_S = 3.0
_LOOK_EVERY_S = 0.1

NO_MORE_PLAYED = (
    "The speaker takes no more sound: check its cable, or restart the sound server; it is opened "
    "again as soon as it is back."
)


class Speaker(Device, Protocol):
    """What the stage needs of an open speaker."""

    @property
    def waiting_s(self) -> float: ...
    def write(self, audio: bytes) -> None: ...
    def clear(self) -> None: ...
    def hold(self, held: bool) -> None: ...
    def chime(self, audio: bytes) -> None: ...
    def caller(self, audio: bytes) -> None: ...
    def set_volume(self, volume: float) -> None: ...


OpenSpeaker = Callable[[], Speaker]


class DeviceOutput(BaseOutputTransport):
    """Sound to a speaker."""

    def __init__(
        self,
        params: TransportParams,
        open_speaker: OpenSpeaker,
        volume: float,
        chimes: Mapping[str, bytes],
        told: Told,
    ) -> None:
        super().__init__(params)
        self._open = open_speaker
        self._volume = volume
        self._chimes = chimes
        self._lasting = told.lasting
        self._health = Health(self, FrameDirection.UPSTREAM, Fault.SPEAKER, told)
        self._keeper: Keeper[Speaker] | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_speaking = False
        # Counts what ends an answer; whoever writes looks whether it has changed.
        self._ends = 0
        # Whether all that Pipecat may still hold belongs to an answer that has ended.
        self._is_stale = False
        # Whether more of the answer that was silenced may still come, and whose sound it is.
        self._is_silenced = False
        self._answer: object = None
        self._silencing = threading.Lock()

    async def start(self, frame: StartFrame) -> None:
        """Begin to keep the speaker open."""
        await super().start(frame)
        self._loop = asyncio.get_running_loop()
        self._keeper = Keeper(
            self._open,
            stopped=NO_MORE_PLAYED,
            when_opened=self._opened,
            when_working=self._health.works,
            when_fault=self._failed,
        )
        self._task = self.create_task(self._keeper.run())
        try:
            await asyncio.wait_for(self._keeper.is_settled.wait(), _START_S)
        except TimeoutError:
            await self._failed("The speaker does not open: restart the sound server.")
        await self.set_transport_ready(frame)

    def _opened(self, speaker: Speaker) -> None:
        speaker.set_volume(self._volume)
        self._health.opened()

    async def _failed(self, text: str) -> None:
        await self._health.fails(text)
        if self._is_speaking:
            self._end_answer()
            await self.broadcast_interruption()
            await self._forget_answer()

    @property
    def _speaker(self) -> Speaker | None:
        return self._keeper.device if self._keeper is not None else None

    def silence(self) -> None:
        """Fall silent now, from any thread: the rest of this answer is not played."""
        with self._silencing:
            self._is_silenced = True
            self._end_answer()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drop_silenced)

    def play_caller(self, audio: bytes) -> None:
        """Play a caller's sound, 16-bit mono PCM at the speaker's rate, over whatever sounds."""
        if (speaker := self._speaker) is not None:
            speaker.caller(audio)

    def _drop_silenced(self) -> None:
        # A new answer may have begun already: then the old one is forgotten.
        if self._is_silenced and self._task is not None:
            self.create_task(self._forget_answer())

    def _end_answer(self) -> None:
        self._ends += 1
        self._is_stale = True
        if (speaker := self._speaker) is not None:
            speaker.clear()
            speaker.hold(False)

    async def _forget_answer(self) -> None:
        for sender in self._media_senders.values():
            await sender.handle_interruptions(InterruptionFrame())

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Do at once what must not wait behind the sound."""
        if isinstance(frame, OutputAudioRawFrame) and self._is_unwanted(frame):
            return
        self._obey(frame)
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            # Until here Pipecat's own queue may have brought more of the old answer.
            self._end_answer()

    def _is_unwanted(self, frame: OutputAudioRawFrame) -> bool:
        """Tell whether a sound belongs to the answer that was silenced."""
        answer = getattr(frame, "context_id", None)
        with self._silencing:
            if self._is_silenced and frame.interruptible and answer == self._answer:
                return True
            self._is_silenced = self._is_stale = False
            self._answer = answer
        return False

    def _obey(self, frame: Frame) -> None:
        speaker = self._speaker
        match frame:
            case InterruptionFrame():
                self._end_answer()
                self._is_silenced = False
            case LLMFullResponseStartFrame():
                self._is_silenced = False
            case VolumeFrame():
                self._volume = frame.volume
                if speaker is not None:
                    speaker.set_volume(frame.volume)
            case HoldFrame() if speaker is not None:
                speaker.hold(frame.held)
            case ChimeFrame() if speaker is not None and frame.chime in self._chimes:
                speaker.chime(self._chimes[frame.chime])

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Take note of whether it speaks; pass everything on."""
        if isinstance(frame, BotStartedSpeakingFrame | BotStoppedSpeakingFrame):
            self._is_speaking = isinstance(frame, BotStartedSpeakingFrame)
        await super().push_frame(frame, direction)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Hand a frame to the speaker as soon as there is room, which keeps real time."""
        speaker, ends = self._speaker, self._ends
        # Pipecat's queue forgets the old answer, but not a frame that it is just handing over.
        if speaker is None or (frame.interruptible and self._is_stale):
            return False
        while speaker.waiting_s > AHEAD_S:
            if not await self._until_waiting(speaker, AHEAD_S):
                return False
            if frame.interruptible and self._ends != ends:
                return False
        speaker.write(frame.audio)
        if frame.interruptible and self._ends != ends:
            # It was silenced from another thread just now.
            speaker.clear()
            return False
        return True

    async def _until_waiting(self, speaker: Speaker, seconds: float) -> bool:
        """Wait until so little waits, or an answer ends; return whether the speaker is still there.

        A speaker that takes nothing is given up by its keeper, so this always returns.
        """
        ends = self._ends
        while (rest_s := speaker.waiting_s - seconds) > 0 and self._ends == ends:
            await asyncio.sleep(min(rest_s + seconds / 2, _LOOK_EVERY_S))
            if self._speaker is not speaker:
                return False
        return self._speaker is speaker

    async def stop(self, frame: EndFrame) -> None:
        """Play what waits, then close the speaker."""
        await super().stop(frame)
        speaker = self._speaker
        if speaker is not None and await self._until_waiting(speaker, 0.0):
            # What was handed to the device is heard a little later.
            await asyncio.sleep(AHEAD_S)
        await self._close()

    async def cancel(self, frame: CancelFrame) -> None:
        """Close the speaker at once."""
        await super().cancel(frame)
        await self._close()

    async def cleanup(self) -> None:
        """Close the speaker."""
        await super().cleanup()
        await self._close()

    async def _close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await self.cancel_task(task, timeout=None)
