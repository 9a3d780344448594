"""How long a silence must be before it ends a turn, by what was said before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgebot.config import Settings
from edgebot.stages.phrases import LANGUAGES, Phrases, bare, plain, without_names

# "What about" is no question yet; "tell me about whales" is as good as one.
FEWEST_WORDS = 3
FEWEST_TOLD_WORDS = 2
# Where a recognizer writes them, somebody was not done ...
BREAKS = (",", "-", "…", "...")
# ... except that it may write this one behind a whole question whose tone stayed level.
LEVEL_TONE = ","
# So likely a melody is complete where words do not tell, and where they are a whole question.
LIKELY = 0.5
LIKELY_QUESTION = 0.2


@dataclass(frozen=True)
class Hold:
    """Seconds of silence, after the voice detector's own, that end a turn.

    A question is over with its last word, and so is the wish to be told something. Another wish
    often gets a tail ("... with sugar"), and what breaks off at "and" or "the" goes on. Where words
    leave it open, the melody tells.

    Attributes:
        usual_s: After anything else.
        question_s: After a question, "tell me a story", or a command such as "stop".
        unfinished_s: After words that nobody ends with.
        phrases: Of the language; None knows no words, so the usual time is always held.
        names: What it is called by; they may stand before a question.
    """

    usual_s: float
    question_s: float
    unfinished_s: float
    phrases: Phrases | None = None
    names: Sequence[str] = ()

    def after(self, text: str, completeness: float | None = None) -> float:
        """Return the seconds to hold.

        Args:
            text: What was said.
            completeness: How likely it is, by its melody, that nothing follows; None is not known.
        """
        phrases = self.phrases
        words = without_names(plain(text), self.names)
        if phrases is None or not words:
            return self._open_s(completeness)
        wish = bare(words, phrases)
        if wish in phrases.stop or wish in phrases.sleep:
            return self.question_s
        last = words[-1]
        while words and words[0] in phrases.fillers:
            words = words[1:]
        told = _behind_opening(words, phrases)
        asked = words if told is None else told
        is_question = len(asked) >= FEWEST_WORDS and asked[0] in phrases.questions
        is_unfinished = last in phrases.unfinished
        if is_question and not is_unfinished and text.rstrip().endswith(LEVEL_TONE):
            if completeness is None:
                return max(self.question_s, self.usual_s / 2)
            return self.question_s if completeness >= LIKELY_QUESTION else self.usual_s
        if is_unfinished or text.rstrip().endswith(BREAKS):
            # "Where is it from?"
            return self.usual_s if is_question else self.unfinished_s
        is_told = told is not None and len(told) >= FEWEST_TOLD_WORDS
        if is_question or (is_told and asked[0] not in phrases.questions):
            return self.question_s
        return self.unfinished_s if last in phrases.dangling else self._open_s(completeness)

    def _open_s(self, completeness: float | None) -> float:
        is_open = completeness is not None and completeness < LIKELY
        return self.unfinished_s if is_open else self.usual_s


def _behind_opening(words: list[str], phrases: Phrases) -> list[str] | None:
    """Return what follows "could you tell me" and the like; None where it begins otherwise."""
    for opening in phrases.openings:
        if tuple(words[: len(opening)]) == opening:
            return words[len(opening) :]
    return None


def create(settings: Settings, names: Sequence[str] = ()) -> Hold:
    """Return how long to hold.

    Args:
        settings: Its section `turn`, and the language.
        names: What the assistant is called by.
    """
    turn = settings.turn
    return Hold(
        usual_s=turn.hold_s,
        question_s=min(turn.hold_question_s, turn.hold_s),
        unfinished_s=max(turn.hold_unfinished_s, turn.hold_s),
        phrases=LANGUAGES.get(settings.language),
        names=names,
    )
