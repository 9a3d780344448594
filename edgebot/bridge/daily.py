"""A Daily room: made or joined, left when it is empty, joined again when the network was away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from loguru import logger
from pipecat.transports.daily.utils import DailyRESTHelper, DailyRoomParams, DailyRoomProperties

from edgebot.bridge.relay import Relay
from edgebot.bridge.sessions import BusyError, NoEngineError, dial
from edgebot.config import BridgeSettings
from edgebot.errors import ConfigError, NetworkError

if TYPE_CHECKING:
    from pipecat.transports.daily.transport import DailyTransport

T = TypeVar("T")

API_KEY, ROOM_TOKEN = "daily-api-key", "daily-token"
# How long somebody may take to come into a room that was made for them.
ROOM_LASTS_S = 3600.0
# It is tried again after so long, and then no more.
PAUSES_S = (2.0, 5.0, 15.0, 30.0)
_REST_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Room:
    """A room, the assistant's token for it, and the link for a person."""

    url: str
    token: str | None
    link: str


class RoomError(Exception):
    """The room was not joined, or the connection to it was lost."""


def daily_url() -> str:
    """Return where Daily's REST interface is, as Pipecat's own runner finds it."""
    return os.environ.get("DAILY_API_URL", "https://api.daily.co/v1")


@contextlib.asynccontextmanager
async def open_room(
    *, url: str | None, api_key: str | None, token: str | None
) -> AsyncIterator[Room]:
    """Yield the room to join: the given one, or one made for this call and deleted after it.

    Args:
        url: A room that is there.
        api_key: Daily's key: makes a room, or a token for the given one.
        token: A token for the given room, where there is no key; None joins a public room.

    Raises:
        ConfigError: There is neither a room nor a key.
        NetworkError: Daily cannot be reached, or refuses.
    """
    if api_key is None:
        if url is None:
            raise ConfigError(
                f"A Daily room needs --room URL, or the API key in the credential {API_KEY!r} "
                "to make one: docs/calls.md says where it goes."
            )
        yield Room(url, token, url)
        return
    timeout = aiohttp.ClientTimeout(total=_REST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        rest = DailyRESTHelper(
            daily_api_key=api_key, daily_api_url=daily_url(), aiohttp_session=http
        )
        if url is not None:
            yield Room(url, await asked(rest.get_token(url, ROOM_LASTS_S)), url)
            return
        properties = DailyRoomProperties(
            exp=time.time() + ROOM_LASTS_S,
            eject_at_room_exp=True,
            start_video_off=True,
            max_participants=2,
        )
        made = await asked(
            rest.create_room(DailyRoomParams(privacy="private", properties=properties))
        )
        try:
            own = await asked(rest.get_token(made.url, ROOM_LASTS_S, eject_at_token_exp=True))
            guest = await asked(
                rest.get_token(made.url, ROOM_LASTS_S, eject_at_token_exp=True, owner=False)
            )
            yield Room(made.url, own, f"{made.url}?t={guest}")
        finally:
            # A room that cannot be deleted ends by itself.
            with contextlib.suppress(NetworkError):
                await asked(rest.delete_room_by_name(made.name))


async def asked(answer: Awaitable[T]) -> T:
    """Return Daily's answer.

    Raises:
        NetworkError: Daily cannot be reached, or refuses.
    """
    try:
        return await answer
    except (aiohttp.ClientConnectionError, TimeoutError):
        raise NetworkError(
            "Daily cannot be reached: is this machine connected to the internet?"
        ) from None
    except Exception as error:  # Pipecat's helper raises nothing more exact
        raise NetworkError(f"Daily refuses: {error}.") from None


def daily_transport(room: Room, name: str) -> DailyTransport:
    """Return the transport into a room: sound only, heard by edgebot's own ear."""
    # Imported here because Daily's own library is installed by those who want it.
    from pipecat.transports.daily.transport import DailyParams, DailyTransport

    params = DailyParams(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_out_end_silence_secs=0,
        camera_out_enabled=False,
        transcription_enabled=False,
    )
    return DailyTransport(room.url, room.token, name, params)


def is_alone(transport: DailyTransport) -> bool:
    """Tell whether nobody but the assistant is in the room."""
    return not set(transport.participants()) - {"local"}


async def visit(
    room: Room, settings: BridgeSettings, engine: Path, name: str, mode: str = "assistant"
) -> None:
    """Join a room and carry its call until it is empty.

    Args:
        room: From `open_room`.
        settings: How long a call may last.
        engine: The engine's socket.
        name: What it is called in the room.
        mode: Whom the room is for: "assistant" or "intercom".

    Raises:
        RoomError: It was not joined, or the connection was lost.
    """
    transport = daily_transport(room, name)
    wire = await dial(engine, mode)
    relay = Relay(
        transport,
        wire,
        longest_s=settings.longest_call_s,
        comes_within_s=ROOM_LASTS_S,
        is_empty=lambda: is_alone(transport),
    )
    errors: list[str] = []

    async def failed(_: object, error: str) -> None:
        errors.append(str(error))
        relay.hang_up()

    transport.add_event_handler("on_error", failed)
    await relay.run()
    if errors:
        raise RoomError(errors[0])


async def call_in_room(
    visit_room: Callable[[], Awaitable[None]],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Visit a room, again after each loss, with longer and longer pauses, and then no more.

    Raises:
        NetworkError: The room cannot be joined.
        ConfigError: The assistant does not answer.
    """
    for pause_s in (*PAUSES_S, None):
        try:
            await visit_room()
            return
        except (BusyError, NoEngineError) as error:
            raise ConfigError(str(error)) from None
        except RoomError as error:
            if pause_s is None:
                raise NetworkError(
                    f"The room cannot be joined: {error}. "
                    "Is this machine connected to the internet?"
                ) from None
            logger.warning(f"The room is lost, and joined again in {pause_s:g} s: {error}")
            await sleep(pause_s)
