"""The recognizers with nothing around them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebot.models.installed import InstalledModel

RATE_HZ = 16_000
_PIECE_BYTES = 2 * RATE_HZ // 50
_WARM_S = 0.5


@dataclass(frozen=True)
class Heard:
    """What decoding a recording took.

    Attributes:
        all_s: From its first sample to the words.
        rest_s: What of that could not be done before its last sample was there.
    """

    all_s: float
    rest_s: float


Hear = Callable[[bytes], Heard]


def load_ear(model: InstalledModel) -> Hear | None:
    """Load the model's own library, or return None where there is none to compare with."""
    if model.model.engine == "moonshine":
        return _moonshine(model.path, str(model.model.options.get("arch", "tiny")))
    if model.model.engine == "vosk":
        return _vosk(model.path)
    return None


def _moonshine(path: Path, architecture: str) -> Hear:
    from moonshine_voice import Transcriber, string_to_model_arch

    transcriber = Transcriber(str(path), string_to_model_arch(architecture))
    transcriber.transcribe_without_streaming([0.0] * int(_WARM_S * RATE_HZ), RATE_HZ)

    def hear(audio: bytes) -> Heard:
        began_s = time.perf_counter()
        samples = np.frombuffer(audio, dtype="<i2").astype(np.float32) / 32768
        transcriber.transcribe_without_streaming(samples.tolist(), RATE_HZ)
        taken_s = time.perf_counter() - began_s
        # It begins when all is there.
        return Heard(taken_s, taken_s)

    return hear


def _vosk(path: Path) -> Hear:
    import vosk

    vosk.SetLogLevel(-1)
    recognizer: Any = vosk.KaldiRecognizer(vosk.Model(str(path)), RATE_HZ)
    # The first decode of a recognizer stalls.
    recognizer.AcceptWaveform(bytes(2 * int(_WARM_S * RATE_HZ)))
    recognizer.FinalResult()

    def hear(audio: bytes) -> Heard:
        began_s = last_s = time.perf_counter()
        for start in range(0, len(audio), _PIECE_BYTES):
            last_s = time.perf_counter()
            recognizer.AcceptWaveform(audio[start : start + _PIECE_BYTES])
        recognizer.FinalResult()
        ended_s = time.perf_counter()
        return Heard(ended_s - began_s, ended_s - last_s)

    return hear
