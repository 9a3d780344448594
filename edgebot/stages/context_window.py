"""Keeps the conversation within what the language model can hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from loguru import logger
from pipecat.frames.frames import EagerEndOfTurnCancelFrame, Frame, LLMContextFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

# When the window is full, it is emptied down to this share of it, so that turns are dropped once
# in a while and not at every turn.
LOW_WATER = 0.75
# A fuller window has no room for the usual question: while that is said, there is time to empty it.
HIGH_WATER = 0.9
# Where only the server knows the model's tokens, this many characters are taken for one.
CHARACTERS_PER_TOKEN = 3

CountTokens = Callable[[LLMContext], Awaitable[int]]


@runtime_checkable
class CountsTokens(Protocol):
    """A language model that knows its own tokens."""

    @property
    def prompt_budget(self) -> int: ...
    async def count_tokens(self, context: LLMContext) -> int: ...


class ContextWindow(FrameProcessor):
    """Drops the oldest turns, each whole, before a prompt grows too long for the language model.

    The messages that are there when the conversation begins are never dropped.
    """

    def __init__(self, *, budget_tokens: int, count_tokens: CountTokens) -> None:
        """Set the limit.

        Args:
            budget_tokens: How many tokens a prompt may have.
            count_tokens: Counts those of a context, with the prompt and all that is not a message.
        """
        super().__init__()
        self._budget_tokens = budget_tokens
        self._count_tokens = count_tokens
        self._context: LLMContext | None = None
        self._pinned: list[Any] = []
        self._withdrawn_id = 0

    def watch(self, context: LLMContext) -> None:
        """Name the conversation; the messages that it has now are kept for ever."""
        self._context, self._pinned = context, list(context.messages)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Shorten the context of each context frame; pass everything on but what was withdrawn."""
        await super().process_frame(frame, direction)
        if isinstance(frame, EagerEndOfTurnCancelFrame):
            self._withdrawn_id = frame.id
        elif isinstance(frame, LLMContextFrame):
            await self.shorten(frame.context)
            if frame.speculation:
                self._forget_all_but(frame.context.messages)
                # The word that withdraws it overtakes it: the language model, which knows of no
                # such question yet, would answer it to its end.
                if frame.id < self._withdrawn_id:
                    return
        await self.push_frame(frame, direction)

    async def make_room(self) -> None:
        """Drop what would have to go for the next question; call it while nobody waits."""
        if self._context is not None:
            tokens = await self._count_tokens(self._context)
            if tokens > HIGH_WATER * self._budget_tokens:
                await self._drop_turns(self._context)

    async def shorten(self, context: LLMContext) -> None:
        """Drop the oldest turns until the prompt fits; halve the last message if it must be."""
        if await self._count_tokens(context) <= self._budget_tokens:
            return
        await self._drop_turns(context)
        pinned, turns = self._split(context)
        while await self._count_tokens(context) > self._budget_tokens:
            if not halve_last_message(turns):
                return
            self._set(context, pinned, turns)

    async def _drop_turns(self, context: LLMContext) -> None:
        """Drop as few of the oldest turns as leave the low water, but never the newest."""
        pinned, turns = self._split(context)
        fewest, most = 0, max(0, len(turns) - 1)
        while fewest < most:
            middle = (fewest + most) // 2
            if await self._fits(context, pinned, turns[middle:]):
                most = middle
            else:
                fewest = middle + 1
        self._set(context, pinned, turns[fewest:])
        logger.debug(f"The context is full: the oldest {fewest} turns are dropped.")

    def _split(self, context: LLMContext) -> tuple[list[Any], list[list[Any]]]:
        pinned = [m for m in context.messages if any(m is p for p in self._pinned)]
        others = [m for m in context.messages if not any(m is p for p in self._pinned)]
        return pinned, split_turns(others)

    def _forget_all_but(self, kept: Sequence[Any]) -> None:
        """Drop from the conversation what was dropped from the copy that is answered ahead."""
        if self._context is None:
            return
        messages = self._context.messages
        left = [m for m in messages if any(m is k for k in kept)]
        if len(left) < len(messages):
            self._context.set_messages(left)

    async def _fits(self, context: LLMContext, pinned: list[Any], turns: list[list[Any]]) -> bool:
        self._set(context, pinned, turns)
        return await self._count_tokens(context) <= LOW_WATER * self._budget_tokens

    @staticmethod
    def _set(context: LLMContext, pinned: list[Any], turns: list[list[Any]]) -> None:
        context.set_messages([*pinned, *(message for turn in turns for message in turn)])


def split_turns(messages: Sequence[Any]) -> list[list[Any]]:
    """Cut a conversation into turns: a user's message and all that follows up to the next one."""
    turns: list[list[Any]] = []
    for message in messages:
        if message["role"] == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def halve_last_message(turns: list[list[Any]]) -> bool:
    """Keep the second half of the newest message, where a question usually ends; tell whether."""
    if not turns:
        return False
    message = turns[-1][-1]
    content = message.get("content")
    if not isinstance(content, str) or len(content) < 2:
        return False
    turns[-1][-1] = {**message, "content": content[len(content) // 2 :]}
    return True


async def count_characters(context: LLMContext) -> int:
    """Estimate a context's tokens from its characters."""
    return sum(len(str(m)) for m in context.messages) // CHARACTERS_PER_TOKEN


def create(llm: FrameProcessor, context: LLMContext, budget_tokens: int) -> ContextWindow:
    """Return the stage for a language model; the examples in `context` stay for ever."""
    if isinstance(llm, CountsTokens):
        window = ContextWindow(budget_tokens=llm.prompt_budget, count_tokens=llm.count_tokens)
    else:
        window = ContextWindow(budget_tokens=budget_tokens, count_tokens=count_characters)
    window.watch(context)
    return window
