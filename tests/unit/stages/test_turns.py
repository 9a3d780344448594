"""A button that is held, and turns that are forgotten, in Pipecat's own aggregator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from line import PATIENCE_S, Line
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import (
    UserTurnStrategies,
    default_user_turn_start_strategies,
)

from edgebot.frames import SleepFrame, TalkFrame, WakeFrame
from edgebot.stages.turns import MutedWhileSpeaking, TalkButtonTurnStop, WakefulTurnStart

HOLD_S = 0.05


class Bench:
    """A user aggregator, to which frames are handed one after the other."""

    def __init__(self, line: Line, stage: Any, context: LLMContext) -> None:
        self.line = line
        self._stage = stage
        self.context = context

    async def hand(self, *frames: Frame) -> None:
        """Hand frames in, each after the one before has been dealt with."""
        for frame in frames:
            done = asyncio.Event()

            async def dealt(*_: Any, done: asyncio.Event = done) -> None:
                done.set()

            await self._stage.queue_frame(frame, callback=dealt)
            await asyncio.wait_for(done.wait(), PATIENCE_S)

    @property
    def asked(self) -> list[str]:
        """What the language model was asked."""
        return [
            str(frame.context.messages[-1]["content"]) for frame in self.line.of(LLMContextFrame)
        ]

    def count(self, kind: type[Frame]) -> int:
        return len(self.line.of(kind))


@asynccontextmanager
async def bench(**params: Any) -> AsyncIterator[Bench]:
    context = LLMContext()
    other = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=HOLD_S)
    strategies = UserTurnStrategies(
        start=[WakefulTurnStart(), *default_user_turn_start_strategies()],
        stop=[TalkButtonTurnStop(other)],
    )
    user, _ = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            user_turn_strategies=strategies, empty_user_turn=None, **params
        ),
    )
    async with Line(user) as line:
        made = Bench(line, user, context)
        await made.hand(
            STTMetadataFrame(service_name="fake", ttfs_p99_latency=0.2),
        )
        yield made


def heard(text: str) -> TranscriptionFrame:
    return TranscriptionFrame(text, "", "now", finalized=True)


START, STOP = VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame


async def test_without_a_button_silence_ends_a_turn() -> None:
    async with bench() as user:
        await user.hand(START(start_secs=0.2), STOP(stop_secs=0.2), heard("hello"))
        assert user.asked == []
        await user.line.until_down(LLMContextFrame)
        assert user.asked == ["hello"]


async def test_a_held_button_begins_a_turn_at_once_and_interrupts() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True))
        assert user.count(UserStartedSpeakingFrame) == 1
        assert user.count(InterruptionFrame) == 1


async def test_letting_go_ends_the_turn_with_the_final_transcript() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(TalkFrame(held=False), STOP(stop_secs=0.2))
        assert user.count(UserStoppedSpeakingFrame) == 0
        await user.hand(heard("hello"))
        assert user.asked == ["hello"]
        assert user.count(UserStoppedSpeakingFrame) == 1


async def test_letting_go_ends_the_turn_at_once_when_all_is_transcribed() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(STOP(stop_secs=0.2), heard("hello"))
        assert user.asked == []
        await user.hand(TalkFrame(held=False), STOP(stop_secs=0.2))
        assert user.asked == ["hello"]


async def test_silence_ends_no_held_turn() -> None:
    async with bench(user_turn_stop_timeout=0.1) as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(STOP(stop_secs=0.2), heard("one"))
        # Longer than the pause that ends a turn, and than Pipecat's own patience.
        with pytest.raises(TimeoutError):
            await ends(user)
        await user.hand(START(start_secs=0.2), TalkFrame(held=False), STOP(stop_secs=0.2))
        await user.hand(heard("two"))
        assert user.asked == ["one two"]


async def ends(user: Bench) -> None:
    async with asyncio.timeout(0.5):
        await user.line.until_down(UserStoppedSpeakingFrame)


async def test_a_pause_before_the_button_was_held_ends_nothing_after_it() -> None:
    async with bench() as user:
        await user.hand(START(start_secs=0.2), STOP(stop_secs=0.2), heard("one"))
        await user.hand(TalkFrame(held=True), START())
        with pytest.raises(TimeoutError):
            await ends(user)
        await user.hand(TalkFrame(held=False), STOP(stop_secs=0.2))
        assert user.asked == ["one"]


async def test_nothing_said_is_no_question() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), TalkFrame(held=False), STOP(stop_secs=0.2))
        await user.line.until_down(UserStoppedSpeakingFrame)
        assert user.asked == []
        assert user.context.messages == []
        # And the next turn is as good as any.
        await user.hand(START(start_secs=0.2), STOP(stop_secs=0.2), heard("hello"))
        await user.line.until_down(LLMContextFrame)


async def test_a_word_too_short_for_the_voice_detector_is_waited_for() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), TalkFrame(held=False), STOP(stop_secs=0.2))
        await user.hand(heard("yes"))
        assert user.asked == ["yes"]


async def test_words_that_come_late_are_waited_for_where_speech_was_heard() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(TalkFrame(held=False), STOP(stop_secs=0.2))
        # Longer than speech to text says that it needs.
        with pytest.raises(TimeoutError):
            await ends(user)
        await user.hand(heard("hello"))
        assert user.asked == ["hello"]
        assert user.count(UserStoppedSpeakingFrame) == 1


async def test_speech_that_holds_no_word_is_not_waited_for_for_ever() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(TalkFrame(held=False), STOP(stop_secs=0.2))
        await user.line.until_down(UserStoppedSpeakingFrame)
        assert user.asked == []


async def test_a_cough_behind_the_words_makes_nobody_wait() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(STOP(stop_secs=0.2), heard("hello"))
        await user.hand(START(start_secs=0.2), TalkFrame(held=False), STOP(stop_secs=0.2))
        await ends(user)
        assert user.asked == ["hello"]


async def test_a_button_held_again_goes_on_with_the_turn() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), START(start_secs=0.2))
        await user.hand(TalkFrame(held=False), STOP(), TalkFrame(held=True), START())
        await user.hand(heard("one"))
        assert user.asked == []
        await user.hand(TalkFrame(held=False), STOP())
        assert user.asked == ["one"]


async def test_a_turn_is_forgotten_when_it_falls_asleep() -> None:
    async with bench() as user:
        await user.hand(START(start_secs=0.2), STOP(stop_secs=0.2), heard("secret"))
        await user.hand(SleepFrame(cancelled=True))
        await user.line.until_down(UserStoppedSpeakingFrame)
        with pytest.raises(TimeoutError):
            await asks(user)
        assert user.context.messages == []


async def asks(user: Bench) -> None:
    async with asyncio.timeout(0.3):
        await user.line.until_down(LLMContextFrame)


async def test_a_word_that_is_being_spoken_is_forgotten_too() -> None:
    async with bench() as user:
        await user.hand(START(start_secs=0.2), SleepFrame(cancelled=True))
        assert user.count(UserStoppedSpeakingFrame) == 0
        await user.hand(STOP(stop_secs=0.2))
        await user.line.until_down(UserStoppedSpeakingFrame)
        await user.hand(heard("secret"), WakeFrame())
        await user.hand(START(start_secs=0.2), STOP(stop_secs=0.2), heard("hello"))
        await user.line.until_down(LLMContextFrame)
        assert user.asked == ["hello"]


async def test_asleep_no_turn_begins() -> None:
    async with bench() as user:
        await user.hand(SleepFrame(), START(start_secs=0.2), heard("noise"), STOP(stop_secs=0.2))
        assert user.count(UserStartedSpeakingFrame) == 0


async def test_a_held_turn_is_forgotten_when_it_is_cancelled() -> None:
    async with bench() as user:
        await user.hand(TalkFrame(held=True), START(), heard("secret"))
        await user.hand(SleepFrame(cancelled=True), STOP(stop_secs=0.2))
        await user.line.until_down(UserStoppedSpeakingFrame)
        await user.hand(TalkFrame(held=False))
        assert user.asked == []
        assert user.context.messages == []


async def test_speaking_into_an_answer_does_nothing_where_it_must_not() -> None:
    async with bench(user_mute_strategies=[MutedWhileSpeaking()]) as user:
        await user.hand(BotStartedSpeakingFrame(), START(start_secs=0.2), heard("hello"))
        assert user.count(UserStartedSpeakingFrame) == 0
        await user.hand(InterruptionFrame())
        assert user.count(InterruptionFrame) == 0


@pytest.mark.parametrize(
    "key", [WakeFrame(by="word"), WakeFrame(by="button"), BotStoppedSpeakingFrame()]
)
async def test_its_name_and_the_button_interrupt_all_the_same(key: Frame) -> None:
    async with bench(user_mute_strategies=[MutedWhileSpeaking()]) as user:
        await user.hand(BotStartedSpeakingFrame(), key, InterruptionFrame())
        assert user.count(InterruptionFrame) == 1
        await user.hand(START(start_secs=0.2))
        assert user.count(UserStartedSpeakingFrame) == 1
