"""Where questions are asked and answers heard: between two paced devices, or in a real room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from edgebot.bench.paced import PacedMicrophone, PacedSpeaker
from edgebot.bench.questions import Question
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
from edgebot.stages.device import DeviceTransport
from edgebot.stages.echo import Echo
from edgebot.state import Fault


class Room(Protocol):
    """What a conversation with questions needs. All times are `time.monotonic`."""

    transport: DeviceTransport
    is_asleep: Callable[[], bool]

    async def say(self, question: Question) -> float:
        """Say a question, and return when its last loud sample sounded."""

    def begin(self) -> None:
        """Forget what has sounded."""

    def first_sound_s(self, after_s: float) -> float | None:
        """Return when a voice began to sound after a time, or None."""

    @property
    def is_still(self) -> bool:
        """Whether nothing of an answer waits to sound."""

    @property
    def gaps_s(self) -> list[float]:
        """How long there was nothing to play each time in the middle of an answer."""

    @property
    def sounded_s(self) -> float:
        """How long an answer has sounded."""


MakeRoom = Callable[[Echo | None, Callable[[frozenset[Fault]], None]], Room]


class PacedRoom:
    """A microphone and a speaker that are none and keep their time.

    Attributes:
        transport: Its two ends.
        is_asleep: Tells, in any thread, whether nobody waits for what the microphone hears.
    """

    def __init__(self, echo: Echo | None, when_open: Callable[[frozenset[Fault]], None]) -> None:
        """Open nothing yet.

        Args:
            echo: Is handed all that sounds.
            when_open: Called once when both work.
        """
        self._when_played = echo.played if echo else None
        self.is_asleep: Callable[[], bool] = lambda: False
        self._microphone: PacedMicrophone
        self._speaker: PacedSpeaker
        self.transport = DeviceTransport(
            open_microphone=self._open_microphone,
            open_speaker=self._open_speaker,
            speaker_rate_hz=SPEAKER_RATE_HZ,
            lasting=False,
            when_open=when_open,
        )

    def _open_microphone(self, when_audio: Callable[[bytes], None]) -> PacedMicrophone:
        self._microphone = PacedMicrophone(when_audio, is_patient=lambda: self.is_asleep())
        self._microphone.start()
        return self._microphone

    def _open_speaker(self) -> PacedSpeaker:
        self._speaker = PacedSpeaker(self._when_played)
        self._speaker.start()
        return self._speaker

    async def say(self, question: Question) -> float:
        """Say a question, and return when its last loud sample sounded."""
        said = self._microphone.say(question.recording.audio, question.end_s)
        return await asyncio.wrap_future(said)

    def begin(self) -> None:
        """Forget what has sounded."""
        self._speaker.begin()

    def first_sound_s(self, after_s: float) -> float | None:
        """Return when a voice began to sound after a time, or None."""
        return self._speaker.first_sound_s(after_s)

    @property
    def is_still(self) -> bool:
        """Whether nothing of an answer waits to sound."""
        return not self._speaker.waiting_s

    @property
    def gaps_s(self) -> list[float]:
        """How long there was nothing to play each time in the middle of an answer."""
        return self._speaker.gaps_s

    @property
    def sounded_s(self) -> float:
        """How long an answer has sounded."""
        return self._speaker.sounded_s
