"""Turns: what was heard and said, and when each stage had its first result."""

from __future__ import annotations

from typing import Any

import pytest
from line import Line
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EagerTranscriptionFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.text.base_text_aggregator import TextType

from edgebot.observe.turns import STAGES, Turn, TurnObserver


class Clock:
    """Says what it is set to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def transcript(text: str = "what") -> TranscriptionFrame:
    return TranscriptionFrame(text, "", "")


def end_of_sound(at_s: float, silence_s: float = 0.25) -> VADUserStoppedSpeakingFrame:
    """Return what the voice detector says when it is sure of the silence."""
    return VADUserStoppedSpeakingFrame(stop_secs=silence_s, timestamp=at_s + silence_s)


def play(*steps: tuple[float, Frame]) -> Turn:
    """Show frames to an observer, each at its time, and return the turn."""
    clock = Clock()
    observer = TurnObserver(clock=clock)
    for now_s, frame in steps:
        clock.now_s = now_s
        observer.note(frame)
    return observer.turn


AUDIO = TTSAudioRawFrame(b"\0\0", 16_000, 1)
ANSWER: tuple[tuple[float, Frame], ...] = (
    (100.0, UserStartedSpeakingFrame()),
    (101.25, end_of_sound(101.0)),
    (101.375, transcript()),
    (101.5, UserStoppedSpeakingFrame()),
    (102.0, LLMTextFrame("It")),
    (102.25, LLMTextFrame(" is.")),
    (102.5, AggregatedTextFrame("It is.", TextType.SENTENCE)),
    (103.0, AUDIO),
    (103.25, BotStartedSpeakingFrame()),
)


def test_each_stage_is_stamped_from_the_end_of_the_sound() -> None:
    assert play(*ANSWER).times_s == {
        "transcript": 0.375,
        "end of turn": 0.5,
        "first token": 1.0,
        "first clause": 1.5,
        "first audio": 2.0,
        "first sound": 2.25,
    }


def test_the_stages_are_named_in_their_order() -> None:
    assert tuple(play(*ANSWER).times_s) == STAGES


def test_only_the_first_result_counts() -> None:
    again = tuple((now_s + 5, frame) for now_s, frame in ANSWER[4:])
    assert play(*ANSWER, *again) == play(*ANSWER)


def test_the_last_transcript_completes_the_question() -> None:
    times = play(*ANSWER[:3], (101.75, transcript("what else"))).times_s
    assert times == {"transcript": 0.75}


@pytest.mark.parametrize(
    "frame",
    [
        InterimTranscriptionFrame("wh", "", ""),
        EagerTranscriptionFrame("wh", "", ""),
        TTSTextFrame("It is.", TextType.SENTENCE),
    ],
)
def test_what_only_looks_like_a_result_is_none(frame: Frame) -> None:
    assert play(*ANSWER[:2], (101.5, frame)).times_s == {}


def test_a_pause_within_the_question_is_not_its_end() -> None:
    times = play(
        (100.0, UserStartedSpeakingFrame()),
        (101.25, end_of_sound(101.0)),
        (105.25, end_of_sound(105.0)),
        (105.5, transcript()),
    ).times_s
    assert times == {"transcript": 0.5}


def test_a_new_question_begins_a_new_turn() -> None:
    assert play(*ANSWER, (110.0, UserStartedSpeakingFrame())) == Turn()


def test_nothing_is_stamped_without_a_question() -> None:
    assert play((100.0, AUDIO), (100.0, BotStartedSpeakingFrame())) == Turn()


class Talk:
    """The two sides of the context in a line, watched."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.said: list[tuple[str, str, bool]] = []
        self.turns = TurnObserver(when_heard=self.heard.append, when_said=self._when_said)
        # Whoever has spoken has finished: there is nothing to wait for.
        stop: list[Any] = [SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]
        user, assistant = LLMContextAggregatorPair(
            LLMContext(),
            user_params=LLMUserAggregatorParams(
                user_turn_strategies=UserTurnStrategies(stop=stop), empty_user_turn=None
            ),
        )
        self.turns.watch(user, assistant)
        self.line = Line(Pipeline([user, assistant]), observers=[self.turns])

    def _when_said(self, turn: Turn) -> None:
        self.said.append((turn.heard, turn.said, turn.interrupted))


QUESTION = (
    VADUserStartedSpeakingFrame(),
    transcript("What is it?"),
    VADUserStoppedSpeakingFrame(stop_secs=0.2),
)


async def test_a_turn_holds_the_question_and_what_was_really_spoken() -> None:
    talk = Talk()
    async with talk.line as line:
        await line.send(*QUESTION)
        await line.until(lambda: talk.heard)
        await line.send(
            LLMFullResponseStartFrame(),
            BotStartedSpeakingFrame(),
            TTSTextFrame("It is noon.", TextType.SENTENCE),
            LLMFullResponseEndFrame(),
            BotStoppedSpeakingFrame(),
        )
        await line.until(lambda: talk.said)
    assert talk.heard == ["What is it?"]
    assert talk.said == [("What is it?", "It is noon.", False)]


async def test_an_interrupted_turn_says_so() -> None:
    talk = Talk()
    async with talk.line as line:
        await line.send(*QUESTION)
        await line.until(lambda: talk.heard)
        await line.send(
            LLMFullResponseStartFrame(),
            BotStartedSpeakingFrame(),
            TTSTextFrame("It is", TextType.SENTENCE),
        )
        await line.until_down(BotStartedSpeakingFrame)
        # Somebody speaks into the answer, and asks something else.
        await line.send(VADUserStartedSpeakingFrame())
        await line.until_down(InterruptionFrame)
        await line.until(lambda: talk.said)
        assert talk.said == [("What is it?", "It is", True)]
        await line.send(transcript("And now?"), VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await line.until(lambda: len(talk.heard) == 2)
        assert talk.turns.turn.said == ""
        assert not talk.turns.turn.interrupted
