"""Speech to text by Vosk: words while one speaks, the whole utterance at its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterimTranscriptionFrame,
    StartFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transcriptions.language import Language
from pipecat.turns.eager_end_of_turn_mixin import EagerEndOfTurnSTTServiceMixin
from pipecat.utils.time import time_now_iso8601

from edgebot.config import Settings
from edgebot.engines.thread import EngineThread
from edgebot.engines.vosk import RATE_HZ, Utterance, VoskEngine
from edgebot.frames import SleepFrame
from edgebot.models.installed import InstalledModel
from edgebot.stages.pauses import PauseDetector

# The voice detector needs 0.2 s to be sure; the rest keeps a soft first syllable.
PRE_ROLL_S = 0.6
# After this much sound the recognizer is renewed in the next pause: it grows by what it hears.
RENEW_AFTER_S = 300.0


class Recognizer(Protocol):
    """What the service needs of an engine; `VoskEngine` is one."""

    @property
    def heard_s(self) -> float: ...
    def accept(self, audio: bytes) -> str: ...
    def finish(self) -> Utterance: ...
    def renew(self) -> None: ...


@dataclass
class VoskSTTSettings(STTSettings):
    """Settings for `VoskSTTService`; none can change while it runs."""


class VoskSTTService(EagerEndOfTurnSTTServiceMixin, STTService):
    """Transcribes with a local Vosk model, between the voice detector's start and stop.

    Sound goes to the recognizer while somebody speaks, beginning a little before the voice detector
    noticed. Interim frames carry what is heard so far; the final frame is marked finalized, and its
    `result` holds the words with their times (seconds) and confidences (0 to 1). At each short
    pause the words so far are handed on eagerly, on the guess that these were all.
    """

    Settings = VoskSTTSettings
    _settings: VoskSTTSettings

    def __init__(
        self,
        *,
        engine: Recognizer,
        thread: EngineThread,
        settings: VoskSTTSettings | None = None,
        renew_after_s: float = RENEW_AFTER_S,
        ttfs_p99_latency: float = 0.3,
        is_eager: bool = False,
    ) -> None:
        """Wrap a loaded engine.

        Args:
            engine: The recognizer, used in `thread` only.
            thread: The engine's own thread.
            settings: The model's name and the language.
            renew_after_s: Seconds of sound after which the recognizer is renewed when idle.
            ttfs_p99_latency: The longest wait for a final transcript, in seconds.
            is_eager: Whether to guess at pauses.
        """
        default = self.Settings(model=None, language=None)
        if settings is not None:
            default.apply_update(settings)
        super().__init__(
            sample_rate=RATE_HZ,
            settings=default,
            ttfs_p99_latency=ttfs_p99_latency,
            enable_eager_end_of_turn=is_eager,
        )
        self._pauses = PauseDetector(RATE_HZ)
        self._engine = engine
        self._thread = thread
        self._renew_after_s = renew_after_s
        self._pre_roll: deque[bytes] = deque()
        # Sound to hear; None ends an utterance.
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._decoder: asyncio.Task[None] | None = None
        self._forgotten = 0

    def can_generate_metrics(self) -> bool:
        """Return True: time to the final transcript is measured."""
        return True

    async def start(self, frame: StartFrame) -> None:
        """Start hearing."""
        await super().start(frame)
        self._decoder = self.create_task(self._decode())

    async def stop(self, frame: EndFrame) -> None:
        """Hear what is queued, then stop."""
        if self._user_speaking:
            self._queue.put_nowait(None)
        await self._queue.join()
        await self._stop_decoder()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """Stop at once."""
        await self._stop_decoder()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        """Release the decoding task."""
        await self._stop_decoder()
        await super().cleanup()

    async def _stop_decoder(self) -> None:
        if self._decoder is not None:
            await self.cancel_task(self._decoder)
            self._decoder = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Open and close utterances with the voice detector."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._pauses.begin()
            while self._pre_roll:
                self._queue.put_nowait(self._pre_roll.popleft())
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._queue.put_nowait(None)
        elif isinstance(frame, SleepFrame):
            self._forget()

    def _forget(self) -> None:
        """Hear no more of what was said until now."""
        self._pre_roll.clear()
        self._clear_eager_end_of_turn()
        while not self._queue.empty():
            self._queue.get_nowait()
            self._queue.task_done()
        self._forgotten += 1
        self._queue.put_nowait(None)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Queue sound for the recognizer; transcripts are pushed as they come.

        Args:
            audio: 16-bit mono PCM at 16 kHz.
        """
        is_pause = self._pauses.hear(audio)
        if self._user_speaking:
            self._queue.put_nowait(audio)
            if not is_pause:
                await self._cancel_eager_end_of_turn()
        else:
            self._pre_roll.append(audio)
            while sum(map(len, self._pre_roll)) > PRE_ROLL_S * RATE_HZ * 2:
                self._pre_roll.popleft()
        yield None

    async def _decode(self) -> None:
        # The engine may come from a conversation that ended in the middle of a word.
        try:
            await self._thread.run(self._engine.finish)
        except Exception as error:
            await self._give_up(error)
        heard, forgotten = "", self._forgotten
        while True:
            audio, ended, taken = await self._next_audio()
            try:
                so_far = await self._thread.run(partial(self._engine.accept, audio))
                if forgotten != self._forgotten:
                    heard, forgotten = "", self._forgotten
                    await self._thread.run(self._engine.finish)
                elif ended:
                    heard = ""
                    await self._finish()
                else:
                    if so_far and so_far != heard:
                        heard = so_far
                        await self._push_interim(so_far)
                    await self._guess(so_far)
            except Exception as error:
                await self._give_up(error)
            finally:
                for _ in range(taken):
                    self._queue.task_done()

    async def _guess(self, text: str) -> None:
        is_new = text and not self.eager_end_of_turn_pending
        if is_new and self._pauses.is_pause and self._queue.empty():
            await self._push_eager_end_of_turn(
                text, user_id=self._user_id, language=self._language()
            )

    async def _give_up(self, error: Exception) -> None:
        await self.push_error(
            f"the recognizer failed: {error}", error, force_treat_as_permanent=True
        )

    async def _next_audio(self) -> tuple[bytes, bool, int]:
        """Return all sound that waits, whether the utterance ends with it, and the items taken."""
        pieces = [await self._queue.get()]
        while pieces[-1] is not None and not self._queue.empty():
            pieces.append(self._queue.get_nowait())
        audio = b"".join(piece for piece in pieces if piece is not None)
        return audio, pieces[-1] is None, len(pieces)

    async def _finish(self) -> None:
        forgotten = self._forgotten
        self._clear_eager_end_of_turn()
        utterance = await self._thread.run(self._engine.finish)
        if utterance.text and forgotten == self._forgotten:
            frame = TranscriptionFrame(
                utterance.text,
                self._user_id,
                time_now_iso8601(),
                self._language(),
                result={"words": [asdict(word) for word in utterance.words]},
                finalized=True,
            )
            await self.push_frame(frame)
            await self.emit_stt_usage_metrics()
        if self._engine.heard_s > self._renew_after_s and self._queue.empty():
            await self._thread.run(self._engine.renew)

    async def _push_interim(self, text: str) -> None:
        await self.push_frame(
            InterimTranscriptionFrame(text, self._user_id, time_now_iso8601(), self._language())
        )

    def _language(self) -> Language | None:
        language = self._settings.language
        return Language(language) if isinstance(language, str) else None


async def load(settings: Settings, model: InstalledModel) -> Callable[[], VoskSTTService]:
    """Load the model and return what makes a stage of it."""
    thread = EngineThread("vosk")
    engine = await thread.run(lambda: VoskEngine(model.path, grammar=settings.stt.grammar))
    return lambda: VoskSTTService(
        engine=engine,
        thread=thread,
        settings=VoskSTTSettings(model=model.model.id, language=settings.language),
        is_eager=settings.turn.eager,
    )
