"""The microphone's and the speaker's stage.

Pipecat's own local transport writes to the device and waits: a sound server that stalls stops the
whole output for good, and an interruption plays on until its buffers are empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.errors import DeviceError

RATE_HZ = 16_000
# As much sound as may wait for the speaker: it covers a late event loop, and no more.
AHEAD_S = 0.08
# A device that was silent for so long is gone.
LOST_AFTER_S = 2.0


class Microphone(Protocol):
    """What the stage needs of an open microphone."""

    @property
    def silent_s(self) -> float: ...
    def close(self) -> None: ...


class Speaker(Protocol):
    """What the stage needs of an open speaker."""

    @property
    def silent_s(self) -> float: ...
    @property
    def waiting_s(self) -> float: ...
    def write(self, audio: bytes) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


OpenMicrophone = Callable[[Callable[[bytes], None]], Microphone]
OpenSpeaker = Callable[[], Speaker]


class DeviceTransport(BaseTransport):
    """A conversation through a microphone and a speaker, opened when the pipeline starts."""

    def __init__(
        self,
        *,
        open_microphone: OpenMicrophone | None,
        open_speaker: OpenSpeaker,
        speaker_rate_hz: int,
        volume: float = 1.0,
        when_open: Callable[[], None] = lambda: None,
    ) -> None:
        """Name the devices.

        Args:
            open_microphone: Opens it at 16 kHz and is handed where its sound goes; None for a
                transport that only plays.
            open_speaker: Opens the speaker.
            speaker_rate_hz: The rate that the speaker plays at.
            volume: Of all that is played, 0.0 to 1.0.
            when_open: Called once, when the speaker is open and the microphone has delivered sound.
        """
        super().__init__()
        params = TransportParams(
            audio_in_enabled=open_microphone is not None,
            audio_in_sample_rate=RATE_HZ,
            audio_out_enabled=True,
            audio_out_sample_rate=speaker_rate_hz,
            audio_out_volume=volume,
            audio_out_end_silence_secs=0,
            audio_out_10ms_chunks=2,
        )
        self._when_open = when_open
        self._closed_ends = 2 if open_microphone else 1
        self._input = DeviceInput(params, open_microphone, self._opened)
        self._output = DeviceOutput(params, open_speaker, self._opened)

    def _opened(self) -> None:
        self._closed_ends -= 1
        if not self._closed_ends:
            self._when_open()

    def input(self) -> FrameProcessor:
        """Return the microphone's stage."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the speaker's stage."""
        return self._output


class DeviceInput(BaseInputTransport):
    """Sound from a microphone."""

    def __init__(
        self,
        params: TransportParams,
        open_microphone: OpenMicrophone | None,
        when_open: Callable[[], None],
    ) -> None:
        super().__init__(params)
        self._open = open_microphone
        self._when_open = when_open
        self._is_open = False
        self._microphone: Microphone | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        """Open the microphone."""
        await super().start(frame)
        if self._open is None:
            return
        await self.set_transport_ready(frame)
        loop = asyncio.get_running_loop()

        def when_audio(audio: bytes) -> None:
            loop.call_soon_threadsafe(deliver, audio)

        def deliver(audio: bytes) -> None:
            if not self._is_open:
                self._is_open = True
                self._when_open()
            self.create_task(self.push_audio_frame(InputAudioRawFrame(audio, RATE_HZ, 1)))

        try:
            self._microphone = await asyncio.to_thread(self._open, when_audio)
        except DeviceError as error:
            await self.push_error(str(error).rstrip("."), error, force_treat_as_permanent=True)
            return
        self._watch = self.create_task(self._watch_microphone())

    async def _watch_microphone(self) -> None:
        while self._microphone is not None:
            await asyncio.sleep(LOST_AFTER_S / 4)
            if self._microphone.silent_s > LOST_AFTER_S:
                await self.push_error(
                    "the microphone delivers no more sound", force_treat_as_permanent=True
                )
                return

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
        if self._watch is not None:
            await self.cancel_task(self._watch)
            self._watch = None
        microphone, self._microphone = self._microphone, None
        if microphone is not None:
            await asyncio.to_thread(microphone.close)


class DeviceOutput(BaseOutputTransport):
    """Sound to a speaker."""

    def __init__(
        self, params: TransportParams, open_speaker: OpenSpeaker, when_open: Callable[[], None]
    ) -> None:
        super().__init__(params)
        self._open = open_speaker
        self._when_open = when_open
        self._speaker: Speaker | None = None
        self._interruptions = 0
        # Whether all that Pipecat may still hold came before the last interruption.
        self._is_stale = False

    async def start(self, frame: StartFrame) -> None:
        """Open the speaker."""
        await super().start(frame)
        try:
            self._speaker = await asyncio.to_thread(self._open)
        except DeviceError as error:
            await self.push_error(str(error).rstrip("."), error, force_treat_as_permanent=True)
            return
        await self.set_transport_ready(frame)
        self._when_open()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Fall silent at an interruption before anything else happens."""
        if isinstance(frame, OutputAudioRawFrame):
            self._is_stale = False
        self._fall_silent(frame)
        await super().process_frame(frame, direction)
        # Until here Pipecat's own queue may have brought more of the old answer.
        self._fall_silent(frame)

    def _fall_silent(self, frame: Frame) -> None:
        if isinstance(frame, InterruptionFrame) and self._speaker is not None:
            self._interruptions += 1
            self._is_stale = True
            self._speaker.clear()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Hand a frame to the speaker as soon as there is room, which keeps real time."""
        speaker = self._speaker
        # Pipecat's queue forgets the old answer, but not a frame that it is just handing over.
        if speaker is None or (frame.interruptible and self._is_stale):
            return False
        interruptions = self._interruptions
        while speaker.waiting_s > AHEAD_S:
            if speaker.silent_s > LOST_AFTER_S:
                await self.push_error(
                    "the speaker takes no more sound", force_treat_as_permanent=True
                )
                return False
            await asyncio.sleep(speaker.waiting_s - AHEAD_S / 2)
            if frame.interruptible and self._interruptions != interruptions:
                return False
        speaker.write(frame.audio)
        return True

    async def stop(self, frame: EndFrame) -> None:
        """Play what waits, then close the speaker."""
        await super().stop(frame)
        if self._speaker is not None and self._speaker.silent_s < LOST_AFTER_S:
            await asyncio.sleep(self._speaker.waiting_s + AHEAD_S)
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
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            await asyncio.to_thread(speaker.close)
