"""Vosk in this process: sound in, words out while one speaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vosk

from edgebot.engines.at_work import OTHERS
from edgebot.engines.memory import trim
from edgebot.errors import BrokenModelError

RATE_HZ = 16_000
_WARM_UP_S = 0.5


@dataclass(frozen=True)
class Word:
    """A word that was heard, how sure the recognizer is of it (0.0 to 1.0), and when it was spoken.

    Times count from the first sound of the utterance.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True)
class Utterance:
    """What was heard between two pauses."""

    text: str
    words: tuple[Word, ...] = field(default=())


class VoskEngine:
    """One recognizer, made warm once and used again and again. Use it from one thread."""

    def __init__(self, path: Path, *, grammar: Sequence[str] = ()) -> None:
        """Load the model and warm the recognizer.

        Args:
            path: The model's folder.
            grammar: The only words and phrases to hear; nothing means all that the model knows.

        Raises:
            BrokenModelError: Vosk refuses the folder.
        """
        vosk.SetLogLevel(-1)
        try:
            self._model = vosk.Model(str(path))
        except Exception:
            raise BrokenModelError(
                f"Vosk cannot load {path}: is it the folder of an unpacked Vosk model?"
            ) from None
        # Vosk takes JSON's \u escapes for letters of the word, so there may be none.
        words = json.dumps([*grammar, "[unk]"], ensure_ascii=False)
        self._grammar = words if grammar else None
        self._recognizer = self._warm_recognizer()
        self._heard_bytes = self._utterance_began_bytes = 0

    def _warm_recognizer(self) -> Any:
        options = (self._grammar,) if self._grammar else ()
        recognizer = vosk.KaldiRecognizer(self._model, RATE_HZ, *options)
        recognizer.SetWords(True)
        # The first decode of a recognizer stalls for half a second.
        recognizer.AcceptWaveform(bytes(int(RATE_HZ * _WARM_UP_S) * 2))
        recognizer.FinalResult()
        return recognizer

    @property
    def heard_s(self) -> float:
        """Seconds of sound heard since the recognizer was made."""
        return self._heard_bytes / (RATE_HZ * 2)

    def accept(self, audio: bytes) -> str:
        """Hear a piece of sound and return what the utterance is so far.

        Args:
            audio: 16-bit mono PCM at 16 kHz, any length.
        """
        self._heard_bytes += len(audio)
        with OTHERS.counted():
            self._recognizer.AcceptWaveform(audio)
        return str(json.loads(self._recognizer.PartialResult()).get("partial", ""))

    def finish(self) -> Utterance:
        """End the utterance and return it whole; the next sound begins a new one."""
        # The recognizer counts from the sound that warmed it.
        began_s = _WARM_UP_S + self._utterance_began_bytes / (RATE_HZ * 2)
        self._utterance_began_bytes = self._heard_bytes
        with OTHERS.counted():
            return parse_result(self._recognizer.FinalResult(), began_s)

    def renew(self) -> None:
        """Replace the recognizer: it keeps memory for all that it has ever heard."""
        self._recognizer = None
        self._recognizer = self._warm_recognizer()
        self._heard_bytes = self._utterance_began_bytes = 0
        trim()


def parse_result(text: str, began_s: float = 0.0) -> Utterance:
    """Read a recognizer's JSON result.

    Args:
        text: From `FinalResult`.
        began_s: When the utterance began, by the recognizer's own count.
    """
    result = json.loads(text)
    words = tuple(
        Word(word["word"], word["start"] - began_s, word["end"] - began_s, word["conf"])
        for word in result.get("result", ())
    )
    return Utterance(str(result.get("text", "")), words)
