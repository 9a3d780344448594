"""Frames over a Unix socket, between the bridge, which has the network, and the engine.

Each piece is a length of four bytes, most significant first, and a frame as Pipecat's
`ProtobufFrameSerializer` writes it. Sound, interruptions and messages travel; the messages are the
client's and the assistant's RTVI, and a few of the two processes' own, whose one key is `edgebot`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
from google.protobuf.message import DecodeError
from pipecat.frames.frames import (
    Frame,
    InputTransportMessageFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.serializers.protobuf import ProtobufFrameSerializer

LONGEST_BYTES = 128 * 1024
# Whoever does not take what is sent for so long has stalled.
PATIENCE_S = 5.0
_LENGTH = struct.Struct(">I")
_OWN = "edgebot"


def socket_file() -> Path:
    """Return where the engine takes calls: in its runtime folder, the session's, or the user's."""
    if folder := os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(folder) / "calls.sock"
    session = os.environ.get("XDG_RUNTIME_DIR")
    own = Path(session) / "edgebot" if session else Path(platformdirs.user_state_dir("edgebot"))
    return own / "calls.sock"


class WireError(Exception):
    """The other side is gone, has stalled, or speaks something else."""


class Wire:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._serializer = ProtobufFrameSerializer()
        self._sending = asyncio.Lock()

    @property
    def is_closed(self) -> bool:
        """Whether this end was closed."""
        return self._writer.is_closing()

    async def send(self, frame: Frame) -> None:
        """Send sound, an interruption or a message.

        Raises:
            WireError: The other side is gone or does not take it, or the message is too long.
        """
        data = await self._serializer.serialize(frame)
        if not isinstance(data, bytes):
            raise WireError(f"{type(frame).__name__} cannot be sent.")
        if len(data) > LONGEST_BYTES:
            raise WireError(f"A message of {len(data)} bytes is too long.")
        try:
            async with asyncio.timeout(PATIENCE_S), self._sending:
                self._writer.write(_LENGTH.pack(len(data)) + data)
                await self._writer.drain()
        except (OSError, RuntimeError, TimeoutError) as error:
            self._writer.close()
            raise WireError(f"The other side does not take it: {error!r}.") from None

    async def send_sound(self, audio: bytes, rate_hz: int, channels: int = 1) -> None:
        """Send 16-bit PCM."""
        await self.send(OutputAudioRawFrame(audio, rate_hz, channels))

    async def send_message(self, message: Any) -> None:
        """Send a client's message, or one to a client."""
        await self.send(OutputTransportMessageUrgentFrame(message=message))

    async def tell(self, what: str, **more: Any) -> None:
        """Send a message of the two processes' own."""
        await self.send_message({_OWN: what, **more})

    async def receive(self) -> Frame:
        """Wait for the next frame: sound and messages come as a transport's input.

        Raises:
            WireError: The other side is gone, or sends what is no frame.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > LONGEST_BYTES:
                raise WireError(f"A frame of {length} bytes is too long.")
            frame = await self._serializer.deserialize(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            raise WireError("The other side is gone.") from None
        except DecodeError:
            frame = None
        if frame is None:
            raise WireError("What came is no frame.")
        return frame

    async def told(self, within_s: float | None = None) -> Mapping[str, Any]:
        """Wait for a message of the two processes' own.

        Args:
            within_s: So long, or else a while.

        Raises:
            WireError: Something else came, or nothing in time.
        """
        try:
            async with asyncio.timeout(PATIENCE_S if within_s is None else within_s):
                own = own_message(await self.receive())
        except TimeoutError:
            raise WireError("The other side says nothing.") from None
        if own is None:
            raise WireError("The other side speaks something else.")
        return own

    async def close(self) -> None:
        """Close this end; what was sent still arrives."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._writer.wait_closed()


def own_message(frame: Frame) -> Mapping[str, Any] | None:
    """Return what one process tells the other, and None for all that comes from a client."""
    if isinstance(frame, InputTransportMessageFrame):
        message = frame.message
        if isinstance(message, dict) and _OWN in message:
            return message
    return None
