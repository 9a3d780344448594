"""What is understood without the language model: silence, sleep and timers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    EagerEndOfTurnCancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    TTSSpeakFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.config import Settings
from edgebot.frames import ChimeFrame, SleepFrame, TimerFrame, WakeFrame
from edgebot.stages.phrases import LANGUAGES, Phrases, bare, plain, without_names
from edgebot.stages.timers import Timers

RING_EVERY_S = 2.0
RING_S = 60.0


class Commands(FrameProcessor):
    """Takes commands out of the conversation and obeys them; the language model never sees them.

    A command is a question that is nothing else: "Stop." is, "When does the bus stop?" is not.
    """

    def __init__(
        self, *, phrases: Phrases, language: str = "en", names: Sequence[str] = ()
    ) -> None:
        """Set it up.

        Args:
            phrases: Of the language.
            language: Its code.
            names: What it is called by; said before a command, they do not matter.
        """
        super().__init__()
        self._phrases = phrases
        self._names = tuple(names)
        self._timers = Timers(phrases, language, lambda: asyncio.get_running_loop().time())
        self._waiting: asyncio.Task[None] | None = None
        self._ringing: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Swallow a command and obey it; pass everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case LLMContextFrame(speculation=True) if self._may_obey(frame.context):
                # What a command does cannot be taken back: it is obeyed when the turn has ended.
                await self.broadcast_frame(EagerEndOfTurnCancelFrame)
                return
            case LLMContextFrame(speculation=False) if await self._obeys(frame.context):
                return
            case WakeFrame() | InterruptionFrame() | SleepFrame(cancelled=True):
                await self._hush()
            case EndFrame() | CancelFrame():
                await self._forget()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Forget the timers."""
        await self._forget()
        await super().cleanup()

    def _may_obey(self, context: LLMContext) -> bool:
        words, wish = self._wish(last_words(context) or "")
        phrases = self._phrases
        is_command = not wish or wish in phrases.stop or wish in phrases.sleep
        return is_command or self._timers.understands(" ".join(words))

    def _wish(self, text: str) -> tuple[list[str], str]:
        words = without_names(plain(text), self._names)
        return words, bare(words, self._phrases)

    async def _obeys(self, context: LLMContext) -> bool:
        text = last_words(context)
        if text is None:
            return False
        words, wish = self._wish(text)
        if wish in self._phrases.stop or not wish:
            # Its name alone is no question either.
            drop_last(context)
            await self.broadcast_interruption()
            await self._hush()
        elif wish in self._phrases.sleep:
            drop_last(context)
            await self.broadcast_interruption()
            await self._hush()
            await self.broadcast_frame(SleepFrame, cancelled=True)
        elif answer := self._timers.answer(" ".join(words)):
            drop_last(context)
            await self._wait_for_next()
            await self.push_frame(TTSSpeakFrame(answer, append_to_context=False))
        else:
            return False
        return True

    async def _wait_for_next(self) -> None:
        await self._stop("_waiting")
        if self._timers.is_running:
            self._waiting = self.create_task(self._wait())
        await self._show()

    async def _wait(self) -> None:
        while (wait_s := self._timers.next_s) is not None:
            await asyncio.sleep(wait_s)
            if self._timers.take_due():
                await self._stop("_ringing")
                self._ringing = self.create_task(self._ring())
        self._waiting = None

    async def _ring(self) -> None:
        for _ in range(int(RING_S / RING_EVERY_S)):
            await self.push_frame(ChimeFrame("timer"))
            await asyncio.sleep(RING_EVERY_S)
        self._ringing = None
        await self._show()

    async def _hush(self) -> None:
        if self._ringing is not None:
            await self._stop("_ringing")
            await self._show()

    async def _show(self) -> None:
        is_running = self._timers.is_running or self._ringing is not None
        await self.push_frame(TimerFrame(is_running))

    async def _forget(self) -> None:
        await self._stop("_waiting")
        await self._stop("_ringing")

    async def _stop(self, name: str) -> None:
        task: asyncio.Task[None] | None = getattr(self, name)
        setattr(self, name, None)
        if task is not None:
            await self.cancel_task(task)


def last_words(context: LLMContext) -> str | None:
    """Return what a person said last, if nothing has been answered to it."""
    last: Any = context.messages[-1] if context.messages else {}
    content = last.get("content") if last.get("role") == "user" else None
    return content if isinstance(content, str) else None


def drop_last(context: LLMContext) -> None:
    """Take the last message out of a context."""
    context.set_messages(context.messages[:-1])


def create(settings: Settings, names: Sequence[str] = ()) -> Commands | None:
    """Return the stage; None where the language has no commands.

    Args:
        settings: Name the language.
        names: What it is called by.
    """
    phrases = LANGUAGES.get(settings.language)
    if phrases is None:
        return None
    return Commands(phrases=phrases, language=settings.language, names=names)
