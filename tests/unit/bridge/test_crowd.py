"""Too many, too old, too often."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edgebot.bridge.crowd import Crowd, Rate

PATIENCE_S = 5.0


def test_a_rate_is_kept() -> None:
    now = [0.0]
    rate = Rate(2, 10.0, clock=lambda: now[0])
    assert [rate.takes() for _ in range(3)] == [True, True, False]
    now[0] = 9.9
    assert not rate.takes()
    now[0] = 10.0
    assert [rate.takes() for _ in range(3)] == [True, True, False]


class Echo(asyncio.Protocol):
    """Sends back what comes, and says goodbye when it is told that nothing more comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def eof_received(self) -> bool:
        self.transport.write(b"bye")
        self.transport.close()
        return False


async def test_all_is_passed_on(tmp_path: Path) -> None:
    server = await asyncio.get_running_loop().create_unix_server(
        Crowd().admit(Echo), tmp_path / "crowd.sock"
    )
    reader, writer = await asyncio.open_unix_connection(tmp_path / "crowd.sock")
    data = bytes(range(256)) * 4096
    writer.write(data)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(-1), PATIENCE_S) == data + b"bye"
    writer.close()
    server.close()


async def test_of_too_many_the_oldest_leaves(tmp_path: Path) -> None:
    crowd = Crowd(most=2)
    server = await asyncio.get_running_loop().create_unix_server(
        crowd.admit(Echo), tmp_path / "crowd.sock"
    )
    opened = []
    for _ in range(3):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "crowd.sock")
        writer.write(b"x")
        with_answer = await asyncio.wait_for(reader.read(1), PATIENCE_S)
        assert with_answer == b"x"
        opened.append((reader, writer))
    assert await asyncio.wait_for(opened[0][0].read(1), PATIENCE_S) == b""
    for reader, writer in opened[1:]:
        writer.write(b"y")
        assert await asyncio.wait_for(reader.read(1), PATIENCE_S) == b"y"
    assert len(crowd) == 2
    for _, writer in opened:
        writer.close()
    server.close()


async def test_nobody_stays_for_ever(tmp_path: Path) -> None:
    server = await asyncio.get_running_loop().create_unix_server(
        Crowd(last_s=0.05).admit(Echo), tmp_path / "crowd.sock"
    )
    reader, writer = await asyncio.open_unix_connection(tmp_path / "crowd.sock")
    assert await asyncio.wait_for(reader.read(1), PATIENCE_S) == b""
    writer.close()
    server.close()
