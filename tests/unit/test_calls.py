"""The engine takes calls over its socket, one at a time, with engines of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import InputAudioRawFrame, InputTransportMessageFrame, InterruptionFrame

from edgebot.app import Engines, load_engines
from edgebot.calls import BUSY, Calls
from edgebot.config import Settings, load_settings
from edgebot.errors import ConfigError
from edgebot.stages.wire import Wire, WireError, socket_file

OWN = ("stt.engine=own.ear", "llm.engine=own.mind", "tts.engine=own.voice")
PATIENCE_S = 20.0


def own_settings(*flags: str) -> Settings:
    return load_settings(flags=[*OWN, *flags], environment={})


class House:
    """The engine's side, and what it was told."""

    def __init__(self, settings: Settings, engines: Engines, file: Path) -> None:
        self.told: list[str] = []
        self.file = file
        self._came = asyncio.Event()
        self.calls = Calls(
            settings,
            engines,
            file=file,
            when_call_begins=lambda: self._tell("begins"),
            when_call_ends=lambda: self._tell("ends"),
            when_trouble=self._tell,
        )

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._came.set()

    async def until_told(self, told: list[str]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.told != told:
                self._came.clear()
                await self._came.wait()


@contextlib.asynccontextmanager
async def house(folder: Path, *flags: str) -> AsyncIterator[House]:
    settings = own_settings(*flags)
    found = House(settings, await load_engines(settings), folder / "run" / "calls.sock")
    async with found.calls:
        yield found


class Bridge:
    """The bridge's side of a call."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.heard = bytearray()
        self.messages: list[dict[str, Any]] = []
        self.interruptions = 0
        self.first_sound = 0.0

    async def until(self, kind: str, **data: object) -> dict[str, Any]:
        """Take what comes until a message of a kind with these values; return its data."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame = await self.wire.receive()
                if isinstance(frame, InputAudioRawFrame):
                    self.first_sound = self.first_sound or time.monotonic()
                    self.heard += frame.audio
                elif isinstance(frame, InterruptionFrame):
                    self.interruptions += 1
                elif isinstance(frame, InputTransportMessageFrame):
                    self.messages.append(frame.message)
                    told = frame.message.get("data") or {}
                    if frame.message.get("type") == kind and all(
                        told.get(key) == value for key, value in data.items()
                    ):
                        return told

    async def send(self, kind: str, data: object) -> None:
        await self.wire.send_message({"id": "1", "label": "rtvi-ai", "type": kind, "data": data})


@contextlib.asynccontextmanager
async def wire_to(file: Path) -> AsyncIterator[Wire]:
    wire = Wire(*await asyncio.open_unix_connection(file))
    try:
        yield wire
    finally:
        await wire.close()


@contextlib.asynccontextmanager
async def dial(file: Path, mode: str = "assistant") -> AsyncIterator[tuple[Wire, dict[str, Any]]]:
    """Ask for a call; yield the wire and what is answered."""
    async with wire_to(file) as wire:
        await wire.tell("call", mode=mode)
        yield wire, dict(await wire.told())


@contextlib.asynccontextmanager
async def call(file: Path) -> AsyncIterator[Bridge]:
    async with dial(file) as (wire, answer):
        assert answer == {"edgebot": "ready"}
        await wire.tell("connected")
        yield Bridge(wire)


async def to_the_end(wire: Wire) -> None:
    """Take what comes until nothing can come any more."""
    while True:
        await wire.receive()


async def test_whoever_calls_is_greeted_and_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        async with call(found.file) as bridge:
            await bridge.send("client-ready", {"version": "2.1.0", "about": {"library": "test"}})
            await bridge.until("bot-ready")
            greeting = "Hello, I am Edgebot. How can I help you?"
            assert (await bridge.until("bot-output"))["text"] == greeting
            await bridge.until("bot-stopped-speaking")
            assert any(bridge.heard)
            await bridge.send("send-text", {"content": "Where is it?"})
            await bridge.until("server-message", type="turn", said="You said Where is it?.")
            assert found.told == ["begins"]
        await found.until_told(["begins", "ends"])


async def test_sound_comes_as_fast_as_it_is_heard(tmp_path: Path) -> None:
    async with house(tmp_path) as found, call(found.file) as bridge:
        await bridge.until("bot-stopped-speaking")
        took_s = time.monotonic() - bridge.first_sound
        # 40 characters of 10 ms, and what lies ahead of the ear.
        assert len(bridge.heard) >= 2 * 24_000 * 0.4
        assert took_s >= 0.3


async def test_who_interrupts_is_not_spoken_to_any_longer(tmp_path: Path) -> None:
    async with house(tmp_path) as found, call(found.file) as bridge:
        await bridge.until("bot-started-speaking")
        await bridge.send("send-text", {"content": "Wait."})
        await bridge.until("server-message", type="turn", said="You said Wait..")
        assert bridge.interruptions >= 1


async def test_the_second_caller_is_told_that_it_is_busy(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        async with call(found.file) as bridge:
            await bridge.until("bot-started-speaking")
            async with dial(found.file) as (wire, answer):
                assert answer == {"edgebot": "busy", "text": BUSY}
                with pytest.raises(WireError):
                    await wire.receive()
            await bridge.until("bot-stopped-speaking")
        await found.until_told(["begins", "ends"])
        async with call(found.file) as bridge:
            await bridge.until("bot-started-speaking")


async def test_whoever_was_never_there_makes_nobody_busy(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        async with dial(found.file) as (wire, answer):
            assert answer == {"edgebot": "ready"}
        await found.calls.hang_up()
        async with dial(found.file) as (wire, answer):
            assert answer == {"edgebot": "ready"}
            await found.calls.hang_up()
            with pytest.raises(WireError):
                await to_the_end(wire)
        assert found.told == []


async def test_the_button_ends_a_call(tmp_path: Path) -> None:
    async with house(tmp_path) as found, call(found.file) as bridge:
        await bridge.until("bot-started-speaking")
        await found.calls.hang_up()
        with pytest.raises(WireError):
            await to_the_end(bridge.wire)
        await found.until_told(["begins", "ends"])


async def test_when_the_engine_ends_so_does_the_call(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        wire = Wire(*await asyncio.open_unix_connection(found.file))
        await wire.tell("call")
        assert await wire.told() == {"edgebot": "ready"}
    with pytest.raises(WireError):
        await to_the_end(wire)
    assert not found.file.exists()
    await wire.close()


@pytest.mark.parametrize("first", [{"edgebot": "dance"}, {"label": "rtvi-ai"}, "text"])
async def test_what_is_no_call_is_refused(tmp_path: Path, first: object) -> None:
    async with house(tmp_path) as found:
        async with wire_to(found.file) as wire:
            await wire.send_message(first)
            with pytest.raises(WireError):
                await to_the_end(wire)
        async with call(found.file) as bridge:
            await bridge.until("bot-started-speaking")


async def test_as_many_as_configured_may_call_and_the_box_is_busy_once(tmp_path: Path) -> None:
    settings = own_settings("bridge.callers=2")
    engines = await load_engines(own_settings())
    # The fake ear is made for each stage, so that several may be heard at a time.
    several = Engines(_Ear(engines), engines.llm, engines.tts, ())
    found = House(settings, several, tmp_path / "calls.sock")
    async with found.calls:
        async with call(found.file) as first:
            await first.until("bot-started-speaking")
            async with call(found.file) as second:
                await second.until("bot-started-speaking")
                async with dial(found.file) as (_, answer):
                    assert answer["edgebot"] == "busy"
            assert found.told == ["begins"]
        await found.until_told(["begins", "ends"])


class _Ear:
    """Makes first something that is no Vosk, then the ear that it was given."""

    def __init__(self, engines: Engines) -> None:
        self._stt, self._asked = engines.stt, 0

    def __call__(self) -> Any:
        self._asked += 1
        return None if self._asked == 1 else self._stt()


async def test_vosk_hears_one_caller_only() -> None:
    settings = own_settings("bridge.callers=2")
    engines = await load_engines(settings)
    with pytest.raises(ConfigError, match=r"bridge\.callers cannot be more than 1 with Vosk"):
        Calls(settings, engines)


# The socket


async def test_only_its_owner_and_its_group_may_use_the_socket(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        assert stat.S_IMODE(found.file.stat().st_mode) == 0o660
        assert stat.S_IMODE(found.file.parent.stat().st_mode) & 0o007 == 0


async def test_a_socket_that_was_left_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "run" / "calls.sock"
    file.parent.mkdir()
    os.mknod(file, stat.S_IFSOCK | 0o600)
    async with house(tmp_path) as found, call(found.file) as bridge:
        await bridge.until("bot-started-speaking")


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "run" / "calls.sock"
    file.parent.mkdir()
    file.write_text("precious")
    with pytest.raises(ConfigError, match="No calls can be taken at"):
        async with house(tmp_path):
            pass
    assert file.read_text() == "precious"


def test_the_socket_is_in_the_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/edgebot:/run/other")
    assert socket_file() == Path("/run/edgebot/calls.sock")
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert socket_file() == Path("/run/user/7/edgebot/calls.sock")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    assert socket_file() == Path("/home/somebody/state/edgebot/calls.sock")
