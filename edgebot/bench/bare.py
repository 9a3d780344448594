"""What the bare engines take for the same work; its functions are run in a process apart."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from functools import cache
from typing import Any

from edgebot.app import choose_model
from edgebot.bench.bare_ears import load_ear
from edgebot.bench.bare_llama import BareLlama
from edgebot.bench.bare_voice import WholeVoice, WindowedVoice
from edgebot.bench.floor import Floor, hold_s
from edgebot.bench.questions import Question
from edgebot.bench.turns import Asked
from edgebot.config import Settings
from edgebot.engines.llama import LlamaEngine
from edgebot.engines.weights import faster
from edgebot.stages.context import new_context
from edgebot.stages.llm_llama_cpp import cache_folder
from edgebot.stages.recording import RATE_HZ

# The language model goes on about this for as long as it is asked to.
ENDLESS = "Write a very long story about a king and his three sons."
PROBE_TOKENS = 64
PROBES = 3
# Beyond its prompt and the longest answer.
_ROOM_TOKENS = 16


def is_comparable(settings: Settings) -> bool:
    """Tell whether each of the three engines has a library of its own to be compared with."""
    if settings.llm.engine != "llama_cpp" or settings.tts.engine != "piper":
        return False
    if settings.stt.engine not in ("auto", "moonshine", "vosk"):
        return False
    return choose_model("stt", settings)[0].model.engine in ("moonshine", "vosk")


@cache
def llama(settings: Settings) -> BareLlama:
    """Load the language model."""
    processors = os.cpu_count() or 1
    threads = settings.llm.threads or (processors - 1 if processors >= 4 else processors)
    path = choose_model("llm", settings)[0].path
    # The same weights as the house's: what was made of them is no part of the comparison.
    path = faster(path, cache_folder("weights"))
    return BareLlama(path, context_tokens=settings.llm.context_tokens, threads=threads)


@cache
def _writer(settings: Settings) -> LlamaEngine:
    """Load what makes prompts of messages; it computes nothing."""
    return LlamaEngine(choose_model("llm", settings)[0].path, context_tokens=256, threads=1)


@cache
def _windows(settings: Settings) -> WindowedVoice:
    path = choose_model("tts", settings)[0].path
    return WindowedVoice(path, threads=settings.tts.threads, speed=settings.tts.speed)


@cache
def _whole(settings: Settings) -> WholeVoice:
    return WholeVoice(choose_model("tts", settings)[0].path)


def tokens_per_s(settings: Settings) -> list[float]:
    """Return how fast llama.cpp writes, several times."""
    bare = llama(settings)
    prompt = _writer(settings).render([{"role": "user", "content": ENDLESS}])
    found = []
    for _ in range(PROBES):
        bare.read(prompt)
        # The first token comes out of the prompt.
        found.append((PROBE_TOKENS - 1) / bare.write(PROBE_TOKENS))
    return found


def floors(
    settings: Settings, questions: Sequence[Question], asked: Sequence[Asked]
) -> list[Floor]:
    """Return the floor of each question that was answered.

    Args:
        settings: All of them.
        questions: What was asked in one conversation, in its order.
        asked: What became of each.
    """
    hear = load_ear(choose_model("stt", settings)[0])
    assert hear is not None
    conversation = Replay(settings)
    found = []
    for question, one in zip(questions, asked, strict=True):
        audio = question.recording.audio[: 2 * int(question.end_s * RATE_HZ)]
        read_s, write_s = conversation.answer(one)
        if one.is_answered:
            found.append(
                Floor(
                    hold_s=hold_s(settings, one),
                    stt_s=hear(audio).rest_s,
                    read_s=read_s,
                    write_s=write_s,
                    voice_s=_windows(settings).speak(one.first_clause).first_s,
                )
            )
    return found


class Replay:
    """The conversation once more, as tokens: each question costs what is new."""

    def __init__(self, settings: Settings) -> None:
        """Read what opens every conversation."""
        self._bare, self._render = llama(settings), _writer(settings).render
        self._budget = settings.llm.context_tokens - settings.llm.max_tokens - _ROOM_TOKENS
        instruction = settings.assistant.instruction
        self._opening: list[Any] = [{"role": "system", "content": instruction}]
        self._opening += new_context(settings).messages
        self._turns: list[list[Any]] = []
        self._bare.read(self._render(self._opening, reply=False))

    def answer(self, one: Asked) -> tuple[float, float]:
        """Return the seconds to read a question and to write its answer's first clause."""
        if not one.heard:
            return 0.0, 0.0
        turn: list[Any] = [{"role": "user", "content": one.heard}]
        self._turns.append(turn)
        while len(tokens := self._tokens(reply=True)) > self._budget and len(self._turns) > 1:
            del self._turns[0]
        read_s = self._bare.read(tokens)
        turn.append({"role": "assistant", "content": one.said})
        before = len(tokens)
        spoken = one.said.find(one.first_clause) + len(one.first_clause)
        turn[1]["content"] = one.said[:spoken]
        clause = len(self._tokens(reply=False)) - before
        write_s = self._bare.write(max(1, clause))
        turn[1]["content"] = one.said
        # What was really said stays in mind.
        self._bare.read(self._tokens(reply=False))
        return read_s, write_s

    def _tokens(self, *, reply: bool) -> list[int]:
        messages = [*self._opening, *(message for turn in self._turns for message in turn)]
        return self._render(messages, reply=reply)


# Sentences of an answer, from one word to what fills several breaths.
SENTENCES = (
    "Certainly.",
    "The capital of France is Paris.",
    "When water is heated to one hundred degrees, it turns into steam and rises.",
    "The Amazon rainforest covers much of northwestern Brazil and extends into Colombia, Peru and "
    "other South American countries, where millions of animals and plants live.",
)
_ROUNDS = 3


def first_sounds(settings: Settings) -> list[dict[str, float]]:
    """Return for each sentence how soon its first sound comes: whole, as Piper does, and cut."""
    whole, windows = _whole(settings), _windows(settings)
    rows = []
    for sentence in SENTENCES:
        both = [(whole.speak(sentence), windows.speak(sentence)) for _ in range(_ROUNDS)]
        rows.append(
            {
                "sound_s": statistics.median(cut.sound_s for _, cut in both),
                "whole_s": statistics.median(one.first_s for one, _ in both),
                "windows_s": statistics.median(cut.first_s for _, cut in both),
                "ratio": statistics.median(cut.first_s / one.first_s for one, cut in both),
            }
        )
    return rows


def voice_factor(settings: Settings, texts: Sequence[str]) -> list[tuple[float, float]]:
    """Return the seconds that Piper's own library takes for each text, and how long it sounds."""
    spoken = [_whole(settings).speak(text) for text in texts]
    return [(one.all_s, one.sound_s) for one in spoken]


def ear_factor(settings: Settings, recordings: Sequence[bytes]) -> list[tuple[float, float]]:
    """Return the seconds that the recognizer's own library takes, and how long each sounds."""
    hear = load_ear(choose_model("stt", settings)[0])
    assert hear is not None
    return [(hear(audio).all_s, len(audio) / (2 * RATE_HZ)) for audio in recordings]
