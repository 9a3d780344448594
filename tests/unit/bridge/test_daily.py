"""A Daily room by a local stand-in for Daily's REST interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web

from edgebot.bridge.daily import (
    PAUSES_S,
    ROOM_LASTS_S,
    Room,
    RoomError,
    call_in_room,
    daily_transport,
    is_alone,
    open_room,
)
from edgebot.bridge.sessions import BusyError, NoEngineError
from edgebot.errors import ConfigError, NetworkError

KEY = "the-secret-key"


@dataclass
class Daily:
    """What Daily was asked for, and what it answers."""

    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    status: int = 200
    when_asked: Callable[[], None] = lambda: None

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body))
        self.keys.add(request.headers.get("Authorization"))
        if self.status != 200:
            return web.json_response({"error": "authentication-error"}, status=self.status)
        if request.path == "/rooms":
            room = {"id": "1", "name": "made", "api_created": True, "privacy": "private"}
            config = {"max_participants": 2}
            url = "https://example.daily.co/made"
            return web.json_response(room | {"url": url, "created_at": "now", "config": config})
        if request.path == "/meeting-tokens":
            owner = body["properties"]["is_owner"]
            return web.json_response({"token": "own" if owner else "guest"})
        return web.json_response({"deleted": True, "name": "made"})


@pytest.fixture
async def daily(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Daily]:
    found = Daily()
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        found.when_asked()
        return await found.answer(request)

    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.url = f"http://{host}:{port}"
    monkeypatch.setenv("DAILY_API_URL", found.url)
    yield found
    await runner.cleanup()


# The room


async def test_a_room_is_made_used_and_deleted(daily: Daily) -> None:
    now = time.time()
    async with open_room(url=None, api_key=KEY, token=None) as room:
        assert room == Room(
            "https://example.daily.co/made", "own", "https://example.daily.co/made?t=guest"
        )
        assert [(method, path) for method, path, _ in daily.asked] == [
            ("POST", "/rooms"),
            ("POST", "/meeting-tokens"),
            ("POST", "/meeting-tokens"),
        ]
        made, own, guest = (body for _, _, body in daily.asked)
        assert made["privacy"] == "private"
        properties = made["properties"]
        assert 0 <= properties["exp"] - now - ROOM_LASTS_S < 60
        assert (properties["eject_at_room_exp"], properties["max_participants"]) == (True, 2)
        assert [body["properties"]["room_name"] for body in (own, guest)] == ["made", "made"]
        assert [body["properties"]["is_owner"] for body in (own, guest)] == [True, False]
    assert daily.asked[-1] == ("DELETE", "/rooms/made", None)
    assert daily.keys == {f"Bearer {KEY}"}


async def test_a_room_is_deleted_whatever_happens(daily: Daily) -> None:
    with contextlib.suppress(RoomError):
        async with open_room(url=None, api_key=KEY, token=None):
            raise RoomError
    assert daily.asked[-1][:2] == ("DELETE", "/rooms/made")


async def test_for_a_given_room_a_token_is_made_and_it_stays(daily: Daily) -> None:
    url = "https://example.daily.co/mine"
    async with open_room(url=url, api_key=KEY, token="unused") as room:
        assert room == Room(url, "own", url)
    assert [(method, path) for method, path, _ in daily.asked] == [("POST", "/meeting-tokens")]


@pytest.mark.parametrize("token", [None, "given"])
async def test_without_a_key_a_given_room_is_joined(daily: Daily, token: str | None) -> None:
    url = "https://example.daily.co/mine"
    async with open_room(url=url, api_key=None, token=token) as room:
        assert room == Room(url, token, url)
    assert daily.asked == []


async def test_without_a_room_and_a_key_there_is_nothing_to_do() -> None:
    with pytest.raises(ConfigError, match="A Daily room needs --room URL, or the API key"):
        async with open_room(url=None, api_key=None, token=None):
            pass


async def test_a_key_that_daily_refuses_is_told_of(daily: Daily) -> None:
    daily.status = 401
    with pytest.raises(NetworkError, match="Daily refuses: Unable to create room") as caught:
        async with open_room(url=None, api_key=KEY, token=None):
            pass
    assert KEY not in str(caught.value)
    assert len(daily.asked) == 1


async def test_without_a_network_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAILY_API_URL", "http://127.0.0.1:9")
    with pytest.raises(NetworkError) as caught:
        async with open_room(url=None, api_key=KEY, token=None):
            pass
    told = "Daily cannot be reached: is this machine connected to the internet?"
    assert str(caught.value) == told


# The visit


class Visits:
    """What each visit comes to, one after the other."""

    def __init__(self, *ends: Exception | None) -> None:
        self._ends = list(ends)
        self.slept_s: list[float] = []

    async def visit(self) -> None:
        end = self._ends.pop(0)
        if end is not None:
            raise end

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


async def test_a_room_that_becomes_empty_is_left() -> None:
    visits = Visits(None)
    await call_in_room(visits.visit, sleep=visits.sleep)
    assert visits.slept_s == []


async def test_a_room_that_was_lost_is_joined_again() -> None:
    visits = Visits(RoomError("away"), RoomError("away"), None)
    await call_in_room(visits.visit, sleep=visits.sleep)
    assert visits.slept_s == list(PAUSES_S[:2])


async def test_it_is_not_tried_for_ever() -> None:
    visits = Visits(*[RoomError("away")] * (len(PAUSES_S) + 1))
    with pytest.raises(NetworkError, match="The room cannot be joined: away"):
        await call_in_room(visits.visit, sleep=visits.sleep)
    assert visits.slept_s == list(PAUSES_S)


@pytest.mark.parametrize("end", [BusyError("It is busy."), NoEngineError("Nobody is there.")])
async def test_without_an_engine_no_room_is_joined(end: Exception) -> None:
    visits = Visits(end)
    with pytest.raises(ConfigError, match=str(end)):
        await call_in_room(visits.visit, sleep=visits.sleep)


# The transport


async def test_the_transport_takes_sound_alone() -> None:
    pytest.importorskip("daily")
    transport = daily_transport(Room("https://example.daily.co/x", "own", ""), "Ada")
    params = transport._params
    assert (params.audio_in_enabled, params.audio_out_enabled) == (True, True)
    assert (params.camera_out_enabled, params.transcription_enabled) == (False, False)
    client = transport._client
    assert (client._room_url, client._token, client._bot_name) == (
        "https://example.daily.co/x",
        "own",
        "Ada",
    )
    assert params.api_key == ""


@pytest.mark.parametrize(
    ("there", "alone"), [([], True), (["local"], True), (["local", "1"], False), (["1"], False)]
)
def test_who_is_in_the_room(there: list[str], alone: bool) -> None:
    class Transport:
        def participants(self) -> dict[str, object]:
            return dict.fromkeys(there)

    assert is_alone(Transport()) is alone  # type: ignore[arg-type]


# The command


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgebot", "bridge", "--daily", *arguments],
        env={**os.environ, "CREDENTIALS_DIRECTORY": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("daily")
    (tmp_path / "daily-api-key").write_text(KEY)
    began = time.monotonic()
    with run(tmp_path, DAILY_API_URL="http://127.0.0.1:9") as process:
        printed, told = process.communicate(timeout=60)
    assert process.returncode == NetworkError.exit_code
    lines = [line for line in told.splitlines() if line.startswith("edgebot:")]
    assert lines == ["edgebot: Daily cannot be reached: is this machine connected to the internet?"]
    assert KEY not in printed + told
    assert time.monotonic() - began < 30


async def test_the_key_is_seen_nowhere(daily: Daily, tmp_path: Path) -> None:
    pytest.importorskip("daily")
    (tmp_path / "daily-api-key").write_text(KEY)
    seen: list[str] = []

    def look() -> None:
        for process in psutil.Process().children(recursive=True):
            # One that another test has left may be ending.
            with contextlib.suppress(psutil.NoSuchProcess):
                seen.append(" ".join(process.cmdline()) + str(process.environ()))

    daily.when_asked = look
    process = run(
        tmp_path,
        "--engine",
        str(tmp_path / "none.sock"),
        DAILY_API_URL=daily.url,
        EDGEBOT_LOG__LEVEL="debug",
    )
    with process:
        printed, told = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == ConfigError.exit_code
    assert "The assistant does not answer" in told
    assert "https://example.daily.co/made?t=guest" in printed
    assert daily.asked[-1][:2] == ("DELETE", "/rooms/made")
    assert len(seen) >= 4
    assert KEY not in "".join([printed, told, *seen])
