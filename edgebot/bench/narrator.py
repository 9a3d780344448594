"""A voice that speaks without a pause, each sentence in its own time."""

from __future__ import annotations

import asyncio
import time

from pipecat.frames.frames import Frame, TTSAudioRawFrame, TTSSpeakFrame, TTSStoppedFrame

from edgebot.bench.bare import SENTENCES
from edgebot.bench.turns import Questioner
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ

# The next sentence comes when so much of the one before is left to sound.
_LEFT_S = 1.0
_LOOK_EVERY_S = 0.02


class Narrator:
    """Hands sentences over as a language model hands them over in the middle of an answer.

    It is a watcher of the conversation in which it speaks.

    Attributes:
        sentences: How many the voice has computed.
        sound_s: How long they sound.
        has_begun: Set when the first one sounds.
    """

    def __init__(self) -> None:
        self.sentences = 0
        self.sound_s = 0.0
        self.has_begun = asyncio.Event()
        self._began_s = 0.0

    def note(self, frame: Frame) -> None:
        """Count what the voice has computed."""
        # The speaker's stage passes the sound on at its own rate as it is played.
        if isinstance(frame, TTSAudioRawFrame) and frame.sample_rate != SPEAKER_RATE_HZ:
            if not self.has_begun.is_set():
                self._began_s = time.monotonic()
                self.has_begun.set()
            self.sound_s += len(frame.audio) / (2 * frame.sample_rate)
        elif isinstance(frame, TTSStoppedFrame):
            self.sentences += 1

    @property
    def _left_s(self) -> float:
        if not self.has_begun.is_set():
            return 0.0
        return self.sound_s - (time.monotonic() - self._began_s)

    async def narrate(self, questioner: Questioner) -> None:
        """Speak until this is cancelled."""
        sent = 0
        while True:
            if self.sentences == sent and self._left_s < _LEFT_S:
                await questioner.send(TTSSpeakFrame(SENTENCES[sent % len(SENTENCES)]))
                sent += 1
            await asyncio.sleep(_LOOK_EVERY_S)
