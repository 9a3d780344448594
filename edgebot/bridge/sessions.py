"""The calls of the bridge: from a browser's offer to a relay that carries the call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiortc.sdp import candidate_from_sdp
from loguru import logger
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

from edgebot.bridge.relay import COMES_WITHIN_S, Relay, relay_params
from edgebot.config import BridgeSettings
from edgebot.stages.wire import Wire, WireError

ANSWERS_WITHIN_S = 10.0
# How many calls may be on their way to being one.
MOST_UNDECIDED = 4


class BadOfferError(Exception):
    """What a client sent is no offer."""


class BusyError(Exception):
    """Somebody else is calling, or nobody is to be called."""


class NoEngineError(Exception):
    """There is nobody to answer."""


@dataclass
class Session:
    """One call, and what can change about it while it lasts."""

    connection: SmallWebRTCConnection
    relay: Relay
    running: asyncio.Task[None]


async def dial(file: Path, mode: str = "assistant") -> Wire:
    """Ask the engine for a call.

    Raises:
        BusyError: It talks to somebody else, or does not take such calls now.
        NoEngineError: It does not answer.
    """
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            wire = Wire(*await asyncio.open_unix_connection(file))
    except (OSError, TimeoutError):
        raise NoEngineError(
            "The assistant does not answer. Is it running, with bridge.enabled = true?"
        ) from None
    try:
        await wire.tell("call", mode=mode)
        answer = await wire.told(ANSWERS_WITHIN_S)
        if answer["edgebot"] == "ready":
            return wire
    except WireError:
        answer = {}
    await wire.close()
    if answer.get("edgebot") == "busy":
        raise BusyError(str(answer.get("text")))
    raise NoEngineError("The assistant does not answer this call: its journal says why.")


class Sessions:
    """All calls of the bridge, by the tickets that they began with."""

    def __init__(self, settings: BridgeSettings, file: Path) -> None:
        """Take note of the settings.

        Args:
            settings: How long a call may last.
            file: The engine's socket.
        """
        self._settings, self._file = settings, file
        self._sessions: dict[str, Session] = {}
        self._undecided = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, ticket: str) -> bool:
        return ticket in self._sessions

    async def begin(self, ticket: str, sdp: str, mode: str = "assistant") -> dict[str, str]:
        """Answer an offer, and carry the call from now on.

        Args:
            ticket: Names it.
            sdp: The offer.
            mode: Whom it is for: "assistant" or "intercom".

        Raises:
            BadOfferError: It is no offer.
            BusyError: Somebody else is calling, or nobody is to be called.
            NoEngineError: The engine does not answer.
        """
        if self._undecided >= MOST_UNDECIDED:
            raise BusyError("Too many are calling at once. Please try again.")
        self._undecided += 1
        try:
            wire = await dial(self._file, mode)
            try:
                connection = await connect(sdp)
            except BaseException:
                await wire.close()
                raise
        finally:
            self._undecided -= 1
        relay = Relay(
            SmallWebRTCTransport(connection, relay_params()),
            wire,
            longest_s=self._settings.longest_call_s,
            is_connected=connection.is_connected,
        )
        running = asyncio.create_task(self._run(ticket, connection, relay))
        self._sessions[ticket] = Session(connection, relay, running)
        return answer_of(connection)

    async def change(self, ticket: str, sdp: str) -> dict[str, str]:
        """Answer a further offer of a call that lasts.

        Raises:
            BadOfferError: It is no offer.
        """
        connection = self._sessions[ticket].connection
        try:
            await connection.renegotiate(sdp=sdp, type="offer")
        except Exception as error:  # whatever aiortc thinks of it
            raise BadOfferError(str(error)) from None
        return answer_of(connection)

    async def add_candidates(self, ticket: str, candidates: list[Mapping[str, Any]]) -> None:
        """Tell a call of further ways to the client.

        Raises:
            BadOfferError: They are none.
        """
        connection = self._sessions[ticket].connection
        try:
            for told in candidates:
                line = told["candidate"]
                candidate = candidate_from_sdp(line.removeprefix("candidate:")) if line else None
                if candidate is not None:
                    candidate.sdpMid = told["sdp_mid"]
                    candidate.sdpMLineIndex = told["sdp_mline_index"]
                await connection.add_ice_candidate(candidate)
        except Exception as error:  # whatever aiortc thinks of them
            raise BadOfferError(str(error)) from None

    async def close(self) -> None:
        """Hang up everywhere, and wait until nothing is left."""
        running = [session.running for session in self._sessions.values()]
        for session in self._sessions.values():
            session.relay.hang_up()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, ticket: str, connection: SmallWebRTCConnection, relay: Relay) -> None:
        try:
            await relay.run()
        except Exception as error:  # one call's fault is no other's
            logger.error(f"A call ended with a fault: {error!r}")
        finally:
            del self._sessions[ticket]
            await connection.disconnect()


async def connect(sdp: str) -> SmallWebRTCConnection:
    """Return a connection that has an answer to an offer.

    Raises:
        BadOfferError: It is no offer of sound.
    """
    connection = SmallWebRTCConnection(connection_timeout_secs=int(COMES_WITHIN_S))
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await connection.initialize(sdp=sdp, type="offer")
        if not connection.pc.getTransceivers():
            raise ValueError("it offers no sound")
    except Exception as error:  # whatever aiortc thinks of what it cannot read
        await connection.disconnect()
        raise BadOfferError(f"This is no offer: {error}") from None
    return connection


def answer_of(connection: SmallWebRTCConnection) -> dict[str, str]:
    """Return what is posted back to a client."""
    answer: dict[str, str] | None = connection.get_answer()
    if answer is None:
        raise BadOfferError("There is no answer to this offer.")
    return answer
