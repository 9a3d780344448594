"""What a conversation begins with, and what ends a turn."""

from __future__ import annotations

import pytest
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy

from edgebot.config import Settings, load_settings
from edgebot.stages.context import create, end_of_turn, new_context
from edgebot.stages.end_of_turn import EagerTurnStop
from edgebot.stages.turns import MutedWhileSpeaking


def settings_of(*flags: str) -> Settings:
    return load_settings(flags=flags, environment={})


def test_the_examples_open_the_conversation() -> None:
    settings = settings_of(
        "assistant.name=Ada",
        "assistant.examples=[{ user = 'Who are you, {name}?', assistant = 'I am {name}.' }]",
    )
    assert new_context(settings).messages == [
        {"role": "user", "content": "Who are you, Ada?"},
        {"role": "assistant", "content": "I am Ada."},
    ]


def test_every_default_example_is_a_question_and_an_answer() -> None:
    messages = new_context(settings_of()).messages
    assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2)
    assert not any("{" in str(message).replace("{'", "") for message in messages)


def test_two_conversations_do_not_share_what_they_remember() -> None:
    settings = settings_of()
    first = new_context(settings)
    first.add_message({"role": "user", "content": "secret"})
    assert len(new_context(settings).messages) == len(first.messages) - 1


def test_the_voice_detector_is_set_as_the_settings_say() -> None:
    settings = settings_of(
        "turn.start_s=0.1", "turn.stop_s=0.3", "turn.confidence=0.6", "turn.min_volume=0.2"
    )
    user, _ = create(settings, new_context(settings))
    params = user._params.vad_analyzer.params
    assert (params.start_secs, params.stop_secs) == (0.1, 0.3)
    assert (params.confidence, params.min_volume) == (0.6, 0.2)


@pytest.mark.parametrize(("interrupt", "muted"), [("true", []), ("false", [MutedWhileSpeaking])])
def test_speaking_into_an_answer_may_be_ignored(interrupt: str, muted: list[type]) -> None:
    settings = settings_of(f"turn.interrupt={interrupt}")
    user, _ = create(settings, new_context(settings))
    assert [type(strategy) for strategy in user._params.user_mute_strategies] == muted


def test_silence_ends_a_turn_after_the_hold() -> None:
    strategy = end_of_turn(settings_of("turn.end=pause", "turn.hold_s=0.7", "turn.start_s=0.4"))
    assert isinstance(strategy, EagerTurnStop)
    assert strategy._hold_s("Turn on the light.") == 0.7
    assert strategy._sure_s > 0.4


@pytest.mark.parametrize(
    ("end", "is_fast", "hears"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("melody", False, True),
        ("pause", True, False),
    ],
)
def test_the_melody_is_heard_where_the_processor_affords_it(
    end: str, is_fast: bool, hears: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgebot.stages.context.computes_fast", lambda: is_fast)
    strategy = end_of_turn(settings_of(f"turn.end={end}"))
    assert isinstance(strategy, EagerTurnStop)
    assert (strategy._melody is not None) is hears


def test_a_small_model_may_judge_the_silence() -> None:
    strategy = end_of_turn(settings_of("turn.end=smart"))
    assert isinstance(strategy, TurnAnalyzerUserTurnStopStrategy)
