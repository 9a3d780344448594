"""A real room: questions come out of the loudspeaker, and the microphone hears them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
import soxr

from edgebot.bench.levels import LOUD_RMS, PIECE_S, first_loud_s
from edgebot.bench.questions import Question
from edgebot.bench.room import MakeRoom
from edgebot.config import Settings
from edgebot.engines.level import level
from edgebot.errors import AudioFileError
from edgebot.hw.audio_stream import (
    MICROPHONE_RATE_HZ,
    SPEAKER_RATE_HZ,
    MicrophoneStream,
    SpeakerStream,
)
from edgebot.hw.port_audio import PortAudio
from edgebot.stages.device import DeviceTransport
from edgebot.stages.echo import Echo
from edgebot.state import Fault

# A voice is so many times louder than the room at rest.
_ABOVE_NOISE = 4.0
_LISTEN_S = 1.0
# The way from a speaker's buffer through the air into a microphone's takes no longer.
_LONGEST_WAY_S = 0.3


def acoustic_settings(settings: Settings) -> Settings:
    """Return settings with which it hears its own loudspeaker as it would hear a person."""
    sections = {
        "echo": settings.echo.model_copy(update={"cancel": "off", "guard": False}),
        "turn": settings.turn.model_copy(update={"interrupt": False}),
    }
    return settings.model_copy(update=sections)


class AcousticRoom:
    """The configured devices. End and beginning of a sound are both heard by the microphone.

    Attributes:
        transport: The devices as a pipeline's two ends.
        is_asleep: It never is: nobody measures a name here.
    """

    def __init__(
        self,
        settings: Settings,
        echo: Echo | None,
        when_open: Callable[[frozenset[Fault]], None],
    ) -> None:
        """Open nothing yet."""
        self.is_asleep: Callable[[], bool] = lambda: False
        self._library = PortAudio()
        self._settings = settings.audio
        self._loud_rms = LOUD_RMS
        self._levels: list[tuple[float, float]] = []
        self._speaker: SpeakerStream
        self.transport = DeviceTransport(
            open_microphone=self._open_microphone,
            open_speaker=self._open_speaker,
            speaker_rate_hz=SPEAKER_RATE_HZ,
            volume=settings.audio.volume,
            lasting=False,
            when_open=when_open,
        )

    @classmethod
    def maker(cls, settings: Settings) -> MakeRoom:
        """Return what makes the room of these settings."""
        return lambda echo, when_open: cls(settings, echo, when_open)

    def _open_microphone(self, when_audio: Callable[[bytes], None]) -> MicrophoneStream:
        def heard(audio: bytes) -> None:
            self.note(audio, time.monotonic())
            when_audio(audio)

        return MicrophoneStream(self._library, self._settings.microphone, heard)

    def _open_speaker(self) -> SpeakerStream:
        self._speaker = SpeakerStream(self._library, self._settings.speaker)
        return self._speaker

    def note(self, audio: bytes, came_s: float) -> None:
        """Note how loud 16-bit PCM was that had come by a time."""
        size = 2 * int(MICROPHONE_RATE_HZ * PIECE_S)
        pieces = [audio[start : start + size] for start in range(0, len(audio), size)]
        for number, piece in enumerate(pieces):
            began_s = came_s - (len(pieces) - number) * PIECE_S
            self._levels.append((began_s, level(piece)))

    def begin(self) -> None:
        """Forget what was heard."""
        self._levels.clear()

    async def say(self, question: Question) -> float:
        """Play a question, and return when the microphone heard its last loud sample.

        Raises:
            AudioFileError: The microphone does not hear the loudspeaker.
        """
        await asyncio.sleep(_LISTEN_S)
        noise = [rms for _, rms in self._levels]
        self._loud_rms = max(LOUD_RMS, _ABOVE_NOISE * float(np.median(noise)) if noise else 0.0)
        began_s = time.monotonic()
        samples = np.frombuffer(question.recording.audio, dtype="<i2")
        # What is written as an answer would be interrupted by itself.
        self._speaker.chime(soxr.resample(samples, MICROPHONE_RATE_HZ, SPEAKER_RATE_HZ).tobytes())
        await asyncio.sleep(question.recording.duration_s + _LONGEST_WAY_S)
        until_s = began_s + question.end_s + _LONGEST_WAY_S
        loud = [
            came_s + PIECE_S
            for came_s, rms in self._levels
            if began_s < came_s < until_s and rms > self._loud_rms
        ]
        if not loud:
            raise AudioFileError(
                "The microphone does not hear the loudspeaker: turn the volume up, or bring them "
                "closer to each other."
            )
        return loud[-1]

    def first_sound_s(self, after_s: float) -> float | None:
        """Return when the microphone heard a voice begin after a time, or None."""
        return first_loud_s(list(self._levels), after_s, loud_rms=self._loud_rms)

    @property
    def is_still(self) -> bool:
        """Whether nothing of an answer waits to sound."""
        return not self._speaker.waiting_s

    @property
    def gaps_s(self) -> list[float]:
        """Return nothing: a microphone cannot tell a gap from a pause."""
        return []

    @property
    def sounded_s(self) -> float:
        """How long it was loud."""
        return PIECE_S * sum(rms > self._loud_rms for _, rms in self._levels)
