"""Lets the language model read the question while its turn may still go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EagerTranscriptionFrame,
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.config import Settings
from edgebot.errors import ConfigError
from edgebot.stages.context_window import ContextWindow


@runtime_checkable
class ReadsAhead(Protocol):
    """A language model that can evaluate a prompt before it is to answer."""

    async def warm(self, context: LLMContext) -> None: ...


@runtime_checkable
class KeepsOpening(Protocol):
    """A language model that keeps what opens every conversation from one start to the next."""

    async def read_opening(self, context: LLMContext) -> None: ...


async def read_opening(llm: FrameProcessor, context: LLMContext) -> None:
    """Let the language model read what opens a conversation, if it can.

    Args:
        llm: The language model.
        context: Holds the prompt and the examples of the settings, and nothing that was said.
    """
    if isinstance(llm, KeepsOpening):
        await llm.read_opening(context)
    elif isinstance(llm, ReadsAhead):
        await llm.warm(context)


def create(
    settings: Settings, llm: FrameProcessor, context: LLMContext, window: ContextWindow
) -> ReadAhead | None:
    """Return the stage; None where the language model cannot read ahead.

    Args:
        settings: Its section `turn`.
        llm: The language model.
        context: The conversation.
        window: Keeps the conversation within what the language model can hold.
    """
    if not isinstance(llm, ReadsAhead):
        return None
    answers_ahead = settings.turn.eager and settings.turn.end != "smart"
    return ReadAhead(
        llm=llm, context=context, make_room=window.make_room, answers_ahead=answers_ahead
    )


class ReadAhead(FrameProcessor):
    """Hands what is heard to the language model at once, and passes it on.

    When the turn ends a little later, little of the question is left to evaluate. Should more be
    said, what was read is its beginning. Nothing is generated, and of the context only what would
    have to go for the question is dropped.
    """

    def __init__(
        self,
        *,
        llm: ReadsAhead,
        context: LLMContext,
        make_room: Callable[[], Awaitable[None]],
        answers_ahead: bool,
    ) -> None:
        """Name the reader.

        Args:
            llm: Reads ahead.
            context: The conversation so far.
            make_room: Drops from it what would have to go for the question; awaited when it begins.
            answers_ahead: Whether it is asked as soon as words are complete; then these need not be
                read before.
        """
        super().__init__()
        self._llm = llm
        self._context = context
        self._make_room = make_room
        self._answers_ahead = answers_ahead
        self._is_speaking = False
        self._heard: list[str] = []
        self._wanted: str | None = None
        self._reading: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Read what was heard; pass everything on."""
        await super().process_frame(frame, direction)
        match frame:
            case BotStartedSpeakingFrame():
                self._is_speaking = True
            case BotStoppedSpeakingFrame():
                self._is_speaking = False
            case UserStartedSpeakingFrame() | UserStoppedSpeakingFrame():
                self._heard.clear()
            case VADUserStartedSpeakingFrame():
                self._read()
            case InterimTranscriptionFrame():
                # The last word may become another one.
                self._read(*frame.text.split()[:-1])
            case EagerTranscriptionFrame():
                self._wanted = None
            case TranscriptionFrame() if frame.text.strip():
                self._heard.append(frame.text)
                self._wanted = None
                if not self._answers_ahead:
                    self._read()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Stop reading."""
        self._wanted = None
        reading, self._reading = self._reading, None
        if reading is not None:
            await self.cancel_task(reading)
        await super().cleanup()

    def _read(self, *words: str) -> None:
        """Have the turn read as far as it is known, when what is being read now is done."""
        # Until an answer has been said it is not in the context: reading would displace it.
        last = self._context.messages[-1] if self._context.messages else None
        if self._is_speaking or (isinstance(last, dict) and last.get("role") == "user"):
            return
        self._wanted = " ".join([*self._heard, *words])
        if self._reading is None or self._reading.done():
            self._reading = self.create_task(self._read_all())

    async def _read_all(self) -> None:
        while self._wanted is not None:
            question, self._wanted = self._wanted, None
            if not question:
                await self._make_room()
            context = LLMContext(
                messages=[*self._context.messages, {"role": "user", "content": question}],
                tools=self._context.tools,
            )
            # A prompt that is too long is shortened when the turn has ended.
            with contextlib.suppress(ConfigError, ValueError):
                await self._llm.warm(context)
