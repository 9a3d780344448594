"""Lets the language model read the question while its turn may still go on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol, runtime_checkable

from pipecat.frames.frames import (
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.config import Settings
from edgebot.errors import ConfigError


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


def create(settings: Settings, llm: FrameProcessor, context: LLMContext) -> ReadAhead | None:
    """Return the stage; None where the language model cannot read ahead, or even answers ahead.

    Args:
        settings: Its section `turn`.
        llm: The language model.
        context: The conversation.
    """
    answers_ahead = settings.turn.eager and settings.turn.end == "pause"
    if answers_ahead or not isinstance(llm, ReadsAhead):
        return None
    return ReadAhead(llm=llm, context=context)


class ReadAhead(FrameProcessor):
    """Hands each transcript to the language model at once, and passes it on.

    When the turn ends a little later, nothing of the question is left to evaluate. Should more be
    said, what was read is its beginning. Nothing is generated, and the context is not touched.
    """

    def __init__(self, *, llm: ReadsAhead, context: LLMContext) -> None:
        """Name the reader.

        Args:
            llm: Reads ahead.
            context: The conversation so far.
        """
        super().__init__()
        self._llm = llm
        self._context = context
        self._heard: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Read a transcript; pass everything on."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        match frame:
            case UserStartedSpeakingFrame() | UserStoppedSpeakingFrame():
                self._heard.clear()
            case InterimTranscriptionFrame():
                pass
            case TranscriptionFrame() if frame.text.strip():
                self._heard.append(frame.text)
                await self._stop()
                self._reading = self.create_task(self._read(" ".join(self._heard)))

    async def cleanup(self) -> None:
        """Stop reading."""
        await self._stop()
        await super().cleanup()

    async def _stop(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None and not reading.done():
            await self.cancel_task(reading)

    async def _read(self, question: str) -> None:
        context = LLMContext(
            messages=[*self._context.messages, {"role": "user", "content": question}],
            tools=self._context.tools,
        )
        # A prompt that is too long is shortened when the turn has ended.
        with contextlib.suppress(ConfigError, ValueError):
            await self._llm.warm(context)
