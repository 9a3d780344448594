"""What needs no language model, as people say it: a table for each language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """The words of one language.

    Attributes:
        stop: Be silent, and listen.
        sleep: Be silent, and do not listen.
        fillers: What may stand before or behind, and says nothing.
        set_timer: What a wish for a timer contains, with its length as "length".
        cancel_timer: What the wish to cancel one contains, perhaps with its length.
        time_left: What a question for the rest of it contains.
        units: Seconds of each unit, and its name with one and with more.
        articles: Words that stand for one.
        half: "Half" of a unit.
        joined: "And", between units.
        questions: What a question begins with, if it is no wish in disguise ("can I have").
        openings: What may stand before a question, or before what one wants to be told, as words.
        unfinished: What nobody ends with.
        dangling: What nobody ends with but in a question ("how many legs does it have").
        said: What is answered, by occasion.
    """

    stop: frozenset[str]
    sleep: frozenset[str]
    fillers: frozenset[str]
    set_timer: tuple[re.Pattern[str], ...]
    cancel_timer: tuple[re.Pattern[str], ...]
    time_left: tuple[re.Pattern[str], ...]
    units: Mapping[str, int]
    unit_names: Mapping[int, tuple[str, str]]
    articles: frozenset[str]
    half: frozenset[str]
    quarter: frozenset[str]
    joined: frozenset[str]
    questions: frozenset[str]
    openings: tuple[tuple[str, ...], ...]
    unfinished: frozenset[str]
    dangling: frozenset[str]
    said: Mapping[str, str]


def _patterns(*texts: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text) for text in texts)


def _joined(*phrases: str) -> frozenset[str]:
    """Return phrases without spaces: a recognizer writes "nevermind" or "never mind"."""
    return frozenset(phrase.replace(" ", "") for phrase in phrases)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = Phrases(
    stop=_joined(
        "stop",
        "stop it",
        "stop that",
        "stop talking",
        "stop speaking",
        "be quiet",
        "quiet",
        "be silent",
        "silence",
        "shut up",
        "hush",
        "enough",
        "that is enough",
        "thats enough",
    ),
    sleep=_joined(
        "never mind",
        "nevermind",
        "forget it",
        "forget about it",
        "cancel",
        "cancel that",
        "cancel it",
        "go to sleep",
        "go back to sleep",
        "sleep now",
        "stop listening",
    ),
    fillers=frozenset(
        {"please", "hey", "oh", "ok", "okay", "no", "now", "just", "um", "uh", "and"}
    ),
    set_timer=_patterns(
        r"\b(?:set|start|make|create|put|begin|give me|need|want)\b"
        r".*\btimer (?:for|of|to) (?P<length>.+)",
        r"^timer (?:for |of )?(?P<length>.+)",
        r"^(?:(?:set|start|make|create|begin|give me|i need|i want) )?(?P<length>.+) timer$",
    ),
    cancel_timer=_patterns(
        r"\b(?:cancel|stop|delete|remove|end|clear)\b "
        r"(?:the |my |all |a |an |that )*(?P<length>.*?)\s*\btimers?\b"
    ),
    time_left=_patterns(
        r"\bhow (?:much time|much longer|much|long) (?:is |do i have )?(?:left|remaining|to go)",
        r"\bhow (?:much|long)\b.*\b(?:left|remaining)\b.*\btimers?\b",
        r"\btimers?\b.*\b(?:left|remaining)\b",
        r"\btime (?:left|remaining) on\b.*\btimers?\b",
    ),
    units={
        "second": 1,
        "seconds": 1,
        "sec": 1,
        "minute": 60,
        "minutes": 60,
        "min": 60,
        "hour": 3600,
        "hours": 3600,
    },
    unit_names={3600: ("hour", "hours"), 60: ("minute", "minutes"), 1: ("second", "seconds")},
    articles=frozenset({"a", "an"}),
    half=frozenset({"half"}),
    quarter=frozenset({"quarter", "quarters"}),
    joined=frozenset({"and", "of"}),
    questions=_words(
        "what whats who whos whose whom when whens where wheres why which how hows is are was were "
        "do does did has have"
    ),
    openings=tuple(
        tuple(text.split())
        for text in (
            "tell me",
            "can you tell me",
            "could you tell me",
            "would you tell me",
            "do you know",
            "can you say",
            "i want to know",
            "explain",
            "can you explain",
            "could you explain",
            "describe",
            "can you describe",
        )
    ),
    unfinished=_words(
        "a an the and or but nor so if then than because that this these those with without of to "
        "for from in on at by into onto about as my your his her its our their some any every each "
        "no very more most i we they he she is are am was were"
    ),
    dangling=_words(
        "be been do does did have has had can could may might will would shall should must like me "
        "let lets give get make want need bring tell show play put turn um uh er hmm well"
    ),
    said={
        "and": "and",
        "set": "The timer is set for {length}.",
        "cancelled": "The timer is cancelled.",
        "all cancelled": "All {count} timers are cancelled.",
        "none": "There is no timer.",
        "none such": "There is no timer for {length}.",
        "left": "{length} left.",
        "left of": "{length} left of the timer for {whole}.",
        "too long": "A timer can run for a day at most.",
    },
)

LANGUAGES: Mapping[str, Phrases] = {"en": ENGLISH}


def plain(text: str) -> list[str]:
    """Return the words of a text: lower case, no punctuation."""
    return re.findall(r"[^\W_]+", re.sub(r"['\u2019]", "", text.lower()))


def without_names(words: list[str], names: Iterable[str]) -> list[str]:
    """Drop a name from the beginning, as in "hey Jarvis, stop"."""
    for name in names:
        called = plain(name)
        if words[: len(called)] == called:
            return words[len(called) :]
    return words


def bare(words: list[str], phrases: Phrases) -> str:
    """Return what is left without fillers and repetitions, without spaces."""
    while words and words[0] in phrases.fillers:
        words = words[1:]
    while words and words[-1] in phrases.fillers:
        words = words[:-1]
    # "Stop, stop, stop!"
    return words[0] if words and set(words) == {words[0]} else "".join(words)
