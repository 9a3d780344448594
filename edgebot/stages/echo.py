"""Takes the assistant's own voice out of what the microphone hears."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pipecat.frames.frames import Frame, InputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.config import Settings
from edgebot.engines.echo_canceller import FRAME_BYTES, EchoCanceller
from edgebot.errors import EngineError

# Parts of the names of devices that cancel echo themselves, in small letters: speakerphones, and
# the sources that PulseAudio's and PipeWire's own cancellers make.
CANCELS_ITSELF = (
    "anker",
    "echo-cancel",
    "echo cancel",
    "echocancel",
    "emeet",
    "jabra",
    "konftel",
    "poly sync",
    "powerconf",
    "respeaker usb mic array",
    "speakerphone",
    "xvf3",
)


class Canceller(Protocol):
    """What the stage needs of an engine; `EchoCanceller` is one."""

    def load(self) -> None: ...
    def reset(self) -> None: ...
    def played(self, audio: bytes, rate_hz: int) -> None: ...
    def clean(self, audio: bytes) -> bytes: ...


class Echo(FrameProcessor):
    """Cleans each frame of the microphone, 16-bit mono PCM at 16 kHz of any length.

    A canceller that fails is a fault told once; the sound then passes as it was heard.
    """

    def __init__(self, *, canceller: Canceller) -> None:
        """Name the engine, which is loaded when the pipeline starts.

        Args:
            canceller: Does the work.
        """
        # Its work is too short to be worth a queue of its own.
        super().__init__(enable_direct_mode=True)
        self._canceller = canceller
        self._is_working = False
        self._rest = b""

    def played(self, audio: bytes, rate_hz: int) -> None:
        """Take note of what is handed to the speaker, silence too, from any thread.

        Args:
            audio: 16-bit mono PCM, any length.
            rate_hz: Its rate.
        """
        if self._is_working:
            self._canceller.played(audio, rate_hz)

    def reset(self) -> None:
        """Forget the room, from any thread: a device was opened anew."""
        self._canceller.reset()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Load the engine at the start, clean sound, and pass everything on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame):
            await self.push_frame(frame, direction)
            await self._load()
            return
        if self._is_working and isinstance(frame, InputAudioRawFrame):
            await self._clean(frame)
            if not frame.audio:
                return
        await self.push_frame(frame, direction)

    async def _load(self) -> None:
        try:
            await asyncio.to_thread(self._canceller.load)
            self._is_working = True
        except EngineError as error:
            await self._give_up(error)

    async def _clean(self, frame: InputAudioRawFrame) -> None:
        audio = self._rest + frame.audio
        whole = len(audio) - len(audio) % FRAME_BYTES
        self._rest = audio[whole:]
        try:
            frame.audio = self._canceller.clean(audio[:whole])
        except EngineError as error:
            frame.audio, self._rest = audio, b""
            await self._give_up(error)
        frame.num_frames = len(frame.audio) // 2

    async def _give_up(self, error: EngineError) -> None:
        self._is_working = False
        await self.push_error(
            f"its own voice is no longer taken out of what it hears, because {error}", error
        )


def create(settings: Settings, device_name: str) -> Echo | None:
    """Return the stage, or None where it is switched off or the device does its work.

    Args:
        settings: Its section `echo`.
        device_name: The microphone's, as its driver calls it.
    """
    echo = settings.echo
    if echo.cancel == "off" or (echo.cancel == "auto" and cancels_itself(device_name)):
        return None
    return Echo(
        canceller=EchoCanceller(
            noise_suppression=echo.noise_suppression, gain_control=echo.gain_control
        )
    )


def cancels_itself(device_name: str) -> bool:
    """Tell by its name whether a microphone hears no echo."""
    name = device_name.lower().replace("_", "-")
    return any(part in name for part in CANCELS_ITSELF)
