"""Speech to text by Moonshine: the stand-in where no Vosk model of the language can be had."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import numpy as np
from loguru import logger
from moonshine_voice import Transcriber, Transcript, string_to_model_arch
from moonshine_voice.errors import MoonshineError
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.moonshine.stt import (
    MoonshineSTTService,
    MoonshineSTTSettings,
    moonshine_language_to_frame_language,
)
from pipecat.turns.eager_end_of_turn_mixin import EagerEndOfTurnSTTServiceMixin
from pipecat.utils.time import time_now_iso8601

from edgebot.config import Settings
from edgebot.engines.at_work import OTHERS
from edgebot.engines.memory import let_go
from edgebot.errors import BrokenModelError
from edgebot.frames import SleepFrame
from edgebot.models.installed import InstalledModel
from edgebot.stages.pauses import PauseDetector

RATE_HZ = 16_000
# A guess that takes longer is in the way of the words that count; after so many in a row, no more.
SLOW_GUESS_S = 0.4
MOST_SLOW_GUESSES = 3


class OneAtATime:
    """A transcriber that more than one thread may ask; they wait for each other."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._lock = threading.Lock()

    def transcribe_without_streaming(
        self, audio: Sequence[float], sample_rate: int = RATE_HZ
    ) -> Transcript:
        """Transcribe an utterance; see `Transcriber`."""
        with self._lock, OTHERS.counted():
            return self._transcriber.transcribe_without_streaming(audio, sample_rate)


class LocalMoonshineSTTService(EagerEndOfTurnSTTServiceMixin, MoonshineSTTService):
    """Pipecat's own service with the model from a local folder: it never asks a hub.

    Moonshine reads whole utterances only. At each short pause the utterance so far is read on the
    guess that it has ended: if it has, its words are there when the voice detector says so.
    """

    def __init__(
        self, *, transcriber: OneAtATime, settings: MoonshineSTTSettings, is_eager: bool = False
    ) -> None:
        """Wrap a loaded model.

        Args:
            transcriber: From `load_transcriber`.
            settings: `model` is the architecture, `language` the language.
            is_eager: Whether to guess.
        """
        self._loaded = transcriber
        self._forgotten = 0
        self._pauses = PauseDetector(RATE_HZ)
        self._guess: asyncio.Task[str] | None = None
        # A guess that is dropped is read to its end all the same; the next one waits for it.
        self._is_reading = False
        self._slow_guesses = 0
        super().__init__(settings=settings, ttfs_p99_latency=1.0, enable_eager_end_of_turn=is_eager)
        self._language = moonshine_language_to_frame_language(str(settings.language))

    async def cleanup(self) -> None:
        """Stop reading."""
        guess, self._guess = self._guess, None
        if guess is not None:
            await self.cancel_task(guess)
        await super().cleanup()

    def _load(self) -> OneAtATime:
        return self._loaded

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Transcribe each utterance once, and none that was forgotten."""
        is_again = isinstance(frame, VADUserStoppedSpeakingFrame) and not self._user_speaking
        if is_again:
            # A button that is let go ends an utterance before the voice detector does. Pipecat's
            # service would transcribe its last second a second time.
            self._audio_buffer.clear()
            await self.push_frame(frame, direction)
            return
        if isinstance(frame, SleepFrame):
            await self._forget()
        elif isinstance(frame, VADUserStartedSpeakingFrame):
            self._pauses.begin()
        await super().process_frame(frame, direction)

    async def process_audio_frame(
        self, frame: InputAudioRawFrame, direction: FrameDirection
    ) -> None:
        """Keep the sound, and read what was said so far when it pauses."""
        await super().process_audio_frame(frame, direction)
        was_pause, is_pause = self._pauses.is_pause, self._pauses.hear(frame.audio)
        if not self._user_speaking or not self.eager_end_of_turn_enabled:
            return
        may_guess = not self._is_reading and self._slow_guesses < MOST_SLOW_GUESSES
        if is_pause and self._guess is None and may_guess:
            self._is_reading = True
            pcm = bytes(self._audio_buffer) + self._trailing_silence()
            self._guess = self.create_task(self._read_ahead(pcm))
        elif was_pause and not is_pause:
            await self._go_on()

    async def _go_on(self) -> None:
        """Drop the guess: there is more."""
        self._guess = None
        await self._cancel_eager_end_of_turn()

    async def _read_ahead(self, pcm: bytes) -> str:
        me = asyncio.current_task()
        audio = (np.frombuffer(pcm, dtype="<i2") / 32768).astype(np.float32).tolist()
        clock = asyncio.get_running_loop().time
        began_s = clock()
        try:
            transcript = await asyncio.to_thread(self._loaded.transcribe_without_streaming, audio)
        finally:
            self._is_reading = False
            took_s = clock() - began_s
            self._slow_guesses = self._slow_guesses + 1 if took_s > SLOW_GUESS_S else 0
        if self._slow_guesses == MOST_SLOW_GUESSES:
            logger.warning(
                f"Moonshine takes {took_s:.1f} s to read a question here, so it no longer begins "
                "before its end: answers come a little later."
            )
        text = " ".join(line.text for line in transcript.lines).strip()
        if text and self._guess is me:
            await self._push_eager_end_of_turn(text, user_id=self._user_id, language=self._language)
        elif text and self._user_speaking:
            # More is being said, and this is how it began.
            words = InterimTranscriptionFrame(
                text, self._user_id, time_now_iso8601(), self._language
            )
            await self.push_frame(words)
        return text

    async def _forget(self) -> None:
        """Hear no more of what was said until now."""
        await self._go_on()
        self._user_speaking = False
        self._audio_buffer.clear()
        while not self._segment_queue.empty():
            self._segment_queue.get_nowait()
        self._forgotten += 1

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        """Transcribe an utterance, or hand on what was guessed of it.

        Args:
            audio: 16-bit mono PCM at 16 kHz.
        """
        forgotten, guess = self._forgotten, self._guess
        if guess is not None:
            text = await guess
            if self._guess is guess:
                self._guess = None
            self._clear_eager_end_of_turn()
            if text and forgotten == self._forgotten:
                yield TranscriptionFrame(text, self._user_id, time_now_iso8601(), self._language)
            return
        async for frame in super().run_stt(audio):
            if forgotten == self._forgotten:
                yield frame


def load_transcriber(path: Path, architecture: str) -> OneAtATime:
    """Load a model and make it warm, so that the first question is not the slowest.

    Args:
        path: The folder with the encoder, the decoder and the tokenizer.
        architecture: Such as "tiny".

    Raises:
        BrokenModelError: Moonshine refuses the folder.
    """
    try:
        transcriber = Transcriber(str(path), string_to_model_arch(architecture))
        transcriber.transcribe_without_streaming([0.0] * 8000, RATE_HZ)
        # Its library maps the files and copies all weights.
        let_go(path)
    except (MoonshineError, ValueError, OSError) as error:
        raise BrokenModelError(f"Moonshine cannot load {path}: {error}") from None
    return OneAtATime(transcriber)


async def load(settings: Settings, model: InstalledModel) -> Callable[[], LocalMoonshineSTTService]:
    """Load the model and return what makes a stage of it."""
    architecture = str(model.model.options.get("arch", "tiny"))
    transcriber = await asyncio.to_thread(load_transcriber, model.path, architecture)
    return lambda: LocalMoonshineSTTService(
        transcriber=transcriber,
        settings=MoonshineSTTSettings(model=architecture, language=settings.language),
        is_eager=settings.turn.eager,
    )
