"""How long a silence must be, by what was said before it."""

from __future__ import annotations

import pytest

from edgebot.config import load_settings
from edgebot.stages.hold import LIKELY, LIKELY_QUESTION, Hold, create
from edgebot.stages.phrases import ENGLISH

USUAL_S, QUESTION_S, UNFINISHED_S = 0.5, 0.1, 0.9
HOLD = Hold(USUAL_S, QUESTION_S, UNFINISHED_S, ENGLISH, names=["hey Jarvis"])


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "what is the capital of france",
        "How many legs does a spider have?",
        "Hey Jarvis, who wrote Romeo and Juliet?",
        "Um, what time is it",
        "Is it raining?",
        "Can you tell me how many legs it has?",
        "Please tell me how bread is made.",
        "Tell me a story, please.",
        "Can you tell me a story?",
        "Explain black holes.",
        "Do you know the capital of France?",
        "Stop.",
        "Hey Jarvis, go to sleep.",
    ],
)
def test_a_question_and_a_command_are_over_with_their_last_word(text: str) -> None:
    assert HOLD.after(text) == QUESTION_S


@pytest.mark.parametrize(
    "text",
    [
        "I want a mocha with",
        "I want a mocha with.",
        "Could I have a",
        "I want an iced mocha,",
        "Tell me about the",
        "Give me",
        "The sky…",
        "What about",
    ],
)
def test_what_breaks_off_goes_on(text: str) -> None:
    assert HOLD.after(text) == UNFINISHED_S


@pytest.mark.parametrize(
    "text",
    [
        "I want a mocha.",
        "Can I have a coffee?",
        "Please tell me something.",
        "Tell me what else.",
        "Where are you from?",
        "What is the weather in",
        "What's",
        "",
        "hey Jarvis",
    ],
)
def test_anything_else_is_held_the_usual_time(text: str) -> None:
    assert HOLD.after(text) == USUAL_S


def test_a_comma_behind_a_whole_question_is_held_half_the_usual_time() -> None:
    assert HOLD.after("Who wrote Romeo and Juliet,") == USUAL_S / 2
    assert HOLD.after("Who wrote the,") == USUAL_S
    assert HOLD.after("Who wrote Romeo and Juliet...") == USUAL_S
    assert Hold(0.1, 0.1, 0.1, ENGLISH).after("Who wrote Romeo and Juliet,") == 0.1


def test_where_words_leave_it_open_the_melody_tells() -> None:
    for text in ("I want a mocha.", "Turn on the light.", ""):
        assert HOLD.after(text, LIKELY) == USUAL_S
        assert HOLD.after(text, LIKELY - 0.01) == UNFINISHED_S
    for text in ("Who wrote Romeo and Juliet,", "Hey Jarvis, who wrote Romeo and Juliet,"):
        assert HOLD.after(text, LIKELY_QUESTION) == QUESTION_S
        assert HOLD.after(text, LIKELY_QUESTION - 0.01) == USUAL_S


@pytest.mark.parametrize("completeness", [1.0, 0.0])
def test_where_words_tell_the_melody_does_not_count(completeness: float) -> None:
    for text in ("Is it raining?", "Stop.", "I want a mocha with", "Give me"):
        assert HOLD.after(text, completeness) == HOLD.after(text)


def test_a_language_without_words_holds_the_usual_time() -> None:
    settings = load_settings(flags=["language=ko", "turn.hold_s=0.7"], environment={})
    assert create(settings).after("what is the time") == 0.7


def test_the_settings_never_hold_a_question_longer_than_the_rest() -> None:
    flags = ["turn.hold_s=0.3", "turn.hold_question_s=0.8", "turn.hold_unfinished_s=0.2"]
    hold = create(load_settings(flags=flags, environment={}), ["computer"])
    assert (hold.usual_s, hold.question_s, hold.unfinished_s) == (0.3, 0.3, 0.3)
    assert hold.names == ["computer"]
