"""What an answer is expected to repeat; a token is the index of a word here."""

from __future__ import annotations

from edgebot.engines.prompt_lookup import MOST_FAILURES, PromptLookup

WORDS: list[str] = []


def token(word: str) -> int:
    if word not in WORDS:
        WORDS.append(word)
    return WORDS.index(word)


def tokens(text: str) -> list[int]:
    """Return a text's tokens; all but the first word have their space with them."""
    first, *others = text.replace("?", " ?").split()
    return [token(first), *(token(word if word == "?" else f" {word}") for word in others)]


def lookup(question: str) -> PromptLookup:
    return PromptLookup(tokens(question), lambda index: WORDS[index])


def text(drafted: list[int]) -> str:
    return "".join(WORDS[index] for index in drafted)


def test_a_question_is_repeated_from_its_first_word_on() -> None:
    found = lookup("What is the largest ocean on Earth ?")
    assert text(found.draft(token("The"))) == " largest ocean on"


def test_what_came_true_makes_the_next_draft_longer() -> None:
    found = lookup("What is the name of the largest ocean in the whole wide world ?")
    found.draft(token("The"))
    found.judge(3, 3)
    assert text(found.draft(token(" largest"))) == " ocean in the whole wide world"
    found.judge(6, 2)
    assert text(found.draft(token(" whole"))) == " wide world"


def test_a_question_mark_is_not_repeated() -> None:
    found = lookup("Is the sky blue?")
    assert text(found.draft(token("The"))) == " sky blue"
    assert found.draft(token(" blue")) == []


def test_what_was_passed_is_not_repeated_again() -> None:
    found = lookup("What is the capital of France ?")
    found.draft(token("The"))
    found.judge(3, 3)
    assert found.draft(token(" is")) == []
    assert found.draft(token(" capital")) == []


def test_a_short_word_needs_the_one_before_it() -> None:
    question = "What should I wear when it is raining outside ?"
    first = lookup(question)
    first.draft(token("You"))
    assert first.draft(token(" is")) == []
    second = lookup(question)
    second.draft(token("Once"))
    second.draft(token(" it"))
    assert text(second.draft(token(" is"))) == " raining outside"


def test_a_short_word_behind_what_came_true_has_one_before_it() -> None:
    found = lookup("Who is the king of the hill of all hills ?")
    assert text(found.draft(token("The"))) == " king of the"
    found.judge(3, 1)
    assert text(found.draft(token(" of"))) == " the hill of"


def test_whoever_answers_in_other_words_is_left_to_it() -> None:
    found = lookup("Why would people ever enjoy eating paper ?")
    for word in (" would", " people")[:MOST_FAILURES]:
        drafted = found.draft(token(word))
        assert drafted
        found.judge(len(drafted), 0)
    assert found.draft(token(" enjoy")) == []


def test_nothing_to_repeat() -> None:
    assert lookup("?").draft(token("The")) == []
    assert PromptLookup([], lambda index: WORDS[index]).draft(token("The")) == []
