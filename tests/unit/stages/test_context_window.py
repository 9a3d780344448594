"""The window drops whole turns, the oldest first, and always leaves the question."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line import Line
from pipecat.frames.frames import EagerEndOfTurnCancelFrame, LLMContextFrame, TextFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.tests.utils import run_test

from edgebot.stages import context_window
from edgebot.stages.context_window import (
    HIGH_WATER,
    LOW_WATER,
    ContextWindow,
    count_characters,
    halve_last_message,
    split_turns,
)

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def size(messages: list[Any]) -> int:
    """A counter that knows what it counts: a token a character, and two a message."""
    return sum(len(message.get("content") or "") + 2 for message in messages)


class Counter:
    """Counts, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, context: LLMContext) -> int:
        self.asked += 1
        return size(context.messages)


def window(budget: int, context: LLMContext, pinned: int = 0) -> ContextWindow:
    """Return a window that has pinned the first messages of a context."""
    made = ContextWindow(budget_tokens=budget, count_tokens=Counter())
    made.watch(LLMContext(context.messages[:pinned]))
    return made


async def shortened(budget: int, messages: list[Message], pinned: int = 0) -> list[Any]:
    context = LLMContext(list(messages))
    await window(budget, context, pinned).shorten(context)
    return context.messages


TALK = [user("a" * 8), assistant("b" * 8), user("c" * 8), assistant("d" * 8), user("e" * 8)]


async def test_what_fits_stays_and_is_counted_once() -> None:
    context = LLMContext(list(TALK))
    counter = Counter()
    await ContextWindow(budget_tokens=50, count_tokens=counter).shorten(context)
    assert context.messages == TALK
    assert counter.asked == 1


async def test_one_token_too_many_drops_the_oldest_turn_whole() -> None:
    assert await shortened(49, TALK) == TALK[2:]


async def test_it_is_emptied_to_the_low_water_mark() -> None:
    # 30 tokens would fit into 39, but not into three quarters of it.
    assert LOW_WATER == 0.75
    assert await shortened(39, TALK) == TALK[4:]
    assert await shortened(40, TALK) == TALK[2:]


async def test_pinned_messages_stay() -> None:
    assert await shortened(49, TALK, pinned=2) == [*TALK[:2], TALK[4]]


async def test_an_equal_message_that_is_not_pinned_goes() -> None:
    messages = [user("same"), assistant("same"), user("same"), assistant("same"), user("new")]
    assert await shortened(24, messages, pinned=2) == [*messages[:2], messages[4]]


async def test_the_newest_question_is_halved_when_nothing_else_is_left() -> None:
    assert await shortened(10, [user("0123456789abcdef")]) == [user("89abcdef")]
    assert await shortened(5, [user("old"), assistant("old"), user("0123456789")]) == [user("789")]


async def test_a_single_character_is_left_of_a_question_that_never_fits() -> None:
    assert await shortened(0, [user("0123456789")]) == [user("9")]


async def test_it_gives_up_where_nothing_can_be_shortened() -> None:
    messages = [user("pinned" * 9)]
    assert await shortened(5, messages, pinned=1) == messages
    picture: Message = {"role": "user", "content": [{"type": "image_url", "image_url": "x" * 99}]}
    context = LLMContext([picture])

    async def count(context: LLMContext) -> int:
        return 100

    await ContextWindow(budget_tokens=5, count_tokens=count).shorten(context)
    assert context.messages == [picture]


async def test_a_call_and_its_result_are_dropped_with_their_question() -> None:
    called: Message = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    result: Message = {"role": "tool", "content": "dark", "tool_call_id": "1"}
    messages = [user("Dark!"), called, result, assistant("Done."), user("Thanks, my friend!")]
    assert await shortened(30, messages) == messages[4:]


async def test_the_original_message_is_not_changed() -> None:
    question = user("0123456789")
    await shortened(5, [question])
    assert question == user("0123456789")


def test_turns_begin_with_the_user() -> None:
    assert split_turns([]) == []
    assert split_turns(TALK) == [TALK[:2], TALK[2:4], TALK[4:]]
    assert split_turns([assistant("Hello."), user("a"), user("b")]) == [
        [assistant("Hello.")],
        [user("a")],
        [user("b")],
    ]


def test_halving_needs_a_text_of_two_characters() -> None:
    assert not halve_last_message([])
    assert not halve_last_message([[user("a")]])
    assert not halve_last_message([[{"role": "assistant", "tool_calls": []}]])
    turns = [[user("old")], [user("abc")]]
    assert halve_last_message(turns)
    assert turns == [[user("old")], [user("bc")]]


TURN = st.tuples(st.text("abc", max_size=9), st.lists(st.text("def", max_size=9), max_size=3))
CONVERSATION = st.lists(TURN, max_size=8)


@given(
    conversation=CONVERSATION,
    question=st.text("ghi", min_size=1, max_size=30),
    budget=st.integers(0, 90),
    pinned_turns=st.integers(0, 2),
)
def test_it_never_holds_more_than_the_budget(
    conversation: list[tuple[str, list[str]]], question: str, budget: int, pinned_turns: int
) -> None:
    messages: list[Message] = []
    pinned = 0
    for number, (asked, answers) in enumerate(conversation):
        messages += [user(asked), *map(assistant, answers)]
        if number < pinned_turns:
            pinned = len(messages)
    messages.append(user(question))
    left = asyncio.run(shortened(budget, messages, pinned))

    # The budget is kept, unless a single character of the question is left.
    *before, last = left
    assert size(left) <= budget or len(last["content"]) == 1
    # Pinned messages stay, and so does the end of the newest question.
    assert left[:pinned] == messages[:pinned]
    assert last["role"] == "user"
    assert question.endswith(last["content"])
    # What else is left are the newest turns, whole and in their order.
    kept = before[pinned:]
    assert kept == messages[len(messages) - 1 - len(kept) : -1]
    assert not kept or kept[0]["role"] == "user"
    # Nothing is dropped without need, and the question is cut last.
    if size(messages) <= budget:
        assert left == messages
    if kept:
        assert last["content"] == question


async def test_the_stage_shortens_context_frames_and_passes_the_rest() -> None:
    context = LLMContext(list(TALK))
    frames = [TextFrame("hello"), LLMContextFrame(context)]
    down, _ = await run_test(window(49, context), frames_to_send=frames)
    assert down == frames
    assert context.messages == TALK[2:]


async def test_characters_stand_for_tokens_where_nobody_counts() -> None:
    assert await count_characters(LLMContext([user("x" * 300)])) == 110
    assert await count_characters(LLMContext()) == 0


class CountingModel(FrameProcessor):
    """A language model that knows its tokens."""

    prompt_budget = 40

    async def count_tokens(self, context: LLMContext) -> int:
        return size(context.messages)


@pytest.mark.parametrize(("model", "left"), [(CountingModel, 1), (FrameProcessor, 5)])
async def test_the_language_model_counts_if_it_can(model: type[FrameProcessor], left: int) -> None:
    examples = LLMContext([user("example"), assistant("example")])
    made = context_window.create(model(), examples, budget_tokens=1000)
    context = LLMContext([*examples.messages, *TALK])
    await made.shorten(context)
    assert context.messages == [*examples.messages, *TALK[-left:]]


async def test_what_is_dropped_to_answer_ahead_is_dropped_for_good() -> None:
    conversation = LLMContext()
    stage = window(49, conversation)
    stage.watch(conversation)
    conversation.set_messages(list(TALK[:4]))
    copy = LLMContext([*conversation.messages, user("e" * 8)])
    async with Line(stage) as line:
        await line.send(LLMContextFrame(copy, speculation=True))
        await line.until_down(LLMContextFrame)
    assert copy.messages == TALK[2:]
    assert conversation.messages == TALK[2:4]


@pytest.mark.parametrize(("budget", "left"), [(56, TALK), (55, TALK[2:]), (10, TALK[4:])])
async def test_room_is_made_for_a_question_before_it_is_asked(
    budget: int, left: list[Message]
) -> None:
    conversation = LLMContext()
    stage = window(budget, conversation)
    await stage.make_room()
    stage.watch(conversation)
    conversation.set_messages(list(TALK))
    assert (size(TALK), HIGH_WATER) == (50, 0.9)
    await stage.make_room()
    assert conversation.messages == left


async def test_turns_are_not_counted_one_by_one() -> None:
    counter = Counter()
    context = LLMContext([user("a") for _ in range(1000)])
    await ContextWindow(budget_tokens=100, count_tokens=counter).shorten(context)
    assert len(context.messages) == 75 // size([user("a")])
    assert counter.asked < 20


async def test_a_context_of_somebody_else_changes_nothing() -> None:
    conversation = LLMContext()
    stage = window(49, conversation)
    stage.watch(conversation)
    conversation.set_messages(list(TALK[:4]))
    async with Line(stage) as line:
        await line.send(LLMContextFrame(LLMContext([user("x")])))
        await line.until_down(LLMContextFrame)
    assert conversation.messages == TALK[:4]


async def test_what_was_withdrawn_on_its_way_is_not_answered_ahead() -> None:
    def asked(*, ahead: bool) -> LLMContextFrame:
        return LLMContextFrame(LLMContext([user("x")]), speculation=ahead)

    before, settled, withdrawal, after = (
        asked(ahead=True),
        asked(ahead=False),
        EagerEndOfTurnCancelFrame(),
        asked(ahead=True),
    )
    async with Line(window(49, LLMContext())) as line:
        await line.send(withdrawal)
        await line.until_down(EagerEndOfTurnCancelFrame)
        await line.send(before, settled, after)
        await line.until_down(LLMContextFrame, 2)
    assert line.of(LLMContextFrame) == [settled, after]
