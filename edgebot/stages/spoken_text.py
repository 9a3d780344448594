"""Cuts what the language model writes into pieces that can be spoken."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable

from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor
from pipecat.utils.text.base_text_aggregator import Aggregation, BaseTextAggregator, TextType

from edgebot.config import Settings

# A shorter clause alone has no melody of its own.
MIN_CLAUSE_CHARACTERS = 16
# Nobody waits for the end of a longer one to hear how an answer begins.
LONGEST_OPENING_CHARACTERS = 72

_SENTENCE_END = re.compile(r"""(?:[.!?…]+[\"'”\u2019)\]]*(?=\s)|\n)""")
_CLAUSE_END = re.compile(r"[,;:—](?=\s)")


def _before(words: str) -> str:
    """Return the pattern of the white space before one of some words.

    What has come may end with the word: a language model writes whole ones, and should it go on
    ("is" + "n't"), breath is drawn before it all the same.
    """
    return rf"\s(?=(?:{words})(?:\s|$))"


# Where one draws breath without a comma ...
_JOINT = re.compile(
    _before("because|but|although|though|while|whereas|unless|until|when|if|since|which")
)
# ... between what is long and what is said of it, unless a small word leans on the verb ...
_PREDICATE = re.compile(
    r"(?<! I)(?<! he| it| we)(?<! she| who| you)(?<! that| they| this| what)"
    r"(?<! there| these| those| which)" + _before("is|are|was|were|has|have|had|can|will"),
    re.IGNORECASE,
)
MIN_SUBJECT_WORDS = 4
# ... before what is told beside it, behind enough to say ...
_ADDITION = re.compile(_before("that|who|whose|where|from|with|through|by|into"))
MIN_WORDS_BEFORE = 5
# ... and where one may, behind much or if it must be.
_LOOSE_JOINT = re.compile(
    _before(
        "and|or|that|where|who|with|for|from|in|on|at|to|as|into|through|about|between|during|like"
    )
)
MUCH_WORDS = 8
# How many words each wants before it.
BREATHS = (
    (_JOINT, 1),
    (_PREDICATE, MIN_SUBJECT_WORDS),
    (_ADDITION, MIN_WORDS_BEFORE),
    (_LOOSE_JOINT, MUCH_WORDS),
)
# No voice says more in a second, at its own speed: its sound lasts as long as this, or longer.
_CHARACTERS_PER_S = 20.0
# With less of it ahead the next piece can no longer wait for its end ...
LEAD_S = 0.4
# ... but for what comes in one go, because it was written while the turn might still go on.
AT_ONCE_S = 0.15
# These end nothing, whatever comes next ...
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|vs|approx|e\.g|i\.e|U\.S|U\.K)\.$"
)
# ... these a sentence, where the next one begins, and the number of a list's item does not ...
_PERHAPS = re.compile(r"(?:^|[\s(])(?:etc|Jr|Sr|a\.m|p\.m|[^\s(]*\d)\.$")
_ITEM = re.compile(r"\s*\d+\.$")
# ... and this one, where no number follows.
_NUMBER_SIGN = re.compile(r"(?:^|[\s(])[Nn]o\.$")
# At the end of all text there is no lookahead: these are ends without a doubt.
_CERTAIN_END = re.compile(r"""[A-Za-z]{3,}[.!?…]+[\"'”\u2019)\]]*$""")
_CERTAIN_CLAUSE_END = re.compile(r"[A-Za-z]{3,}[,;:]$")


def sentence_end(text: str, start: int = 0) -> int:
    """Return the index just past the first sentence of `text[start:]`, or -1 if none has ended.

    A full stop needs white space behind it, so decimals pass; abbreviations, initials and the
    number of a list's item end nothing. Where it depends on what comes next, that is waited for.
    """
    for match in _SENTENCE_END.finditer(text, start):
        sentence = text[start : match.end()]
        if not sentence.strip():
            continue
        if match.group()[0] != "." or _ends(sentence, text[match.end() :].lstrip()[:1]):
            return match.end()
    return -1


def _ends(sentence: str, next_one: str) -> bool:
    """Tell whether a sentence that ends with a full stop is over, by the next character if any."""
    bare = sentence.rstrip("\"'”\u2019)]")
    if _ABBREVIATION.search(bare) or _ITEM.fullmatch(bare):
        return False
    if _NUMBER_SIGN.search(bare):
        return bool(next_one) and not next_one.isdigit()
    if _PERHAPS.search(bare):
        return bool(next_one) and not (next_one.isdigit() or next_one.islower())
    return True


def clause_end(text: str) -> int:
    """Return the index just past the first speakable clause of `text`, or -1 if none has ended."""
    end = sentence_end(text)
    for match in _CLAUSE_END.finditer(text, 0, end if end >= 0 else len(text)):
        if len(text[: match.end()].strip()) >= MIN_CLAUSE_CHARACTERS:
            return match.end()
    return end


def opening_end(text: str) -> int:
    """Return the index just past what an answer can begin with, or -1 if it must go on.

    Somebody waits for it, so a clause may be cut off where one would draw breath.
    """
    seen = text[:LONGEST_OPENING_CHARACTERS]
    end = clause_end(seen)
    if ends := _breaths(seen, end if end >= 0 else len(seen)):
        return min(ends)
    if end >= 0 or len(seen) < LONGEST_OPENING_CHARACTERS:
        return end
    joints = [match.start() for match in _LOOSE_JOINT.finditer(seen, MIN_CLAUSE_CHARACTERS)]
    end = joints[-1] if joints else seen.rstrip().rfind(" ")
    return end if end > 0 else clause_end(text)


def breath_end(text: str) -> int:
    """Return the index of the last place where one would draw breath if it must be, or -1."""
    return max(_breaths(text, len(text), much_words=MIN_SUBJECT_WORDS), default=-1)


def _breaths(text: str, end: int, *, much_words: int = MUCH_WORDS) -> list[int]:
    """Return where one would draw breath before an end.

    Args:
        text: What is to be spoken next.
        end: So far it is looked at.
        much_words: So many are enough where much is wanted before it.
    """
    return [
        match.start()
        for joint, words in BREATHS
        for match in joint.finditer(text, 0, end)
        if len(text[: match.start()].split()) >= min(words, much_words)
        and len(text[: match.start()].strip()) >= MIN_CLAUSE_CHARACTERS
    ]


def is_sure_sentence(text: str) -> bool:
    """Tell whether a text ends with a sentence, whatever comes next."""
    return bool(_CERTAIN_END.search(text)) and _ends(text, "")


def is_sure_clause(text: str) -> bool:
    """Tell whether a text ends with a speakable clause, whatever comes next."""
    is_long = len(text.strip()) >= MIN_CLAUSE_CHARACTERS
    return is_sure_sentence(text) or (is_long and bool(_CERTAIN_CLAUSE_END.search(text)))


def after_sentences(text: str, count: int) -> int:
    """Return the index just past the first `count` sentences, or -1 if fewer have ended.

    The last one may end with the text itself.
    """
    end = 0
    for number in range(1, count + 1):
        next_end = sentence_end(text, end)
        if next_end < 0:
            tail = text[end:].rstrip()
            return end + len(tail) if number == count and is_sure_sentence(tail) else -1
        end = next_end
    return end


class SpokenTextAggregator(BaseTextAggregator):
    """Yields clauses or sentences as soon as they are complete; the first clause sooner.

    A clause that is still being written when what came before it has nearly sounded is cut where
    one would draw breath: a language model on a small computer may write no faster than one speaks,
    and the voice would stand still until the end of the sentence.
    """

    def __init__(
        self,
        *,
        clauses: bool = True,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Choose the size of the pieces.

        Args:
            clauses: Cut at commas and the like too, not only at the ends of sentences.
            speed: Of the voice; 1.0 is its own.
            clock: Tells seconds.
        """
        super().__init__(aggregation_type=TextType.SENTENCE)
        self._end = clause_end if clauses else sentence_end
        self._opening_end = opening_end if clauses else sentence_end
        self._is_sure = is_sure_clause if clauses else is_sure_sentence
        self._breath_end = breath_end if clauses else sentence_end
        self._characters_per_s = _CHARACTERS_PER_S * speed
        self._clock = clock
        self._forget()

    def _forget(self) -> None:
        self._text = ""
        self._has_begun = False
        # When the last piece was yielded, and until when at least it will sound.
        self._yielded_s = self._sounds_until_s = 0.0

    @property
    def text(self) -> Aggregation:
        """What waits for its end."""
        return Aggregation(text=self._text.strip(), type=TextType.SENTENCE)

    async def aggregate(self, text: str) -> AsyncIterator[Aggregation]:
        """Add text and yield every piece that it completes."""
        self._text += text
        while (end := self._piece_end()) >= 0:
            piece, self._text = self._text[:end].strip(), self._text[end:]
            if piece:
                self._has_begun = True
                self._yielded_s = self._clock()
                self._sounds_until_s = max(self._yielded_s, self._sounds_until_s)
                self._sounds_until_s += len(piece) / self._characters_per_s
                yield Aggregation(text=piece, type=TextType.SENTENCE)

    def _piece_end(self) -> int:
        if self._has_begun:
            end = self._end(self._text)
            return self._breath_end(self._text) if end < 0 and self._is_awaited else end
        end = self._opening_end(self._text)
        # Somebody waits for it: what comes next is not needed where it changes nothing.
        return len(self._text) if end < 0 and self._is_sure(self._text) else end

    @property
    def _is_awaited(self) -> bool:
        """Whether the voice soon has nothing to speak."""
        due_s = max(self._sounds_until_s - LEAD_S, self._yielded_s + AT_ONCE_S)
        return self._clock() >= due_s

    async def flush(self) -> Aggregation | None:
        """Return what is left."""
        left = self._text.strip()
        self._forget()
        return Aggregation(text=left, type=TextType.SENTENCE) if left else None

    async def handle_interruption(self) -> None:
        """Forget what waits."""
        self._forget()

    async def reset(self) -> None:
        """Forget what waits."""
        self._forget()


def new_aggregator(settings: Settings) -> SpokenTextAggregator:
    """Return what cuts an answer into the pieces of the settings."""
    return SpokenTextAggregator(clauses=settings.tts.speak_by == "clause", speed=settings.tts.speed)


def create(settings: Settings) -> LLMTextProcessor:
    """Return the stage that hands the voice one piece at a time."""
    return LLMTextProcessor(text_aggregator=new_aggregator(settings))
