"""A socket in place of the microphone and the speaker: the caller is in another process."""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    ClientConnectedFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.stages.wire import Wire, WireError, own_message

# So much sound is under way, against what the caller's network does to it.
AHEAD_S = 0.06


class SocketTransport(BaseTransport):
    """Both ends of a conversation whose caller is at the other end of a wire.

    Event handlers: `on_client_connected(transport, wire)` when the caller is there, and
    `on_client_disconnected(transport, wire)` when they have left.
    """

    def __init__(self, wire: Wire, params: TransportParams) -> None:
        """Make both ends; the wire is closed with them."""
        super().__init__()
        self._wire = wire
        self._input = SocketInput(self, wire, params)
        self._output = SocketOutput(wire, params)
        self._register_event_handler("on_client_connected")
        self._register_event_handler("on_client_disconnected")

    def input(self) -> FrameProcessor:
        """Return the end that hears the caller."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the end that the caller hears."""
        return self._output

    async def came(self) -> None:
        """Tell that the caller is there."""
        await self._call_event_handler("on_client_connected", self._wire)

    async def left(self) -> None:
        """Tell that the caller has left."""
        await self._call_event_handler("on_client_disconnected", self._wire)


class SocketInput(BaseInputTransport):
    """What comes from the wire."""

    def __init__(self, transport: SocketTransport, wire: Wire, params: TransportParams) -> None:
        super().__init__(params)
        self._transport = transport
        self._wire = wire
        self._reading: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        """Begin to hear."""
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._reading = self.create_task(self._read())

    async def stop(self, frame: EndFrame) -> None:
        """Hear no more."""
        await super().stop(frame)
        await self._stop_reading()

    async def cancel(self, frame: CancelFrame) -> None:
        """Hear no more."""
        await super().cancel(frame)
        await self._stop_reading()

    async def cleanup(self) -> None:
        """Close the wire."""
        await super().cleanup()
        await self._stop_reading()
        await self._wire.close()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            await self.cancel_task(self._reading)
            self._reading = None

    async def _read(self) -> None:
        try:
            while True:
                await self._take(await self._wire.receive())
        except WireError:
            await self._transport.left()

    async def _take(self, frame: Frame) -> None:
        own = own_message(frame)
        if own is not None:
            if own["edgebot"] == "connected":
                await self._transport.came()
                await self.push_frame(ClientConnectedFrame())
        elif isinstance(frame, InputAudioRawFrame):
            await self.push_audio_frame(frame)
        elif isinstance(frame, InputTransportMessageFrame):
            await self.broadcast_frame(InputTransportMessageFrame, message=frame.message)


class SocketOutput(BaseOutputTransport):
    """What goes to the wire: sound no faster than it is heard, so that an interruption is one."""

    def __init__(self, wire: Wire, params: TransportParams) -> None:
        super().__init__(params)
        self._wire = wire
        self._heard_until = 0.0

    async def start(self, frame: StartFrame) -> None:
        """Be ready to speak."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Have the other side drop what it has not played when the caller interrupts."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._heard_until = 0.0
            await self._send(InterruptionFrame())

    async def send_message(
        self, frame: OutputTransportMessageFrame | OutputTransportMessageUrgentFrame
    ) -> None:
        """Send a message to the caller's client."""
        await self._send(OutputTransportMessageUrgentFrame(message=frame.message))

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Send sound and wait as long as it takes to be heard."""
        loop = asyncio.get_running_loop()
        lasts_s = len(frame.audio) / (2 * frame.sample_rate * frame.num_channels)
        self._heard_until = max(self._heard_until, loop.time()) + lasts_s
        sound = OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
        is_sent = await self._send(sound)
        await asyncio.sleep(max(0.0, self._heard_until - loop.time() - AHEAD_S))
        return is_sent

    async def _send(self, frame: Any) -> bool:
        try:
            await self._wire.send(frame)
        except WireError:
            # The input notices as well, and it tells.
            return False
        return True
