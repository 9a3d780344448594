"""Judges whether a voice that is heard while the assistant speaks is a person's or its own."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections import deque
from collections.abc import Callable

from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADParamsUpdateFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_start import BaseUserTurnStartStrategy

from edgebot.config import Settings, TurnSettings
from edgebot.frames import HoldFrame, SleepFrame, WakeFrame

# When the voice is held, the speaker's buffers, the room and the voice detector's own silence
# (`turn.stop_s`) still pass before an echo ends.
ECHO_ENDS_S = 0.45
# While it speaks, a voice over its own is heard in pieces. Listening more closely than usual costs
# only a short pause where it was none.
CLOSER_START = 0.65
CLOSER_CONFIDENCE = 0.2
# A voice that begins as soon after its own, and ends when its own is held, is an echo of it: of so
# few sounds no recognizer makes the right words.
TOGETHER_S = 0.6
# As long after the last sound was handed to the speaker, the room may still bring it.
TAIL_S = 0.5
# Nobody wants to wait longer for the rest of an answer.
LONGEST_HOLD_S = 2.0
# So many times it has heard itself within so much speech of its own: cancelling does not work here.
TOO_OFTEN = 3
WITHIN_S = 60.0
# An answer is made faster than it is spoken; this is more than any ten seconds of speech hold.
KEPT_CHARACTERS = 600

TROUBLE = (
    "The microphone hears the assistant's own voice, so from now on only the button or its name "
    'interrupts it: set echo.cancel to "on", turn the volume down, or move the two apart.'
)


class SpokenText:
    """The last words that the assistant has spoken or is about to speak."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, text: str) -> None:
        """Append what the voice is given to speak."""
        self._text = f"{self._text} {text}"[-KEPT_CHARACTERS:]

    def is_repeated_by(self, heard: str) -> bool:
        """Tell whether words that were heard are a part of it, as well as one hears an echo."""
        words, said = _words(heard), _words(self._text)
        if not words:
            return False
        # By chance, a single word is like one of many.
        likeness = {1: 0.9, 2: 0.85, 3: 0.75}.get(len(words), 0.7)
        matcher = difflib.SequenceMatcher(autojunk=False)
        matcher.set_seq2("".join(words))
        for size in range(max(1, len(words) - 1), len(words) + 2):
            for start in range(max(1, len(said) - size + 1)):
                matcher.set_seq1("".join(said[start : start + size]))
                if matcher.quick_ratio() >= likeness and matcher.ratio() >= likeness:
                    return True
        return False


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower().replace("'", ""))


class GuardedUserTurnStartStrategy(BaseUserTurnStartStrategy):
    """Starts the user's turn at the first voice, but doubts a voice while the assistant speaks.

    A doubtful voice makes the assistant hold its own at once (`HoldFrame`). If the other goes on
    though nothing sounds any more, or begins anew, it is a person's and the turn starts, with all
    words from its beginning. If it ends, its words decide: none, or those that are being spoken,
    and the assistant goes on where it stopped.
    """

    def __init__(
        self,
        *,
        voice: VADParams | None = None,
        by_voice: bool = True,
        when_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Choose how to judge.

        Args:
            voice: How the voice detector is set; None is Pipecat's default.
            by_voice: Whether a voice may interrupt at all.
            when_trouble: Called once, with one sentence, when voices can no longer be told apart
                and only the button or the name interrupts from then on.
        """
        super().__init__()
        self._usual = voice or VADParams()
        self._closer = self._usual.model_copy(
            update={
                "start_secs": self._usual.start_secs * CLOSER_START,
                "confidence": max(0.0, self._usual.confidence - CLOSER_CONFIDENCE),
            }
        )
        self._is_close = False
        self._decide_s = self._usual.stop_secs + ECHO_ENDS_S
        self._by_voice = by_voice
        self._when_trouble = when_trouble
        self._spoken = SpokenText()
        self._transcript_s = 1.0
        self._is_speaking = False
        self._changed_at = float("-inf")
        self._own_speech_s = 0.0
        self._heard_itself_at_s: deque[float] = deque(maxlen=TOO_OFTEN)
        self._is_voice = False
        self._is_turn = False
        self._doubted_at: float | None = None
        self._sounds_since = float("-inf")
        self._is_together = False
        self._is_held = False
        self._timer: asyncio.Task[None] | None = None

    def watch(self, tts: FrameProcessor) -> None:
        """Take note of what a voice is given to speak.

        Args:
            tts: A Pipecat `TTSService`.
        """

        async def requested(_: object, context_id: str, text: str) -> None:
            self.note(text)

        tts.add_event_handler("on_tts_request", requested)

    def note(self, text: str) -> None:
        """Take note of what is about to be spoken."""
        self._spoken.add(text)

    async def cleanup(self) -> None:
        """Stop waiting."""
        await self._stop_timer()
        await super().cleanup()

    async def handle_user_turn_started(self) -> None:
        """Doubt no more: it is somebody's turn, whatever started it."""
        self._is_turn = True
        await self._settle()

    async def handle_user_turn_stopped(self) -> None:
        """Listen for the next turn."""
        self._is_turn = False

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Follow both voices, and start the turn when it is a person's."""
        match frame:
            case BotStartedSpeakingFrame():
                self._is_speaking, self._changed_at = True, self._now()
                self._sounds_since = self._changed_at
                await self._listen_closely(self._by_voice)
            case BotStoppedSpeakingFrame():
                await self._own_voice_ended()
            case STTMetadataFrame():
                self._transcript_s = frame.ttfs_p99_latency
            case InterruptionFrame():
                await self._release()
            case SleepFrame():
                await self._settle()
            case WakeFrame(by="word") if self._doubted_at is not None and not self._is_turn:
                # Only a person says its name.
                return await self._start()
            case _ if not self._is_turn:
                return await self._listen(frame)
            case VADUserStartedSpeakingFrame():
                self._is_voice = True
            case VADUserStoppedSpeakingFrame():
                self._is_voice = False
                await self._listen_closely(self._is_close and self._is_speaking)
        return ProcessFrameResult.CONTINUE

    async def _listen(self, frame: Frame) -> ProcessFrameResult:
        match frame:
            case VADUserStartedSpeakingFrame():
                self._is_voice = True
                # The wake stage's own takes no time: somebody has pressed the button or said the
                # name.
                return await self._voice_began(is_certain=not frame.start_secs)
            case VADUserStoppedSpeakingFrame():
                self._is_voice = False
                await self._voice_ended()
            case InterimTranscriptionFrame() if frame.text.strip() and not self._is_doubtful:
                return await self._start()
            case InterimTranscriptionFrame():
                pass
            case TranscriptionFrame() if frame.text.strip():
                return await self._words_came(frame.text)
        return ProcessFrameResult.CONTINUE

    async def _voice_began(self, *, is_certain: bool) -> ProcessFrameResult:
        # An echo does not begin while nothing sounds.
        if is_certain or not self._is_doubtful or self._is_held:
            return await self._start()
        self._doubted_at = self._now()
        # Where its own voice is not held, one that ends with it is an echo of it too.
        is_new = self._now() - self._sounds_since < TOGETHER_S
        self._is_together = self._is_speaking and (is_new or not self._by_voice)
        if self._by_voice and self._is_speaking:
            self._is_held = True
            await self.push_frame(HoldFrame(True))
        await self._decide_in(self._decide_s)
        return ProcessFrameResult.CONTINUE

    async def _voice_ended(self) -> None:
        await self._listen_closely(self._is_close and self._is_speaking)
        if self._doubted_at is not None:
            left_s = self._doubted_at + LONGEST_HOLD_S - self._now()
            await self._decide_in(max(0.0, min(self._transcript_s, left_s)))

    async def _own_voice_ended(self) -> None:
        if self._is_speaking:
            self._own_speech_s += self._now() - self._changed_at
        self._is_speaking, self._changed_at = False, self._now()
        await self._listen_closely(False)
        # A voice that was no interruption is a person's if it outlives the assistant's.
        if self._doubted_at is not None and self._is_voice and not self._is_held:
            await self._decide_in(self._decide_s)

    async def _listen_closely(self, is_close: bool) -> None:
        # A detector that is set anew forgets the voice it has just heard.
        if is_close != self._is_close and not self._is_voice:
            self._is_close = is_close
            await self.push_frame(VADParamsUpdateFrame(self._closer if is_close else self._usual))

    async def _words_came(self, text: str) -> ProcessFrameResult:
        if not self._is_doubtful:
            return await self._start()
        if self._is_together or self._spoken.is_repeated_by(text):
            await self._heard_itself()
        elif self._may_start:
            return await self._start()
        await self.trigger_reset_aggregation()
        # The next voice may have begun already, and is doubted in its own right.
        if not self._is_voice:
            await self._settle()
        return ProcessFrameResult.CONTINUE

    async def _time_is_up(self) -> None:
        """Decide without words: a voice that is still there is a person's, a cough was nothing."""
        if self._is_voice and self._may_start:
            await self._start()
        elif not self._is_voice:
            await self._settle()

    async def _start(self) -> ProcessFrameResult:
        await self.trigger_user_turn_started()
        return ProcessFrameResult.STOP

    @property
    def _is_doubtful(self) -> bool:
        """Whether what is heard may be the assistant's own voice."""
        sounds = self._is_speaking or self._now() - self._changed_at < TAIL_S
        return sounds or self._doubted_at is not None

    @property
    def _may_start(self) -> bool:
        return self._by_voice or not self._is_speaking

    async def _heard_itself(self) -> None:
        speech_s = self._own_speech_s
        if self._is_speaking:
            speech_s += self._now() - self._changed_at
        self._heard_itself_at_s.append(speech_s)
        times = self._heard_itself_at_s
        if self._by_voice and len(times) == TOO_OFTEN and speech_s - times[0] <= WITHIN_S:
            self._by_voice = False
            self._when_trouble(TROUBLE)

    async def _settle(self) -> None:
        self._doubted_at = None
        self._is_together = False
        await self._stop_timer()
        await self._release()

    async def _release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._sounds_since = self._now()
            # After an interruption nothing is left to go on with.
            await self.push_frame(HoldFrame(False))

    async def _decide_in(self, seconds: float) -> None:
        await self._stop_timer()

        async def wait() -> None:
            await asyncio.sleep(seconds)
            self._timer = None
            await self._time_is_up()

        self._timer = self.create_task(wait())

    async def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            await self.cancel_task(timer)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def create(
    settings: Settings, when_trouble: Callable[[str], None] = lambda text: None
) -> GuardedUserTurnStartStrategy | None:
    """Return the guard, or None where `echo.guard` is off: then every voice starts a turn.

    Args:
        settings: Its sections `echo` and `turn`.
        when_trouble: Called once, with one sentence, when only the button or the name interrupts
            from then on.
    """
    if not settings.echo.guard:
        return None
    return GuardedUserTurnStartStrategy(
        voice=voice_params(settings.turn),
        by_voice=settings.turn.interrupt,
        when_trouble=when_trouble,
    )


def voice_params(turn: TurnSettings) -> VADParams:
    """Return how the voice detector is set while the assistant is silent."""
    return VADParams(
        confidence=turn.confidence,
        start_secs=turn.start_s,
        stop_secs=turn.stop_s,
        min_volume=turn.min_volume,
    )
