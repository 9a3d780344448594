"""What is a command, however a recognizer writes it."""

from __future__ import annotations

import pytest

from edgebot.stages.phrases import ENGLISH, bare, plain, without_names


def wish(text: str) -> str:
    return bare(without_names(plain(text), ["hey Jarvis"]), ENGLISH)


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "Stop.",
        "Stop!",
        "hey stop please",
        "Stop, stop, stop!",
        "Okay, stop it now.",
        "Hey Jarvis, stop.",
        "be quiet",
        "Please be quiet.",
        "That's enough.",
        "THAT\u2019S ENOUGH",
    ],
)
def test_a_wish_for_silence(text: str) -> None:
    assert wish(text) in ENGLISH.stop


@pytest.mark.parametrize(
    "text",
    [
        "never mind",
        "Nevermind.",
        "oh never mind",
        "Cancel.",
        "cancel that please",
        "Go to sleep.",
        "go to sleep now",
        "Forget it.",
    ],
)
def test_a_wish_for_sleep(text: str) -> None:
    assert wish(text) in ENGLISH.sleep


@pytest.mark.parametrize(
    "text",
    [
        "When does the bus stop?",
        "Where is the bus stop?",
        "How do I stop the bleeding?",
        "Why do we sleep?",
        "Do whales go to sleep?",
        "How do I cancel a contract?",
        "Is the library quiet?",
        "stop sign",
    ],
)
def test_a_sentence_with_the_word_is_a_question(text: str) -> None:
    assert wish(text) not in ENGLISH.stop | ENGLISH.sleep


def test_its_name_alone_is_nothing() -> None:
    assert wish("Hey, Jarvis!") == ""


def test_only_a_name_at_the_beginning_is_dropped() -> None:
    assert without_names(plain("who is hey jarvis"), ["hey Jarvis"]) == plain("who is hey jarvis")
