"""The engine takes calls: whoever the bridge lets in talks to the models of this process."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from loguru import logger

from edgebot.app import Engines
from edgebot.call import Call, sound_params
from edgebot.config import Settings
from edgebot.errors import ConfigError, EdgebotError
from edgebot.intercom import Handset, IntercomCall, intercom_params
from edgebot.stages.socket import SocketTransport
from edgebot.stages.stt_vosk import VoskSTTService
from edgebot.stages.wire import Wire, WireError, socket_file

BUSY = "Somebody else is talking to it. Please try again later."

NOT_TAKEN = {
    "assistant": "Here nobody can call the assistant: bridge.modes leaves it out.",
    "intercom": "Here nobody beside the box can be called: bridge.modes leaves it out.",
}


class Calls:
    """Takes calls from the bridge while the block lasts: `async with Calls(...)`."""

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        *,
        file: Path | None = None,
        handset: Handset | None = None,
        when_call_begins: Callable[[], None] = lambda: None,
        when_call_ends: Callable[[], None] = lambda: None,
        when_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Take note of what a call needs.

        Args:
            settings: All of them.
            engines: Of this process; the conversation at the box uses the same.
            file: The socket; `socket_file()` unless it is named.
            handset: Rings for whoever is beside the box; None where there is nobody.
            when_call_begins: Called when the first caller is there: the box is busy from now on.
            when_call_ends: Called when the last one has left.
            when_trouble: Called with one sentence for each thing that goes wrong.

        Raises:
            ConfigError: The speech to text can hear only one caller, and more are configured.
        """
        if settings.bridge.callers > 1 and isinstance(engines.stt(), VoskSTTService):
            raise ConfigError(
                "bridge.callers cannot be more than 1 with Vosk, which hears one voice at a time: "
                "set it to 1, or use Moonshine (stt.engine)."
            )
        self._settings, self._engines = settings, engines
        self._file = file or socket_file()
        self._when_call_begins, self._when_call_ends = when_call_begins, when_call_ends
        self._when_trouble = when_trouble
        self._handset = handset if "intercom" in settings.bridge.modes else None
        self._takes = {
            "assistant": "assistant" in settings.bridge.modes,
            "intercom": self._handset is not None,
        }
        self._lines: set[asyncio.Task[None]] = set()
        self._calls: dict[Call | IntercomCall, asyncio.Task[None]] = {}
        self._taken = self._present = 0
        self._is_intercom = False
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        """Begin to take calls.

        Raises:
            ConfigError: The socket cannot be made.
        """
        try:
            self._file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            if self._file.exists() and stat.S_ISSOCK(self._file.stat().st_mode):
                self._file.unlink()
            self._server = await asyncio.start_unix_server(self._answer, self._file)
            self._file.chmod(0o660)
        except OSError as error:
            raise ConfigError(
                f"No calls can be taken at {self._file}: {error.strerror}. "
                "Set bridge.enabled to false if nobody is to call."
            ) from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up and take no more calls."""
        self._server.close()
        await self.hang_up()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        self._file.unlink(missing_ok=True)

    async def hang_up(self) -> None:
        """End every call, and wait until all is as before."""
        lines = list(self._calls.values())
        await asyncio.gather(*(call.hang_up() for call in self._calls))
        await asyncio.gather(*lines, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        wire = Wire(reader, writer)
        try:
            asked = await wire.told()
            mode = asked.get("mode", "assistant")
            if asked["edgebot"] != "call" or mode not in self._takes:
                await wire.tell("refused", text="This is no call.")
            elif not self._takes[mode]:
                await wire.tell("busy", text=NOT_TAKEN[mode])
            elif self._is_busy(mode):
                await wire.tell("busy", text=BUSY)
            elif mode == "intercom" and self._handset and (text := self._handset.why_not()):
                await wire.tell("busy", text=text)
            else:
                await self._take(wire, line, mode)
        except WireError as error:
            logger.debug(f"A line was dropped: {error}")
        except EdgebotError as error:
            self._when_trouble(str(error))
        finally:
            await wire.close()

    def _is_busy(self, mode: str) -> bool:
        # Who talks to a person has the box alone.
        most = 1 if mode == "intercom" else self._settings.bridge.callers
        return self._is_intercom or self._taken >= most

    async def _take(self, wire: Wire, line: asyncio.Task[None], mode: str) -> None:
        self._taken += 1
        self._is_intercom = mode == "intercom"
        try:
            if self._is_intercom:
                await self._put_through(wire, line)
            else:
                await self._converse(wire, line)
        finally:
            self._taken -= 1
            self._is_intercom = False

    async def _put_through(self, wire: Wire, line: asyncio.Task[None]) -> None:
        assert self._handset is not None
        transport = SocketTransport(wire, intercom_params())
        call = IntercomCall(self._settings, transport, wire, self._handset)
        self._calls[call] = line
        try:
            await wire.tell("ready")
            await call.run()
        finally:
            del self._calls[call]

    async def _converse(self, wire: Wire, line: asyncio.Task[None]) -> None:
        transport = SocketTransport(wire, sound_params())
        is_there = False

        async def came(*_: object) -> None:
            nonlocal is_there
            is_there = True
            self._present += 1
            if self._present == 1:
                self._when_call_begins()

        transport.add_event_handler("on_client_connected", came)
        call = await Call.create(
            self._settings, self._engines, transport, when_trouble=self._when_trouble
        )
        self._calls[call] = line
        try:
            await wire.tell("ready")
            await call.run()
        finally:
            del self._calls[call]
            if is_there:
                self._present -= 1
                if self._present == 0:
                    self._when_call_ends()
