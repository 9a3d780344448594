"""Turns are answered ahead, and end after a silence that fits their words, in an aggregator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fake_time import run_in_fake_time
from line import Line
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.turns.user_turn_strategies import (
    UserTurnStrategies,
    default_user_turn_start_strategies,
)

from edgebot.frames import TalkFrame
from edgebot.stages.end_of_turn import LATE_S, EagerTurnStop
from edgebot.stages.melody import Melody
from edgebot.stages.recent_sound import RATE_HZ
from edgebot.stages.turns import TalkButtonTurnStop, WakefulTurnStart

HOLDS_S = {"what is it": 0.1, "a coffee with": 0.9}
TRANSCRIPT_S = 1.0
START_S = 0.2


class Bench:
    """A user aggregator, to which frames are handed one after the other."""

    def __init__(self, line: Line, stage: Any, context: LLMContext) -> None:
        self.line = line
        self.context = context
        self._stage = stage
        self._began_s = asyncio.get_running_loop().time()

    async def hand(self, *frames: Frame) -> None:
        for frame in frames:
            done = asyncio.Event()

            async def dealt(*_: Any, done: asyncio.Event = done) -> None:
                done.set()

            await self._stage.queue_frame(frame, callback=dealt)
            await done.wait()
        # What it pushed arrives.
        await asyncio.sleep(0.001)

    @property
    def asked(self) -> list[tuple[str, bool]]:
        """What the language model was asked, and whether ahead of the turn's end."""
        return [
            (str(frame.context.messages[-1]["content"]), frame.speculation)
            for frame in self.line.of(LLMContextFrame)
        ]

    @property
    def heard(self) -> list[str]:
        """What the conversation keeps."""
        return [str(message["content"]) for message in self.context.messages]

    @property
    def withdrawn(self) -> int:
        return len(self.line.of(EagerEndOfTurnCancelFrame))

    @property
    def has_ended(self) -> bool:
        return bool(self.line.of(UserStoppedSpeakingFrame))


def hold_s(text: str, completeness: float | None = None) -> float:
    """Return a time that depends on the melody where these words leave it open."""
    return HOLDS_S.get(text.lower().rstrip(".?"), 0.9 if completeness == 0.0 else 0.5)


@asynccontextmanager
async def bench(*, is_eager: bool, melody: Melody | None) -> AsyncIterator[Bench]:
    context = LLMContext()
    stop = EagerTurnStop(hold_s=hold_s, is_eager=is_eager, start_s=START_S, melody=melody)
    strategies = UserTurnStrategies(
        start=[WakefulTurnStart(), *default_user_turn_start_strategies()],
        stop=[TalkButtonTurnStop(stop)],
    )
    user, _ = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(user_turn_strategies=strategies, empty_user_turn=None),
    )
    async with Line(user) as line:
        made = Bench(line, user, context)
        await made.hand(STTMetadataFrame(service_name="fake", ttfs_p99_latency=TRANSCRIPT_S))
        yield made


def told(
    test: Callable[[Bench], Awaitable[None]],
    *,
    is_eager: bool = True,
    melody: Melody | None = None,
) -> None:
    """Run a test in fake time."""

    async def run() -> None:
        async with bench(is_eager=is_eager, melody=melody) as user:
            await test(user)

    run_in_fake_time(run())


def final(text: str) -> TranscriptionFrame:
    return TranscriptionFrame(text, "", "now", finalized=True)


def eager(text: str) -> EagerTranscriptionFrame:
    return EagerTranscriptionFrame(text, "", "now")


def start() -> Frame:
    return VADUserStartedSpeakingFrame(start_secs=0.2)


def stop() -> Frame:
    return VADUserStoppedSpeakingFrame(stop_secs=0.2)


def test_a_guess_that_was_right_is_the_answer() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), eager("What is it"))
        assert user.asked == [("What is it", True)]
        assert user.heard == []
        await user.hand(stop(), final("What is it?"))
        assert not user.has_ended
        await asyncio.sleep(0.11)
        assert user.has_ended
        # It is asked once, and remembered as it was committed.
        assert user.asked == [("What is it", True)]
        assert user.heard == ["What is it?"]
        assert user.withdrawn == 0

    told(test)


def test_other_words_withdraw_the_guess_and_are_guessed_with() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), eager("What is"), stop(), final("What is it?"))
        assert user.asked == [("What is", True), ("What is it?", True)]
        assert user.withdrawn == 1
        await asyncio.sleep(0.11)
        assert user.has_ended
        assert user.heard == ["What is it?"]

    told(test)


def test_who_goes_on_gets_no_answer_to_half_a_question() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), stop(), final("A coffee with"))
        assert user.asked == [("A coffee with", True)]
        await asyncio.sleep(0.8)
        assert not user.has_ended
        await user.hand(start())
        assert user.withdrawn == 1
        await user.hand(stop(), final("milk."))
        assert user.asked[-1] == ("A coffee with milk.", True)
        await asyncio.sleep(0.51)
        assert user.has_ended
        assert user.heard == ["A coffee with milk."]
        assert len(user.asked) == 2

    told(test)


@pytest.mark.parametrize(("text", "hold_s"), [("What is it?", 0.1), ("Hm.", 0.5)])
def test_the_silence_counts_from_the_voice_detectors_word(text: str, hold_s: float) -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), stop())
        await asyncio.sleep(0.06)
        await user.hand(final(text))
        await asyncio.sleep(hold_s - 0.08)
        assert not user.has_ended
        await asyncio.sleep(0.04)
        assert user.has_ended

    told(test)


def test_a_late_transcript_ends_the_turn_at_once() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), stop())
        await asyncio.sleep(1.5)
        assert not user.has_ended
        await user.hand(final("What is it?"))
        await user.line.until(lambda: user.has_ended)
        assert user.heard == ["What is it?"]

    told(test)


def test_words_that_may_change_are_waited_for() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), stop(), TranscriptionFrame("What is it?", "", "now"))
        await asyncio.sleep(TRANSCRIPT_S - 0.25)
        assert not user.has_ended
        await asyncio.sleep(0.06)
        assert user.has_ended

    told(test)


def test_without_eagerness_the_model_is_asked_when_the_turn_has_ended() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), eager("What is it"), stop(), final("What is it?"))
        assert user.asked == []
        await asyncio.sleep(0.11)
        assert user.asked == [("What is it?", False)]
        assert user.heard == ["What is it?"]

    told(test, is_eager=False)


@pytest.mark.parametrize("frame", [EagerEndOfTurnCancelFrame, InterruptionFrame])
def test_what_cannot_be_answered_ahead_is_asked_when_the_turn_has_ended(
    frame: Callable[[], Frame],
) -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), stop(), final("What is it?"), frame())
        assert user.asked == [("What is it?", True)]
        await asyncio.sleep(0.11)
        assert user.asked == [("What is it?", True), ("What is it?", False)]
        assert user.heard == ["What is it?"]

    told(test)


def test_a_guess_that_was_overtaken_by_its_withdrawal_is_no_question() -> None:
    async def test(user: Bench) -> None:
        guess, withdrawal = eager("What is"), EagerEndOfTurnCancelFrame()
        await user.hand(start(), withdrawal, guess)
        assert user.asked == []
        await user.hand(eager("What is it"))
        assert user.asked == [("What is it", True)]

    told(test)


def test_a_withdrawal_is_told_once_more_behind_its_question() -> None:
    async def test(user: Bench) -> None:
        # It is on its way while the guess becomes a question.
        guess, withdrawal = eager("What is"), EagerEndOfTurnCancelFrame()
        withdrawal.id = guess.id
        guess.id -= 1
        await user.hand(start(), guess, withdrawal)
        (question,) = user.line.of(LLMContextFrame)
        assert user.line.of(EagerEndOfTurnCancelFrame)[-1].id > question.id

    told(test)


def test_nobody_is_answered_ahead_while_the_button_is_held() -> None:
    async def test(user: Bench) -> None:
        await user.hand(TalkFrame(held=True), start(), eager("What is it"), stop())
        await user.hand(final("What is it?"))
        await asyncio.sleep(3.0)
        assert (user.asked, user.has_ended) == ([], False)
        await user.hand(TalkFrame(held=False), stop())
        assert user.asked == [("What is it?", False)]

    told(test)


def test_a_button_that_is_pressed_withdraws_the_guess() -> None:
    async def test(user: Bench) -> None:
        await user.hand(start(), stop(), final("What is it?"), TalkFrame(held=True), start())
        assert user.withdrawn == 1
        await user.hand(TalkFrame(held=False), stop())
        await user.line.until(lambda: user.has_ended)
        assert user.asked == [("What is it?", True), ("What is it?", False)]

    told(test)


def test_a_guess_before_the_turn_has_begun_is_none() -> None:
    async def test(user: Bench) -> None:
        await user.hand(eager("What is it"))
        assert user.asked == []
        await user.hand(start(), stop(), final("What is it?"))
        await asyncio.sleep(0.11)
        assert user.asked == [("What is it?", True)]
        assert user.has_ended

    told(test)


class Judge:
    """Says what it is told to say, and keeps what it was asked about."""

    def __init__(self, *likely: float) -> None:
        self._likely = list(likely)
        self.asked_s: list[float] = []

    def completeness(self, audio: bytes) -> float:
        self.asked_s.append(round(len(audio) / 2 / RATE_HZ, 2))
        return self._likely.pop(0)


def sound(seconds: float, *, level: int = 0) -> Frame:
    return InputAudioRawFrame(bytes([0, level]) * int(seconds * RATE_HZ), RATE_HZ, 1)


@pytest.mark.parametrize(("likely", "held_s"), [(1.0, 0.5), (0.0, 0.9)])
def test_what_does_not_sound_complete_is_held_longer(likely: float, held_s: float) -> None:
    judge = Judge(likely)

    async def test(user: Bench) -> None:
        await user.hand(start(), stop(), final("A coffee."))
        await asyncio.sleep(held_s - 0.02)
        assert not user.has_ended
        await asyncio.sleep(0.04)
        assert user.has_ended

    told(test, melody=Melody(judge.completeness))
    assert len(judge.asked_s) == 1


def test_each_pause_is_judged_with_all_that_was_said_until_then() -> None:
    judge = Judge(0.0, 1.0)

    async def test(user: Bench) -> None:
        # Of what sounds before the turn only a little belongs to it.
        await user.hand(sound(2.0), start(), sound(1.0), stop(), final("A coffee."))
        await asyncio.sleep(0.6)
        await user.hand(start(), sound(1.0), stop(), final("Black."))
        await asyncio.sleep(0.48)
        assert not user.has_ended
        await asyncio.sleep(0.04)
        assert user.has_ended

    told(test, melody=Melody(judge.completeness))
    # 0.2 s of speech and 0.3 s of room before the voice detector's word; 0.1 s less than its 0.2 s
    # of silence behind.
    assert judge.asked_s == [1.4, 2.4]


def test_the_next_turn_is_judged_by_its_own_sound() -> None:
    judge = Judge(1.0, 1.0)

    async def test(user: Bench) -> None:
        for _ in range(2):
            await user.hand(sound(2.0), start(), sound(1.0), stop(), final("A coffee."))
            await asyncio.sleep(0.6)
            assert user.has_ended
            user.line.down.clear()

    told(test, melody=Melody(judge.completeness))
    assert judge.asked_s == [1.4, 1.4]


def test_a_melody_is_not_asked_for_where_words_tell() -> None:
    judge = Judge()

    async def test(user: Bench) -> None:
        await user.hand(start(), stop())
        await asyncio.sleep(0.05)
        await user.hand(final("What is it?"))
        await asyncio.sleep(0.11)
        assert user.has_ended

    told(test, melody=Melody(judge.completeness))
    assert judge.asked_s == []


def test_a_melody_is_not_asked_for_where_a_hand_tells() -> None:
    judge = Judge()

    async def test(user: Bench) -> None:
        await user.hand(TalkFrame(held=True), start(), sound(1.0), stop(), final("A coffee."))
        await user.hand(TalkFrame(held=False), stop())
        assert user.has_ended

    told(test, melody=Melody(judge.completeness))
    assert judge.asked_s == []


async def speak(user: Bench) -> None:
    """Say a question, and be silent for as long as a voice detector needs."""
    await user.hand(sound(1.0), start(), sound(0.5, level=50), sound(0.2), stop())
    await user.hand(final("What is it?"))


def test_whoever_goes_on_just_before_the_end_is_waited_for() -> None:
    async def test(user: Bench) -> None:
        await speak(user)
        await user.hand(sound(0.02, level=50))
        # The voice detector is not sure of it before 0.2 s.
        await asyncio.sleep(0.2)
        assert not user.has_ended
        await user.hand(start())
        await asyncio.sleep(1.0)
        assert not user.has_ended
        await user.hand(sound(0.2), stop(), final("What is it for?"))
        await asyncio.sleep(0.6)
        assert user.heard == ["What is it? What is it for?"]

    told(test)


def test_a_noise_just_before_the_end_is_waited_for_once() -> None:
    async def test(user: Bench) -> None:
        await speak(user)
        await user.hand(sound(0.02, level=50))
        await asyncio.sleep(0.1 + START_S + LATE_S - 0.02)
        assert not user.has_ended
        await asyncio.sleep(0.04)
        assert user.has_ended

    told(test)


def test_silence_is_not_waited_for_longer() -> None:
    async def test(user: Bench) -> None:
        await speak(user)
        await user.hand(sound(0.1))
        await asyncio.sleep(0.11)
        assert user.has_ended

    told(test)
