"""The microphone's and the speaker's stage.

Pipecat's own local transport opens its devices once, and writes to them and waits: a device that
goes, or a sound server that stalls, stops it for good, and an interruption plays on until its
buffers are empty. Here a device that fails is a fault that is shown, and the device is opened
again as soon as it is back.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.frames import ChimeFrame, FaultFrame, HoldFrame, MuteFrame, VolumeFrame
from edgebot.stages.keeper import Device, Keeper
from edgebot.state import Fault

RATE_HZ = 16_000
# As much sound as may wait for the speaker: it covers a late event loop, and no more.
AHEAD_S = 0.08
# What was heard longer ago is thrown away: nobody wants an answer to it any more.
STALE_AFTER_S = 0.3
# The most sound that waits for the pipeline, in pieces of 20 ms.
_MOST_WAITING = 15
# The start waits so long for a device, so that the first words are not spoken before it is there.
_START_S = 3.0
_LOOK_EVERY_S = 0.1

NO_MORE_HEARD = (
    "The microphone delivers no more sound: check its cable, or restart the sound server; it is "
    "opened again as soon as it is back."
)
NO_MORE_PLAYED = (
    "The speaker takes no more sound: check its cable, or restart the sound server; it is opened "
    "again as soon as it is back."
)


class Microphone(Device, Protocol):
    """What the stage needs of an open microphone."""


class Speaker(Device, Protocol):
    """What the stage needs of an open speaker."""

    @property
    def waiting_s(self) -> float: ...
    def write(self, audio: bytes) -> None: ...
    def clear(self) -> None: ...
    def hold(self, held: bool) -> None: ...
    def chime(self, audio: bytes) -> None: ...
    def set_volume(self, volume: float) -> None: ...


OpenMicrophone = Callable[[Callable[[bytes], None]], Microphone]
OpenSpeaker = Callable[[], Speaker]


class DeviceTransport(BaseTransport):
    """A conversation through a microphone and a speaker, opened when the pipeline starts.

    A device that fails is told of by one `FaultFrame`, and by another one when it works again.
    """

    def __init__(
        self,
        *,
        open_microphone: OpenMicrophone | None,
        open_speaker: OpenSpeaker,
        speaker_rate_hz: int,
        volume: float = 1.0,
        chimes: Mapping[str, bytes] | None = None,
        lasting: bool = True,
        when_open: Callable[[frozenset[Fault]], None] = lambda faults: None,
        when_reopened: Callable[[], None] = lambda: None,
        when_note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Name the devices.

        Args:
            open_microphone: Opens it and is handed where its sound goes, 20 ms at a time at
                16 kHz; None for a transport that only plays.
            open_speaker: Opens the speaker.
            speaker_rate_hz: The rate that the speaker plays at.
            volume: Of all that is played, 0.0 to 1.0.
            chimes: What is played by which name; others are none.
            lasting: Whether to wait for a device that fails; else it is the pipeline's end.
            when_open: Called once, when each device works or its fault is known, with the faults.
            when_reopened: Called when a device was opened again: another delay, another echo.
            when_note: Called with one sentence for each fault, and one for its end.
        """
        super().__init__()
        params = TransportParams(
            audio_in_enabled=open_microphone is not None,
            audio_in_sample_rate=RATE_HZ,
            audio_out_enabled=True,
            audio_out_sample_rate=speaker_rate_hz,
            audio_out_end_silence_secs=0,
            audio_out_10ms_chunks=2,
        )
        self._when_open = when_open
        self._unknown = {Fault.SPEAKER} | ({Fault.MICROPHONE} if open_microphone else set())
        self._faulty: set[Fault] = set()
        told = Told(lasting, self._known, when_reopened, when_note)
        self._input = DeviceInput(params, open_microphone, told)
        self._output = DeviceOutput(params, open_speaker, volume, chimes or {}, told)

    def _known(self, fault: Fault, works: bool) -> None:
        is_last = self._unknown == {fault}
        self._unknown.discard(fault)
        if works:
            self._faulty.discard(fault)
        else:
            self._faulty.add(fault)
        if is_last:
            self._when_open(frozenset(self._faulty))

    def input(self) -> FrameProcessor:
        """Return the microphone's stage."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the speaker's stage."""
        return self._output

    def silence(self) -> None:
        """Fall silent now, from any thread: the rest of this answer is not played."""
        self._output.silence()


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
