"""A conversation with somebody elsewhere: from when they come until they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.frames.frames import TTSSpeakFrame
from pipecat.processors.frameworks.rtvi.models import ClientMessage
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.app import Conversation, Engines, assemble
from edgebot.config import Settings
from edgebot.observe.turns import Turn, TurnObserver
from edgebot.pipeline import Stages

VOICE_RATE_HZ = 24_000
# What a caller may have it say is no longer than what a person would type.
LONGEST_TEXT = 500

WhenAsked = Callable[[RTVIProcessor, ClientMessage], Awaitable[None]]


def sound_params() -> TransportParams:
    """Return what a transport is told of the sound; the rates are the conversation's."""
    return TransportParams(audio_in_enabled=True, audio_out_enabled=True)


class Call:
    """One caller, and the conversation with them.

    It introduces itself when they are there and ends when they leave. RTVI tells their client what
    is heard and said and done; after each turn it is sent one message of edgebot's own, `turn`, and
    it may send two: `say`, a text to be spoken, and `forget`, to begin anew.

    Attributes:
        conversation: The pipeline at work.
        rtvi: What speaks with the caller's client.
        transport: Where the caller is.
        when_asked: What is done at each message of a client's own, by its type; add to it.
    """

    def __init__(
        self,
        settings: Settings,
        stages: Stages,
        transport: BaseTransport,
        *,
        handles_signals: bool = False,
        idle_timeout_s: float | None = None,
        when_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Build the conversation.

        Args:
            settings: Name the greeting.
            stages: From `assemble`.
            transport: Where the caller is. It tells when they come and leave.
            handles_signals: Whether SIGINT and SIGTERM end the call.
            idle_timeout_s: It hangs up when nobody has spoken for so long; None is never.
            when_trouble: Called with what went wrong and does not end the call.
        """
        self._settings = settings
        self._stages = stages
        self._turns = TurnObserver(when_said=self._answered)
        self._turns.watch(stages.user, stages.assistant)
        self._telling: set[asyncio.Task[None]] = set()
        self.transport = transport
        self.when_asked: dict[str, WhenAsked] = {"say": self._say, "forget": self._forget}
        self._is_over = False
        self._opening = list(stages.context.messages)
        self.conversation = Conversation(
            settings,
            stages,
            transport,
            rate_hz=VOICE_RATE_HZ,
            is_call=True,
            handles_signals=handles_signals,
            idle_timeout_s=idle_timeout_s,
            observers=[self._turns],
            when_trouble=when_trouble,
        )
        self.rtvi = self.conversation.worker.rtvi
        self.rtvi.add_event_handler("on_client_message", self._asked)
        transport.add_event_handler("on_client_connected", self._came)
        transport.add_event_handler("on_client_disconnected", self._left)

    @classmethod
    async def create(
        cls, settings: Settings, engines: Engines, transport: BaseTransport, **options: Any
    ) -> Call:
        """Assemble fresh stages and return the call."""
        return cls(settings, await assemble(settings, engines), transport, **options)

    async def run(self) -> None:
        """Converse until the caller leaves or `hang_up` is called; then nothing of it is left.

        Raises:
            EngineError: A stage can no longer work.
        """
        try:
            if not self._is_over:
                await self.conversation.run()
        finally:
            self._is_over = True
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def hang_up(self) -> None:
        """End the call, whatever is being said."""
        if not self._is_over:
            self._is_over = True
            await self.conversation.worker.cancel()

    async def say(self, text: str) -> None:
        """Speak a text to the caller."""
        await self.conversation.worker.queue_frame(TTSSpeakFrame(text))

    async def _came(self, transport: object, client: object) -> None:
        greeting = self._settings.assistant.named(self._settings.bridge.greeting)
        if greeting:
            await self.say(greeting)

    async def _left(self, transport: object, client: object) -> None:
        await self.hang_up()

    async def _asked(self, rtvi: RTVIProcessor, message: ClientMessage) -> None:
        if when_asked := self.when_asked.get(message.type):
            await when_asked(rtvi, message)
        else:
            await rtvi.send_error_response(message, f"There is no message {message.type!r}.")

    async def _say(self, rtvi: RTVIProcessor, message: ClientMessage) -> None:
        text = message.data.get("text") if isinstance(message.data, dict) else None
        if isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_TEXT:
            await self.say(text.strip())
            await rtvi.send_server_response(message, {"said": True})
        else:
            await rtvi.send_error_response(
                message, f"say wants a text of 1 to {LONGEST_TEXT} characters."
            )

    async def _forget(self, rtvi: RTVIProcessor, message: ClientMessage) -> None:
        self._stages.context.set_messages(list(self._opening))
        await rtvi.send_server_response(message, {"forgotten": True})

    def _answered(self, turn: Turn) -> None:
        if not turn.heard and not turn.said:
            return
        task = asyncio.get_running_loop().create_task(self._tell(turn))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, turn: Turn) -> None:
        await self.rtvi.send_server_message(
            {
                "type": "turn",
                "heard": turn.heard,
                "said": turn.said,
                "interrupted": turn.interrupted,
                "times_s": {stage: round(time_s, 3) for stage, time_s in turn.times_s.items()},
            }
        )
