"""Piper with nothing around it: as its own library loads it, and cut into windows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from piper import PiperVoice

from edgebot.engines.piper import PiperEngine


@dataclass(frozen=True)
class Spoken:
    """What speaking a text took.

    Attributes:
        first_s: To its first sample.
        all_s: To its last.
        sound_s: How long it sounds.
    """

    first_s: float
    all_s: float
    sound_s: float


class WholeVoice:
    """Piper's own library: each sentence is decoded as a whole."""

    def __init__(self, path: Path) -> None:
        """Load the voice as the library does by default."""
        self._voice = PiperVoice.load(str(path))
        self.speak("Ready.")

    def speak(self, text: str) -> Spoken:
        """Speak a text into the void."""
        began_s = time.perf_counter()
        first_s, sound_s = 0.0, 0.0
        for chunk in self._voice.synthesize(text):
            first_s = first_s or time.perf_counter() - began_s
            sound_s += len(chunk.audio_int16_array) / chunk.sample_rate
        return Spoken(first_s, time.perf_counter() - began_s, sound_s)


class WindowedVoice:
    """edgebot's own engine, called directly."""

    def __init__(self, path: Path, *, threads: int, speed: float) -> None:
        """Load the voice."""
        self._voice = PiperEngine(path, threads=threads, speed=speed)
        self._voice.warm()

    def speak(self, text: str) -> Spoken:
        """Speak a text into the void."""
        began_s = time.perf_counter()
        first_s, size = 0.0, 0
        for piece in self._voice.synthesize(text):
            first_s = first_s or time.perf_counter() - began_s
            size += len(piece)
        return Spoken(first_s, time.perf_counter() - began_s, size / (2 * self._voice.rate_hz))
