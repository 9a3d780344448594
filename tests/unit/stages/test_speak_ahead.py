"""The first clause of an answer is handed to the voice before the turn has ended."""

from __future__ import annotations

from pipecat.processors.filters.identity_filter import IdentityFilter

from edgebot.config import load_settings
from edgebot.stages.speak_ahead import FirstClause, Listener, connect
from edgebot.stages.spoken_text import SpokenTextAggregator


class Voice(IdentityFilter):
    """Keeps what it is to speak ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: list[str] = []

    async def speak_ahead(self, text: str) -> None:
        self.ahead.append(text)


class Writer(IdentityFilter):
    """Tells what it writes."""

    listener: Listener | None = None

    def tell(self, listener: Listener) -> None:
        self.listener = listener


async def written(*pieces: str) -> list[str]:
    voice = Voice()
    listener = FirstClause(voice, SpokenTextAggregator())
    await listener.begin()
    for piece in pieces:
        await listener.write(piece)
    await listener.end()
    return voice.ahead


async def test_only_the_first_clause_is_spoken_ahead() -> None:
    assert await written("Once upon ", "a time, there was", " a king. He", " slept.") == [
        "Once upon a time,"
    ]


async def test_an_answer_of_one_clause_is_spoken_when_it_is_whole() -> None:
    assert await written("Par", "is.") == ["Paris."]
    assert await written() == []


async def ahead_of(*pieces: str, clauses: bool = True) -> list[str]:
    """Return what is spoken while the answer may still go on."""
    voice = Voice()
    listener = FirstClause(voice, SpokenTextAggregator(clauses=clauses))
    await listener.begin()
    for piece in pieces:
        await listener.write(piece)
    return voice.ahead


async def test_what_is_surely_whole_does_not_wait_for_the_next_word() -> None:
    assert await ahead_of("It is", " Paris", ".") == ["It is Paris."]
    assert await ahead_of("Once upon a time", ",", " there") == ["Once upon a time,"]
    assert await ahead_of("Once upon a time", ",", " there", clauses=False) == []


async def test_what_may_go_on_waits() -> None:
    for text in ("It is 3.", "Ask Dr.", "Ask Prof.", "In 1,", "Yes,", "It is"):
        assert await ahead_of(text) == []


async def test_a_new_answer_has_a_first_clause_of_its_own() -> None:
    voice = Voice()
    listener = FirstClause(voice, SpokenTextAggregator())
    for answer in ("It is wi", "It is five. Or six."):
        await listener.begin()
        await listener.write(answer)
    await listener.end()
    assert voice.ahead == ["It is five."]


async def test_both_must_be_able_to() -> None:
    settings, writer = load_settings(environment={}), Writer()
    connect(settings, writer, IdentityFilter())
    connect(settings, IdentityFilter(), Voice())
    assert writer.listener is None
    voice = Voice()
    connect(settings, writer, voice)
    assert writer.listener is not None
    await writer.listener.begin()
    await writer.listener.write("It is five, I think, or six.")
    await writer.listener.end()
    assert voice.ahead == ["It is five, I think,"]
