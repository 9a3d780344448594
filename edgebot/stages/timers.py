"""Kitchen timers, without the language model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgebot.stages.durations import parse_duration, say_duration
from edgebot.stages.phrases import Phrases, plain

LONGEST_S = 86_400.0


@dataclass(frozen=True)
class Timer:
    """One timer: how long it runs, and when it is over by the clock."""

    length_s: float
    due_s: float


class Timers:
    """Understands what is said of timers, keeps them and answers."""

    def __init__(self, phrases: Phrases, language: str, clock: Callable[[], float]) -> None:
        """Begin without any.

        Args:
            phrases: Of the language.
            language: Its code.
            clock: Returns seconds that only grow.
        """
        self._phrases = phrases
        self._language = language
        self._clock = clock
        self._running: list[Timer] = []

    @property
    def is_running(self) -> bool:
        """Whether there is one."""
        return bool(self._running)

    @property
    def next_s(self) -> float | None:
        """Seconds until the next one is over."""
        return max(0.0, self._running[0].due_s - self._clock()) if self._running else None

    def take_due(self) -> list[Timer]:
        """Return those that are over, and forget them."""
        now = self._clock()
        due = [timer for timer in self._running if timer.due_s <= now]
        self._running = self._running[len(due) :]
        return due

    def answer(self, text: str) -> str | None:
        """Do what a sentence wishes of the timers and return the answer; None if it wishes nothing.

        Args:
            text: What a person said.
        """
        sentence = self._sentence(text)
        for pattern in self._phrases.cancel_timer:
            if found := pattern.search(sentence):
                return self._cancel(found.group("length").split())
        if any(pattern.search(sentence) for pattern in self._phrases.time_left):
            asks_for_timer = self._running or "timer" in sentence
            return self._tell() if asks_for_timer else None
        for pattern in self._phrases.set_timer:
            if found := pattern.search(sentence):
                length_s = self._parse(found.group("length").split())
                if length_s is not None:
                    return self._set(length_s)
        return None

    def understands(self, text: str) -> bool:
        """Tell whether a sentence may wish something of the timers; nothing is done."""
        sentence, phrases = self._sentence(text), self._phrases
        patterns = (*phrases.cancel_timer, *phrases.time_left, *phrases.set_timer)
        return any(pattern.search(sentence) for pattern in patterns)

    def _sentence(self, text: str) -> str:
        fillers = self._phrases.fillers - self._phrases.joined
        return " ".join(word for word in plain(text) if word not in fillers)

    def _parse(self, words: list[str]) -> float | None:
        return parse_duration(words, self._phrases, self._language)

    def _say(self, length_s: float) -> str:
        return say_duration(length_s, self._phrases)

    def _set(self, length_s: float) -> str:
        if length_s > LONGEST_S:
            return self._phrases.said["too long"]
        self._running.append(Timer(length_s, self._clock() + length_s))
        self._running.sort(key=lambda timer: timer.due_s)
        return self._phrases.said["set"].format(length=self._say(length_s))

    def _cancel(self, words: list[str]) -> str:
        said, length_s = self._phrases.said, self._parse(words)
        chosen = [t for t in self._running if length_s is None or t.length_s == length_s]
        if not chosen:
            wanted = said["none"] if length_s is None or not self._running else said["none such"]
            return wanted.format(length=self._say(length_s or 0))
        if length_s is not None:
            chosen = chosen[:1]
        self._running = [timer for timer in self._running if timer not in chosen]
        many = said["all cancelled"].format(count=len(chosen))
        return many if len(chosen) > 1 else said["cancelled"]

    def _tell(self) -> str:
        said, now = self._phrases.said, self._clock()
        if not self._running:
            return said["none"]
        if len(self._running) == 1:
            return said["left"].format(length=self._say(self._running[0].due_s - now))
        return " ".join(
            said["left of"].format(length=self._say(t.due_s - now), whole=self._say(t.length_s))
            for t in self._running
        )
