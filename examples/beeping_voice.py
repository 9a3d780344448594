"""Another voice: an engine of one's own that beeps a tone for each letter.

    edgebot --set tts.engine=examples.beeping_voice say "Hello."

A module that a setting names has `async load(settings, model)`, which returns what makes a stage.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import numpy as np
from pipecat.frames.frames import Frame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from edgebot.config import Settings
from edgebot.models.installed import InstalledModel

# It takes no model from the store.
NEEDS_MODEL = False
RATE_HZ = 24_000
LETTER_S = 0.06


def beeps(text: str) -> bytes:
    """Return a tone for each letter, and a pause for all else, as 16-bit mono PCM."""
    time_s = np.arange(int(LETTER_S * RATE_HZ)) / RATE_HZ
    tones = [
        np.sin(2 * np.pi * (300 + 20 * (ord(letter.lower()) - ord("a"))) * time_s)
        * np.hanning(len(time_s))
        * letter.isascii()
        * letter.isalpha()
        for letter in text
    ]
    return (np.concatenate(tones) * 8000).astype("<i2").tobytes() if tones else b""


class BeepingTTSService(TTSService):
    """Beeps what others say."""

    def __init__(self) -> None:
        super().__init__(
            sample_rate=RATE_HZ,
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=None, voice=None, language=None),
        )

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the beeps of a text."""
        yield TTSAudioRawFrame(beeps(text), RATE_HZ, 1, context_id=context_id)


async def load(settings: Settings, model: InstalledModel | None) -> Callable[[], BeepingTTSService]:
    """Return what makes a stage; there is nothing to load."""
    return BeepingTTSService
