"""Where a sentence ends, where a clause ends, and that no word is lost."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import AggregatedTextFrame, LLMFullResponseEndFrame, LLMTextFrame
from pipecat.tests.utils import run_test

from edgebot.config import load_settings
from edgebot.stages.spoken_text import (
    AT_ONCE_S,
    LEAD_S,
    SpokenTextAggregator,
    after_sentences,
    breath_end,
    clause_end,
    create,
    new_aggregator,
    opening_end,
    sentence_end,
)


async def cut(chunks: list[str], *, clauses: bool = True) -> list[str]:
    aggregator = SpokenTextAggregator(clauses=clauses)
    pieces = [piece.text for chunk in chunks async for piece in aggregator.aggregate(chunk)]
    last = await aggregator.flush()
    return [*pieces, *([last.text] if last else [])]


def first_sentence(text: str) -> str | None:
    end = sentence_end(text)
    return text[:end] if end >= 0 else None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("It is noon. Then", "It is noon."),
        ("Really? Yes", "Really?"),
        ("Stop! Now", "Stop!"),
        ("Well… then", "Well…"),
        ("Really?! Yes", "Really?!"),
        ("Wait... then", "Wait..."),
        ("It is noon.\nThen", "It is noon."),
        ("a line\nanother", "a line\n"),
        # White space behind it is what makes it an end.
        ("It is noon.", None),
        ("It is noon", None),
        ("", None),
        (" \n ", None),
        # Decimals, versions, addresses
        ("It is 3.5 metres", None),
        ("See example.com for", None),
        ("It is 3.5 metres. Then", "It is 3.5 metres."),
        # Abbreviations and initials
        ("Ask Dr. Smith. Then", "Ask Dr. Smith."),
        ("Dr. Smith", None),
        ("J. R. R. Tolkien wrote", None),
        ("Bring milk, eggs etc. to", None),
        ("At 5 p.m. we eat", None),
        ("In the U.S. it is", None),
        ("Cats, e.g. lions", None),
        ("(approx. ten)", None),
        # A word that only ends like one
        ("It was the first. Then", "It was the first."),
        ("I know Adr. Then", "I know Adr."),
        # The numbers of a list's items, and numbers at the end
        ("1. Wash it. 2. Dry it. ", "1. Wash it."),
        ("It was 1969. Then", "It was 1969."),
        ("It was 1969. ", None),
        ("It was 1969. then", None),
        ("Then 3. 5", None),
        # What may be an abbreviation is one unless the next sentence begins
        ("No. It is not", "No."),
        ("No. it is not", "No."),
        ("I said no. Then", "I said no."),
        ("No. ", None),
        ("It is No. 5 of", None),
        ("At 5 p.m. Then", "At 5 p.m."),
        ("At 5 p.m. ", None),
        ("Bring milk, eggs etc. Then", "Bring milk, eggs etc."),
        ("(At 5 p.m.) Then", "(At 5 p.m.)"),
        ("In 1969! Then", "In 1969!"),
        # Quotes and brackets belong to the sentence
        ('"It is noon." Then', '"It is noon."'),
        ("“It is noon.” Then", "“It is noon.”"),
        ("(It is noon.) Then", "(It is noon.)"),
        ("He said 'no.' Then", "He said 'no.'"),
        ('"Ask Dr." Then', None),
    ],
)
def test_the_end_of_a_sentence(text: str, sentence: str | None) -> None:
    assert first_sentence(text) == sentence


def test_the_second_sentence_is_found_from_the_first() -> None:
    text = "One is here. Two is there. "
    first = sentence_end(text)
    assert text[first : sentence_end(text, first)] == " Two is there."
    assert sentence_end(text, len(text)) == -1


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("When it rains in Rome, people", "When it rains in Rome,"),
        ("There are three of them; one", "There are three of them;"),
        ("These are the three: one", "These are the three:"),
        ("He came home late — and", "He came home late —"),
        # Too short to have a melody
        ("Yes, it is", None),
        ("Yes, of course, it is", None),
        ("Yes, of course it does, it is", "Yes, of course it does,"),
        # A comma in a number has no white space behind it
        ("There are 1,000,000 people here", None),
        # The end of a sentence comes first
        ("Yes. When it rains, people", "Yes."),
        ("It is big. When it rains in Rome, people", "It is big."),
        ("When it rains in Rome,", None),
    ],
)
def test_the_end_of_a_clause(text: str, clause: str | None) -> None:
    end = clause_end(text)
    assert (text[:end] if end >= 0 else None) == clause


@pytest.mark.parametrize(
    ("text", "count", "kept"),
    [
        ("One is here. Two is there. Three", 2, "One is here. Two is there."),
        ("One is here. Two is there.", 2, "One is here. Two is there."),
        ("One is here.", 1, "One is here."),
        ('"One is here."', 1, '"One is here."'),
        ("One is here.", 2, None),
        ("One is here", 1, None),
        # More may follow what may be an abbreviation, a decimal or an initial.
        ("It is Dr.", 1, None),
        ("It is approx.", 1, None),
        ("It is 3.", 1, None),
        ("Ask J.", 1, None),
        ("It is he.", 1, None),
        ("It is he. ", 1, "It is he."),
        ("Anything", 0, ""),
    ],
)
def test_after_so_many_sentences(text: str, count: int, kept: str | None) -> None:
    end = after_sentences(text, count)
    assert (text[:end] if end >= 0 else None) == kept


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("Ice floats on water because it is light", "Ice floats on water"),
        ("Ice floats on water becaus", None),
        ("Ice floats, because it", None),
        ("Ice floats on water, because it", "Ice floats on water,"),
        ("Ice floats when it is cold and clear. So", "Ice floats when it is cold and clear."),
        ("It is so. When it is hot, ice melts", "It is so."),
        # What is said of something long comes in one breath of its own; a small word leans on its
        # verb, and what is short waits for it.
        ("The largest ocean on Earth is the", "The largest ocean on Earth"),
        ("The largest ocean on Earth is", "The largest ocean on Earth"),
        ("The largest ocean on Earth isn't", None),
        ("The largest ocean on Earth i", None),
        ("The sky is blue on a clear day", None),
        ("The hippopotamuses are big", None),
        ("On a clear day it is blue", None),
        ("In the end I was right", None),
        ("A cat or a dog that is old", None),
        # What is told beside it comes in another breath, behind enough to say.
        ("The moon is a lunar body that orbits", "The moon is a lunar body"),
        ("Plants make their own food from sunlight", "Plants make their own food"),
        ("Plants make their food from sunlight", None),
        # ... and behind much, wherever it can.
        ("One can make bread of flour in a", None),
        (
            "One can make bread out of flour and water in a",
            "One can make bread out of flour and water",
        ),
        ("Most people who were here have gone. So", "Most people who were here"),
        # Longer than anybody waits for, with and without a place to draw breath.
        (
            "The opposite of a heart means the opposite of a heart in the opposite of a cat means",
            "The opposite of a heart means the opposite of a heart",
        ),
        (
            "One two three four five six seven eight nine ten eleven twelve thirteen fourteen",
            "One two three four five six seven eight nine ten eleven twelve",
        ),
        ("a" * 80, None),
        ("a" * 80 + ". B", "a" * 80 + "."),
    ],
)
def test_how_an_answer_begins(text: str, opening: str | None) -> None:
    end = opening_end(text)
    assert (text[:end] if end >= 0 else None) == opening


async def test_only_the_beginning_is_cut_short() -> None:
    answer = "Ice floats on water because it is light but not because it is warm. "
    assert await cut([answer, answer]) == [
        "Ice floats on water",
        "because it is light but not because it is warm.",
        answer.strip(),
    ]
    assert await cut([answer], clauses=False) == [answer.strip()]


async def test_each_answer_has_a_beginning() -> None:
    aggregator = SpokenTextAggregator()
    for end in (aggregator.flush, aggregator.reset, aggregator.handle_interruption):
        pieces = [piece.text async for piece in aggregator.aggregate("Ice floats on water if it ")]
        assert pieces == ["Ice floats on water"]
        await end()


async def test_clauses_come_as_soon_as_they_are_complete() -> None:
    aggregator = SpokenTextAggregator()
    # The first one without a doubt, and the others when the next word has come.
    assert [p.text async for p in aggregator.aggregate("It rains in Rome,")] == [
        "It rains in Rome,"
    ]
    assert [p async for p in aggregator.aggregate(" and when it rains,")] == []
    assert [p.text async for p in aggregator.aggregate(" people")] == ["and when it rains,"]
    assert aggregator.text.text == "people"


@pytest.mark.parametrize("opening", ["It is 3.", "It is 1,", "So,", "Ask Dr.", "It is he."])
async def test_an_opening_in_doubt_waits_for_the_next_word(opening: str) -> None:
    assert [p async for p in SpokenTextAggregator().aggregate(opening)] == []


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("It is a sweet liquid that bees eat in", "It is a sweet liquid that bees eat"),
        ("It is a sweet liquid that bees", "It is a sweet liquid"),
        ("It is a sweet sticky liquid", None),
        ("It is or was", None),
        ("", None),
    ],
)
def test_where_a_clause_may_be_cut_if_it_must_be(text: str, piece: str | None) -> None:
    end = breath_end(text)
    assert (text[:end] if end >= 0 else None) == piece


class SlowAnswer:
    """An answer that is written word by word, at a time of its own."""

    def __init__(self, *, clauses: bool = True, speed: float = 1.0) -> None:
        self.now_s = 100.0
        self.aggregator = SpokenTextAggregator(
            clauses=clauses, speed=speed, clock=lambda: self.now_s
        )

    async def write(self, text: str, after_s: float = 0.0) -> list[str]:
        self.now_s += after_s
        return [piece.text async for piece in self.aggregator.aggregate(text)]


# 20 characters: at least a second of sound.
OPENING = "Bees make us honey. "
REST = "It is a sweet liquid that bees eat "


async def test_a_clause_is_cut_when_the_voice_soon_has_nothing_to_speak() -> None:
    answer = SlowAnswer()
    assert await answer.write(OPENING) == [OPENING.strip()]
    almost_s = 0.95 - LEAD_S - 0.01
    assert await answer.write(REST, almost_s) == []
    assert await answer.write("in ", 0.02) == ["It is a sweet liquid that bees eat"]
    # What was cut off sounds for a while, too, behind what sounds still.
    assert await answer.write("the cold winter ", 1.0) == []
    assert await answer.write("in Rome", 1.7) == ["in the cold winter"]


async def test_a_fast_voice_has_nothing_to_speak_sooner() -> None:
    for speed, pieces in ((1.0, []), (2.0, ["It is a sweet liquid that bees eat"])):
        answer = SlowAnswer(speed=speed)
        await answer.write(OPENING)
        assert await answer.write(REST + "in ", 0.3) == pieces


async def test_what_was_written_ahead_comes_whole() -> None:
    answer = SlowAnswer()
    assert await answer.write("Yes. It is") == ["Yes."]
    # Its sound is short, but so much may come at once.
    assert await answer.write(" a sweet liquid that", AT_ONCE_S / 2) == []
    assert await answer.write(" bees eat in the", AT_ONCE_S) == [
        "It is a sweet liquid that bees eat"
    ]


async def test_whole_sentences_are_waited_for_all_the_same() -> None:
    answer = SlowAnswer(clauses=False)
    await answer.write(OPENING)
    assert await answer.write(REST + "in ", 9.0) == []


async def test_the_next_answer_has_nothing_ahead_of_it() -> None:
    answer = SlowAnswer()
    await answer.write("It is so. " * 20)
    await answer.aggregator.handle_interruption()
    await answer.write(OPENING, 1.0)
    assert await answer.write(REST + "in ", 1.0) == ["It is a sweet liquid that bees eat"]


def test_the_settings_say_how_fast_the_voice_is() -> None:
    assert new_aggregator(load_settings(flags=["tts.speed=2.0"]))._characters_per_s == (
        2 * new_aggregator(load_settings())._characters_per_s
    )


async def test_sentences_pass_commas() -> None:
    text = "When it rains in Rome, people run. They are wet."
    assert await cut([text], clauses=False) == [
        "When it rains in Rome, people run.",
        "They are wet.",
    ]


async def test_an_interruption_and_a_reset_forget_what_waits() -> None:
    aggregator = SpokenTextAggregator()
    for forget in (aggregator.handle_interruption, aggregator.reset):
        assert [p async for p in aggregator.aggregate("Half a ")] == []
        await forget()
        assert await aggregator.flush() is None


async def test_nothing_and_white_space_are_no_piece() -> None:
    assert await cut(["", " \n\n  ", "\n"]) == []


TEXTS = st.lists(
    st.sampled_from(
        [
            "Rome",
            "it",
            "rains",
            "Dr.",
            "3.5",
            "1.",
            "end.",
            "end?",
            "so,",
            "so;",
            '"end."',
            "\n",
            "—",
            "end!)",
            "p.m.",
            "…",
            "J.",
            "1,000",
            "ok…",
            "“no”",
            "\t",
            "the first:",
        ]
    ),
    max_size=30,
).map(" ".join) | st.text(st.sampled_from("ab .,!?;:\n'\")…—1D"), max_size=40)


def chunks_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


@given(TEXTS, st.lists(st.integers(0, 1000), max_size=12), st.booleans())
def test_every_word_comes_out_in_its_order(text: str, cuts: list[int], clauses: bool) -> None:
    pieces = asyncio.run(cut(chunks_of(text, cuts), clauses=clauses))
    # What an opening is sure to end with may have a bracket or another mark behind it.
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece == piece.strip() != "" for piece in pieces)


@given(TEXTS, st.lists(st.integers(0, 1000), max_size=12), st.booleans())
def test_behind_the_opening_no_piece_depends_on_the_chunks(
    text: str, cuts: list[int], clauses: bool
) -> None:
    opening = "It is so. And "
    whole = asyncio.run(cut([opening + text], clauses=clauses))
    assert asyncio.run(cut([opening, *chunks_of(text, cuts)], clauses=clauses)) == whole
    assert asyncio.run(cut([opening, *text], clauses=clauses)) == whole


@given(TEXTS, st.integers(1, 4))
def test_after_sentences_agrees_with_the_sentences(text: str, count: int) -> None:
    end = after_sentences(text, count)
    sentences = asyncio.run(cut([text], clauses=False))
    if end >= 0:
        assert text[:end].split() == " ".join(sentences[:count]).split()


@pytest.mark.parametrize(
    ("speak_by", "pieces"),
    [
        ("clause", ["When it rains in Rome,", "people run."]),
        ("sentence", ["When it rains in Rome, people run."]),
    ],
)
async def test_the_stage_hands_on_what_the_settings_ask_for(
    speak_by: str, pieces: list[str]
) -> None:
    stage = create(load_settings(flags=[f"tts.speak_by={speak_by}"], environment={}))
    chunks = ["When it rains ", "in Rome, ", "people", " run."]
    down, _ = await run_test(
        stage, frames_to_send=[*map(LLMTextFrame, chunks), LLMFullResponseEndFrame()]
    )
    assert [f.text for f in down if isinstance(f, AggregatedTextFrame)] == pieces
