"""Ends a turn after a silence that fits what was said, and has it answered before it has ended."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.turns.types import ProcessFrameResult, UserTurnSpeculation
from pipecat.turns.user_stop import BaseUserTurnStopStrategy, NormalizedMatch

from edgebot.frames import TalkFrame
from edgebot.stages.melody import Melody
from edgebot.stages.pauses import PauseDetector
from edgebot.stages.recent_sound import RATE_HZ
from edgebot.stages.turns import WAIT_S

# A little more than the voice detector wants to hear before it is sure of a voice.
LATE_S = 0.1


class HoldAfter(Protocol):
    """Returns how many seconds of silence, beyond the voice detector's own, end a turn.

    How likely it is by its melody that nothing follows may be None: not known yet, or never.
    """

    def __call__(self, text: str, completeness: float | None = None) -> float: ...


class EagerTurnStop(BaseUserTurnStopStrategy):
    """Ends a turn when silence has lasted long enough for its words, and guesses its end before.

    As soon as somebody pauses and the words are known, the language model is asked on the guess
    that this was all (Pipecat's speculative inference: the answer is held back). When the turn ends
    with the same words, the answer that is being made counts; when somebody goes on, it is
    withdrawn. Pipecat's own strategies either hold the same time after everything and ask then, or
    leave both decisions to a speech to text service.
    """

    def __init__(
        self, *, hold_s: HoldAfter, is_eager: bool, start_s: float, melody: Melody | None = None
    ) -> None:
        """Choose how it decides.

        Args:
            hold_s: By what was said.
            is_eager: Whether the language model is asked before the turn has ended.
            start_s: How much speech the voice detector wants to hear before it is sure of it.
            melody: Is asked whether a turn sounds complete, where that makes a difference.
        """
        super().__init__()
        self._hold_s = hold_s
        self._is_eager = is_eager
        self._sure_s = start_s + LATE_S
        self._melody = melody
        self._pauses = PauseDetector(RATE_HZ)
        self._match = NormalizedMatch()
        self._transcript_s = WAIT_S
        self._is_speaking = self._has_turn = self._has_voice = False
        self._speculation: UserTurnSpeculation | None = None
        self._withdrawn_id = 0
        self._timer: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[None] | None = None
        self._forget_words()

    def _forget_words(self) -> None:
        self._is_by_hand = False
        self._completeness: float | None = None
        self._texts: list[str] = []
        self._is_final = False
        self._silent_since: float | None = None
        self._owed_until = 0.0

    async def cleanup(self) -> None:
        """Stop waiting."""
        await self._stop_waiting()
        await super().cleanup()

    async def handle_user_turn_started(self) -> None:
        """Begin without words; somebody may be speaking already."""
        self._has_turn, self._has_voice = True, self._is_speaking
        await self._end_turn()

    async def handle_user_turn_stopped(self) -> None:
        """Forget the turn, whoever ended it."""
        self._is_speaking = self._has_turn = self._has_voice = False
        await self._end_turn()

    async def _end_turn(self) -> None:
        await self._stop_waiting()
        await self._withdraw()
        self._forget_words()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Follow the voice and the words."""
        match frame:
            case STTMetadataFrame():
                self._transcript_s = frame.ttfs_p99_latency
            case InputAudioRawFrame():
                self._pauses.hear(frame.audio)
                if self._melody is not None:
                    self._melody.hear(frame.audio)
            case VADUserStartedSpeakingFrame():
                self._is_speaking, self._is_final, self._silent_since = True, False, None
                self._completeness = None
                self._pauses.begin()
                if self._melody is not None and not self._has_voice:
                    self._melody.begin(frame.start_secs)
                self._has_voice = self._has_turn
                await self._stop_waiting()
                await self._withdraw()
            case VADUserStoppedSpeakingFrame():
                self._is_speaking, self._silent_since = False, self._now()
                if self._melody is not None:
                    self._melody.end(frame.stop_secs)
                # Speech to text has had the voice detector's silence already.
                self._owed_until = self._now() + max(0.0, self._transcript_s - frame.stop_secs)
                await self._wait()
            case EagerTranscriptionFrame() if frame.id > self._withdrawn_id:
                await self._guess(frame.text)
            case EagerEndOfTurnCancelFrame():
                # Speech to text hears more. Its word overtakes the guess itself, and the question
                # that was asked on it: what is told once more is younger than either.
                self._withdrawn_id = frame.id
                await self._withdraw()
            case InterruptionFrame():
                # This cannot be answered ahead.
                self._speculation = None
            case InterimTranscriptionFrame():
                self._is_final = False
            case TranscriptionFrame():
                await self._words_came(frame)
            case TalkFrame():
                # The hand decides when this turn ends.
                self._is_by_hand = True
                await self._withdraw()
        return ProcessFrameResult.CONTINUE

    @property
    def _text(self) -> str:
        return " ".join(self._texts)

    async def _words_came(self, frame: TranscriptionFrame) -> None:
        self._texts.append(frame.text.strip())
        self._is_final = self._is_final or frame.finalized
        if self._is_speaking:
            return
        if self._silent_since is None:
            self._silent_since = self._owed_until = self._now()
        await self._guess()
        await self._wait()

    async def _guess(self, more: str = "") -> None:
        """Ask the language model on the guess that nothing follows."""
        text = " ".join([*self._texts, more.strip()]).strip()
        if self._speculation is not None:
            if self._match.matches(self._speculation.text, text):
                return
            await self._withdraw()
        if self._is_eager and text:
            self._speculation = UserTurnSpeculation(text=text)
            await self.trigger_user_turn_inference_triggered(speculation=self._speculation)

    async def _withdraw(self) -> None:
        speculation, self._speculation = self._speculation, None
        if speculation is not None:
            await self.trigger_user_turn_speculation_cancelled()

    async def _wait(self) -> None:
        """Wait for the silence that these words need, and for words that are owed."""
        await self._stop_timer()
        if self._silent_since is None:
            return
        self._judge()
        until = self._silent_since + self._hold_s(self._text, self._completeness)
        if not self._is_final:
            until = max(until, self._owed_until)
        self._timer = self.create_task(self._decide(until - self._now()))

    def _judge(self) -> None:
        """Listen to the melody once in a silence, where these words leave it open."""
        is_known = self._judging is not None or self._completeness is not None
        if self._melody is None or is_known or self._is_by_hand or not self._text:
            return
        if self._hold_s(self._text, 1.0) != self._hold_s(self._text, 0.0):
            self._judging = self.create_task(self._listen(self._melody))

    async def _listen(self, melody: Melody) -> None:
        self._completeness = await melody.completeness()
        self._judging = None
        if self._completeness is not None:
            await self._wait()

    async def _decide(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._pauses.has_gone_on:
            # Somebody may have gone on, and the voice detector is not sure of it yet.
            await asyncio.sleep(self._sure_s)
        self._timer = None
        # Nothing was understood: what comes late ends the turn.
        if not self._text or self._is_speaking:
            return
        speculation, self._speculation = self._speculation, None
        if speculation is not None:
            await self.trigger_user_turn_finalized(confirms_speculation=True)
        else:
            await self.trigger_user_turn_stopped()

    async def _stop_waiting(self) -> None:
        await self._stop_timer()
        judging, self._judging = self._judging, None
        if judging is not None:
            await self.cancel_task(judging)

    async def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            await self.cancel_task(timer)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
