"""Whether the microphone hears anything of what is played."""

from __future__ import annotations

from statistics import fmean

from edgebot.engines.level import NoiseFloor, level

# So many frames of 10 ms are judged together, and two such judgements in a row count.
_FRAMES = 50
_AGREEING = 2
# What is played counts from this level on (RMS of 16-bit samples), and nothing comes back of it
# while the microphone is this much softer, or hears hardly more than in silence, or nothing at all.
# A voice detector still finds a voice that came back 36 dB softer.
_LOUD_RMS = 100.0
_SHARE = 10 ** (-56 / 20)
_ABOVE_FLOOR = 1.25
_NOTHING_RMS = 6.0


class EchoReturn:
    """Tells whether an echo comes back at all.

    Attributes:
        is_none: True after a second of played sound of which nothing came back, and no longer after
            a second in which the microphone heard something: a person who speaks up has been heard
            by then, and what still sounds is an echo.
    """

    def __init__(self) -> None:
        self.is_none = False
        self._dissenting = 0
        self._floor = NoiseFloor()
        self._begin()

    def _begin(self) -> None:
        self._played: list[float] = []
        self._heard: list[float] = []

    def rest(self, audio: bytes, seconds: float) -> None:
        """Take note of what was heard while nothing played could be heard."""
        if audio:
            self._floor.follow(level(audio), seconds)

    def play(self, frame: bytes | bytearray) -> None:
        """Take note of 10 ms that are played, at any rate."""
        self._played.append(level(frame) ** 2)

    def hear(self, frame: bytes | bytearray) -> None:
        """Take note of 10 ms that were heard while something played could be heard."""
        heard = level(frame)
        if self._floor.rms:
            # The pauses of an echo show how silent the room has become.
            self._floor.follow(heard, 0.0)
        self._heard.append(heard**2)
        if len(self._heard) == _FRAMES:
            self._judge(fmean(self._played or [0.0]) ** 0.5, fmean(self._heard) ** 0.5)
            self._begin()

    def _judge(self, played: float, heard: float) -> None:
        if played < _LOUD_RMS:
            return
        is_none = heard < max(_NOTHING_RMS, played * _SHARE, self._floor.rms * _ABOVE_FLOOR)
        self._dissenting = self._dissenting + 1 if is_none != self.is_none else 0
        if self._dissenting == _AGREEING:
            self.is_none, self._dissenting = is_none, 0
