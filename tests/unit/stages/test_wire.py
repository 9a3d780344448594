"""Frames over a Unix socket: what comes is what was sent, and whatever else comes is refused."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    TTSSpeakFrame,
)

from edgebot.stages import wire as wire_module
from edgebot.stages.wire import LONGEST_BYTES, Wire, WireError, own_message


@contextlib.asynccontextmanager
async def wires(folder: Path) -> AsyncIterator[tuple[Wire, Wire, asyncio.StreamWriter]]:
    """Two ends of a connection, and the second one's bare writer."""
    taken: asyncio.Queue[Wire] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.put_nowait(Wire(reader, writer))

    server = await asyncio.start_unix_server(take, folder / "wire.sock")
    reader, writer = await asyncio.open_unix_connection(folder / "wire.sock")
    near, far = await taken.get(), Wire(reader, writer)
    try:
        yield near, far, writer
    finally:
        await far.close()
        await near.close()
        server.close()


async def test_sound_arrives_as_it_was_sent(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        await far.send_sound(b"\1\2\3\4", 16_000, 2)
        frame = await near.receive()
        assert isinstance(frame, InputAudioRawFrame)
        assert (frame.audio, frame.sample_rate, frame.num_channels) == (b"\1\2\3\4", 16_000, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(messages=st.lists(JSON, min_size=1, max_size=4))
def test_any_messages_arrive_in_their_order(tmp_path: Path, messages: list[object]) -> None:
    async def check() -> None:
        async with wires(tmp_path) as (near, far, _):
            for message in messages:
                await far.send_message({"data": message})
            for message in messages:
                frame = await near.receive()
                assert isinstance(frame, InputTransportMessageFrame)
                assert frame.message == {"data": message}

    asyncio.run(check())


async def test_an_interruption_arrives(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        await near.send(InterruptionFrame())
        assert isinstance(await far.receive(), InterruptionFrame)


async def test_the_processes_own_messages_are_told_from_a_clients(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        await far.tell("call", mode="assistant")
        assert await near.told() == {"edgebot": "call", "mode": "assistant"}
        await far.send_message({"label": "rtvi-ai"})
        assert own_message(await near.receive()) is None
        await far.send_message(["edgebot"])
        assert own_message(await near.receive()) is None
        await far.send_sound(b"\0\0", 16_000)
        assert own_message(await near.receive()) is None


async def test_what_is_no_frame_for_a_wire_is_not_sent(tmp_path: Path) -> None:
    async with wires(tmp_path) as (_, far, _):
        with pytest.raises(WireError, match="TTSSpeakFrame cannot be sent"):
            await far.send(TTSSpeakFrame("x"))


async def test_a_message_that_is_too_long_is_not_sent_and_the_wire_lives(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        with pytest.raises(WireError, match="too long"):
            await far.send_message({"data": "x" * LONGEST_BYTES})
        await far.tell("call")
        assert await near.told() == {"edgebot": "call"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (struct.pack(">I", LONGEST_BYTES + 1), "A frame of 131073 bytes is too long."),
        (struct.pack(">I", 2**32 - 1), "A frame of 4294967295 bytes is too long."),
        (struct.pack(">I", 4) + b"\xff\xff\xff\xff", "What came is no frame."),
        (struct.pack(">I", 0), "What came is no frame."),
        (struct.pack(">I", 9) + b"abc", "The other side is gone."),
        (b"\0\0", "The other side is gone."),
        (b"", "The other side is gone."),
    ],
)
async def test_what_is_no_frame_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    async with wires(tmp_path) as (near, _, writer):
        writer.write(data)
        writer.write_eof()
        with pytest.raises(WireError) as caught:
            await near.receive()
        assert str(caught.value) == why


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=60))
def test_no_bytes_do_harm(tmp_path: Path, data: bytes) -> None:
    async def check() -> None:
        async with wires(tmp_path) as (near, _, writer):
            writer.write(struct.pack(">I", len(data)) + data)
            writer.write_eof()
            with contextlib.suppress(WireError):
                await near.receive()

    asyncio.run(check())


async def test_whoever_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "PATIENCE_S", 0.01)
    async with wires(tmp_path) as (near, _, _):
        with pytest.raises(WireError, match="says nothing"):
            await near.told()


async def send_for_ever(wire: Wire) -> None:
    while True:
        await wire.send_sound(bytes(100_000), 16_000)


async def test_whoever_does_not_take_it_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "PATIENCE_S", 0.05)
    async with wires(tmp_path) as (near, _, _):
        with pytest.raises(WireError, match="does not take it"):
            await send_for_ever(near)
        assert near.is_closed


async def test_to_whoever_is_gone_nothing_is_sent(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        await far.close()
        with pytest.raises(WireError):
            await near.receive()
        with pytest.raises(WireError):
            await send_for_ever(near)
