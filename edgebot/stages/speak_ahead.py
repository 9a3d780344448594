"""Has the first clause of an answer spoken into memory while its turn may still go on."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pipecat.processors.frame_processor import FrameProcessor

from edgebot.config import Settings
from edgebot.stages.spoken_text import SpokenTextAggregator, new_aggregator


class Listener(Protocol):
    """Is told what a language model writes ahead."""

    async def begin(self) -> None: ...
    async def write(self, text: str) -> None: ...
    async def end(self) -> None: ...


@runtime_checkable
class AnswersAhead(Protocol):
    """A language model that answers a turn that may not have ended, and tells what it writes."""

    def tell(self, listener: Listener) -> None: ...


@runtime_checkable
class SpeaksAhead(Protocol):
    """A voice that can speak into memory."""

    async def speak_ahead(self, text: str) -> None: ...


class FirstClause:
    """Hands the first clause of each answer to the voice; the others have time."""

    def __init__(self, tts: SpeaksAhead, aggregator: SpokenTextAggregator) -> None:
        """Name the voice, and what cuts an answer into clauses."""
        self._tts = tts
        self._aggregator = aggregator
        self._is_done = False

    async def begin(self) -> None:
        """Wait for the first clause of a new answer."""
        await self._aggregator.reset()
        self._is_done = False

    async def write(self, text: str) -> None:
        """Take a piece of the answer."""
        if self._is_done:
            return
        async for clause in self._aggregator.aggregate(text):
            await self._speak(clause.text)

    async def end(self) -> None:
        """Take note that the answer is whole."""
        left = await self._aggregator.flush()
        if left is not None:
            await self._speak(left.text)

    async def _speak(self, clause: str) -> None:
        if not self._is_done:
            self._is_done = True
            await self._tts.speak_ahead(clause)


def connect(settings: Settings, llm: FrameProcessor, tts: FrameProcessor) -> None:
    """Let the voice begin with what the language model answers ahead, where both can.

    Args:
        settings: Say how an answer is cut into pieces.
        llm: Perhaps `AnswersAhead`.
        tts: Perhaps `SpeaksAhead`.
    """
    if isinstance(llm, AnswersAhead) and isinstance(tts, SpeaksAhead):
        llm.tell(FirstClause(tts, new_aggregator(settings)))
