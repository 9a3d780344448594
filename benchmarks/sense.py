"""How many plain questions are answered with sense: python -m benchmarks.sense

Each question is asked of an `edgebot chat --plain` of its own, so that no answer leans on an
earlier one; with --one-conversation all of a set are asked of the same. An answer is right when it
holds one of its key words, which says nothing of the words around it: read the table too.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

QUESTIONS = Path(__file__).with_name("sense_questions.toml")
SETS = ("plain", "name", "tuning", "held_out")
# An answer longer than this is a lecture.
MOST_SENTENCES = 2
# What a voice cannot say: markup, brackets, the bullet or number of a list, rows of long numbers.
UNSPEAKABLE = re.compile(r"[*#_|`<>\\{}\[\]=~]|(?:^|\s)(?:-|•|\d+\.)\s+\S|(?:\d{3}[\d,. ]*){3}")
# A full stop behind a single capital belongs to a name, as in J. K. Rowling.
SENTENCE_END = re.compile(r"(?<!\b[A-Z])[.!?]+[\"')]*(?=\s|$)")


class NoAnswerError(Exception):
    """`edgebot chat` ended before it answered; its last words are the message."""


@dataclass(frozen=True)
class Question:
    """A question and the words of which one makes an answer right."""

    text: str
    accept: tuple[str, ...]

    def is_right(self, answer: str) -> bool:
        """Tell whether an answer holds a key word, as whole words, in upper or lower case."""
        return any(
            re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answer, re.IGNORECASE)
            for word in self.accept
        )


@dataclass(frozen=True)
class Answered:
    """A question and what was answered."""

    question: Question
    answer: str

    @property
    def is_right(self) -> bool:
        """Whether the answer holds a key word."""
        return self.question.is_right(self.answer)

    @property
    def is_short(self) -> bool:
        """Whether there is an answer, and no more of it than may be spoken."""
        return bool(self.answer) and count_sentences(self.answer) <= MOST_SENTENCES

    @property
    def is_speakable(self) -> bool:
        """Whether a voice can say it."""
        return bool(self.answer) and not UNSPEAKABLE.search(self.answer)


def read_questions(name: str, file: Path = QUESTIONS) -> list[Question]:
    """Return a named set of questions."""
    with file.open("rb") as opened:
        entries = tomllib.load(opened)[name]
    return [Question(entry["question"], tuple(entry["accept"])) for entry in entries]


def count_sentences(text: str) -> int:
    """Return how many sentences a text has; words behind the last full stop are one more."""
    *whole, rest = SENTENCE_END.split(text)
    return len(whole) + bool(rest.strip())


def as_heard(text: str) -> str:
    """Return a question as a speech recogniser writes it: lower case, no punctuation."""
    return re.sub(r"[^\w\s']", "", text).lower()


def converse(questions: Sequence[str], command: Sequence[str]) -> Iterator[str]:
    """Yield the answers of one conversation, each before the next question is asked.

    Raises:
        NoAnswerError: The conversation ended early.
    """
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for question in questions:
            try:
                process.stdin.write(question + "\n")
                process.stdin.flush()
            except BrokenPipeError:
                raise NoAnswerError(f"{' '.join(command)} ended") from None
            answer = process.stdout.readline()
            if not answer:
                raise NoAnswerError(f"{' '.join(command)} ended at: {question}")
            yield answer.strip()


def ask(
    questions: Sequence[Question],
    command: Sequence[str],
    *,
    heard: bool = False,
    one_conversation: bool = False,
) -> Iterator[Answered]:
    """Yield each question with its answer, as it comes.

    Args:
        questions: What to ask.
        command: Starts `edgebot chat --plain`.
        heard: Ask as a speech recogniser would write it.
        one_conversation: Ask all of the same process, which remembers.

    Raises:
        NoAnswerError: There is no answer.
    """
    texts = [as_heard(question.text) if heard else question.text for question in questions]
    talks = [texts] if one_conversation else [[text] for text in texts]
    answers = (answer for talk in talks for answer in converse(talk, command))
    for question, answer in zip(questions, answers, strict=True):
        yield Answered(question, answer)


def row(one: Answered) -> str:
    """Return a line of the table."""
    faults = [
        *([] if one.is_short else [f"{count_sentences(one.answer)} sentences"]),
        *([] if one.is_speakable else ["cannot be spoken"]),
    ]
    verdict = "right" if one.is_right else "WRONG"
    note = f"  ({', '.join(faults)})" if faults else ""
    return f"{verdict}  {one.question.text:<56}  {one.answer}{note}"


def summary(name: str, answered: Sequence[Answered]) -> str:
    """Return the score of a set."""
    total = len(answered)
    right = sum(one.is_right for one in answered)
    spoken = sum(one.is_short and one.is_speakable for one in answered)
    length = sum(len(one.answer.split()) for one in answered) / max(total, 1)
    return (
        f"{name}: {right} of {total} right; {spoken} of {total} in at most {MOST_SENTENCES} "
        f"sentences that can be spoken; {length:.1f} words an answer"
    )


def main() -> None:
    """Print every answer and the score."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "questions", nargs="*", help=f"sets: {', '.join(SETS)}; default: plain name"
    )
    parser.add_argument("--heard", action="store_true", help="lower case, without punctuation")
    parser.add_argument(
        "--one-conversation", action="store_true", help="it remembers what was said"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args()
    if unknown := set(options.questions) - set(SETS):
        parser.error(f"there are no questions {', '.join(sorted(unknown))}, only {', '.join(SETS)}")
    flags = [part for assignment in options.settings for part in ("--set", assignment)]
    command = [sys.executable, "-m", "edgebot", *flags, "chat", "--plain"]
    for name in options.questions or ["plain", "name"]:
        answered = []
        try:
            for one in ask(
                read_questions(name),
                command,
                heard=options.heard,
                one_conversation=options.one_conversation,
            ):
                answered.append(one)
                print(row(one), flush=True)
        except NoAnswerError as error:
            print(f"{name}: not measured: {error}", flush=True)
        else:
            print(summary(name, answered), flush=True)


if __name__ == "__main__":
    main()
