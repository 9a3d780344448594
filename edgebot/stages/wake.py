"""Asleep, nothing passes but to the engine that knows its name."""

from __future__ import annotations

import math
from typing import Literal

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextUserTurnFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from edgebot.config import Settings
from edgebot.engines.wakeword import RATE_HZ, Detection, WakeWordEngine
from edgebot.frames import ChimeFrame, SleepFrame, TalkFrame, WakeFrame
from edgebot.stages.recent_sound import RecentSound, pieces

Mode = Literal["word", "button", "always"]

# Whoever has woken it is given so long to begin to speak, however short the follow-up.
WOKEN_AT_LEAST_S = 4.0
# An answer that takes longer to begin is announced by a chime: the question was heard.
HEARD_AFTER_S = 1.0
# An answer that has not begun by now does not come: a language model may say nothing at all.
GIVE_UP_AFTER_S = 60.0
# Its own sound reaches the microphone a little later than it ends in the pipeline.
TAIL_S = 0.3
CHIME_S = 0.6
# This much silence beyond its own patience brings the voice detector to rest.
REST_S = 0.3
# A recognizer that begins in the middle of sound hears another first word than behind a silence.
LEAD_S = 0.3


class WakeGate(FrameProcessor):
    """Passes sound on while it is awake, and decides when that is.

    Asleep, sound goes to the engine only: the voice detector and speech to text stand still. A
    name, a press or a held button wakes it, with the sound that belongs to the question.
    It falls asleep when nobody has spoken for a while after an answer, or when it is told to. Time
    is that of the sound: while the microphone delivers nothing, none passes.
    """

    def __init__(
        self,
        *,
        engine: WakeWordEngine | None,
        mode: Mode = "word",
        follow_up_s: float = 8.0,
        pre_roll_s: float = 1.0,
        stop_s: float = 0.2,
        hears_while_speaking: bool = True,
    ) -> None:
        """Set it up, asleep unless it is always awake.

        Args:
            engine: Knows its names; None where only the button wakes it.
            mode: "always" begins awake and falls asleep only when it is told to.
            follow_up_s: How long it listens after an answer.
            pre_roll_s: Sound before a press that is passed on.
            stop_s: The silence that the voice detector takes for the end of speech.
            hears_while_speaking: Whether sound is passed on while it speaks.
        """
        super().__init__()
        self._engine = engine
        self._mode = mode
        self._follow_up_s = follow_up_s
        self._pre_roll_s = pre_roll_s
        self._stop_s = stop_s
        self._hears_while_speaking = hears_while_speaking
        self._recent = RecentSound(keep_s=pre_roll_s + 1.0)
        self._is_awake = mode == "always"
        self._is_held = self._has_voice = self._has_turn = self._is_speaking = False
        self._thinks_since_s: float | None = None
        self._has_chimed = False
        self._sleeps_at_s = 0.0

    @property
    def is_awake(self) -> bool:
        """Whether sound is passed on."""
        return self._is_awake

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep, pass or drop sound; wake and fall asleep; pass everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                await self._hear(frame)
            case WakeFrame():
                await self._wake(frame)
            case TalkFrame(held=True):
                await self._hold(frame)
            case TalkFrame(held=False):
                await self._let_go(frame)
            case SleepFrame():
                await self._sleep(frame, direction)
            case _:
                self._note(frame)
                await self.push_frame(frame, direction)

    @property
    def _is_busy(self) -> bool:
        return self._is_speaking or self._thinks_since_s is not None

    @property
    def _passes(self) -> bool:
        return self._is_awake and (self._hears_while_speaking or not self._is_speaking)

    async def _hear(self, frame: InputAudioRawFrame) -> None:
        self._recent.add(frame.audio)
        found: Detection | None = None
        if self._engine is not None:
            found = self._engine.accept(frame.audio, strict=self._is_speaking)
        if self._passes:
            await self.push_frame(frame)
        if found is not None:
            await self._named(found)
        await self._watch()

    async def _named(self, found: Detection) -> None:
        had_passed = self._passes
        if had_passed and not self._is_busy:
            self._listen()
            return
        await self._wake(WakeFrame(by="word"), replay=False)
        if not had_passed:
            await self._pass_on(_silence(LEAD_S))
            await self._pass_on(self._recent.last(found.ago_s))

    async def _wake(self, frame: WakeFrame, *, replay: bool = True) -> None:
        was_awake, was_busy = self._is_awake, self._is_busy
        pre_roll_s = min(self._pre_roll_s, self._recent.clean_s)
        await self.push_frame(frame)
        if was_busy:
            await self.broadcast_interruption()
        self._is_awake, self._is_speaking, self._thinks_since_s = True, False, None
        self._listen()
        if was_busy or not was_awake:
            await self._chime("woken")
        if replay and not was_awake:
            await self._pass_on(self._recent.last(pre_roll_s))

    async def _hold(self, frame: TalkFrame) -> None:
        was_awake = self._is_awake
        pre_roll_s = min(self._pre_roll_s, self._recent.clean_s)
        if not was_awake:
            await self._wake(WakeFrame(by="button"), replay=False)
        self._is_held = True
        await self.push_frame(frame)
        # Whoever holds the button speaks, be it ever so softly.
        await self.push_frame(VADUserStartedSpeakingFrame())
        if not was_awake:
            await self._pass_on(self._recent.last(pre_roll_s))

    async def _let_go(self, frame: TalkFrame) -> None:
        await self.push_frame(frame)
        if self._is_held:
            self._is_held = False
            self._listen()
            # Speech to text begins to finish at once; the voice detector need not notice first.
            await self.push_frame(VADUserStoppedSpeakingFrame(stop_secs=self._stop_s))

    async def _sleep(
        self, frame: SleepFrame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        was_busy = self._is_busy
        self._is_awake = self._is_held = self._has_voice = self._has_turn = False
        # What was heard until now is not to be heard again.
        self._recent.spoil(0.0)
        await self.push_frame(frame, direction)
        await self._rest()
        if frame.cancelled:
            if was_busy:
                await self.broadcast_interruption()
                self._is_speaking, self._thinks_since_s = False, None
            await self._chime("cancelled")

    def _listen(self) -> None:
        self._sleeps_at_s = self._recent.now_s + max(self._follow_up_s, WOKEN_AT_LEAST_S)

    def _note(self, frame: Frame) -> None:
        match frame:
            case VADUserStartedSpeakingFrame():
                self._has_voice = True
            case VADUserStoppedSpeakingFrame():
                self._has_voice = False
            case UserStartedSpeakingFrame():
                self._has_turn = True
            case UserStoppedSpeakingFrame():
                self._has_turn = False
            case LLMContextUserTurnFrame():
                self._thinks_since_s, self._has_chimed = self._recent.now_s, False
            case BotStartedSpeakingFrame():
                self._is_speaking, self._thinks_since_s = True, None
                self._recent.spoil(math.inf)
            case BotStoppedSpeakingFrame():
                self._recent.spoil(TAIL_S)
                self._end_answer()
            case InterruptionFrame() | ErrorFrame():
                self._end_answer()
            case ChimeFrame():
                self._recent.spoil(CHIME_S)

    def _end_answer(self) -> None:
        self._is_speaking, self._thinks_since_s = False, None
        # An interruption is no reason to give less time than a press gives.
        self._sleeps_at_s = max(self._sleeps_at_s, self._recent.now_s + self._follow_up_s)

    async def _watch(self) -> None:
        now_s = self._recent.now_s
        if self._thinks_since_s is not None:
            thinks_s = now_s - self._thinks_since_s
            if thinks_s > GIVE_UP_AFTER_S:
                self._end_answer()
            elif thinks_s > HEARD_AFTER_S and not self._has_chimed:
                self._has_chimed = True
                await self._chime("heard")
        is_needed = self._is_held or self._has_voice or self._has_turn or self._is_busy
        may_sleep = self._is_awake and self._mode != "always" and not is_needed
        if may_sleep and now_s >= self._sleeps_at_s:
            await self._sleep(SleepFrame())

    async def _chime(self, name: str) -> None:
        self._recent.spoil(CHIME_S)
        await self.push_frame(ChimeFrame(name))

    async def _pass_on(self, audio: bytes) -> None:
        for piece in pieces(audio):
            await self.push_frame(InputAudioRawFrame(piece, RATE_HZ, 1))

    async def _rest(self) -> None:
        """Let the voice detector hear that nobody speaks, without waiting for it in real time."""
        await self._pass_on(_silence(self._stop_s + REST_S))


def _silence(seconds: float) -> bytes:
    return bytes(int(seconds * RATE_HZ) * 2)


def load_engine(settings: Settings) -> WakeWordEngine | None:
    """Load the engine that the settings name; None where only the button wakes it.

    Raises:
        ConfigError: There is no such word, or the engine is not installed.
        ModelError: A model's files are missing or broken.
    """
    wake = settings.wake
    if wake.mode == "button":
        return None
    if wake.engine == "openwakeword":
        # Imported here because it is installed only where it is asked for.
        from edgebot.engines.open_wakeword import OpenWakeWordEngine

        return OpenWakeWordEngine(wake.words, sensitivity=wake.sensitivity)
    from edgebot.engines.wakeword import MicroWakeWordEngine

    return MicroWakeWordEngine(wake.words, sensitivity=wake.sensitivity)


def create(settings: Settings, engine: WakeWordEngine | None) -> WakeGate:
    """Return the stage.

    Args:
        settings: Of the wake word and of the turn.
        engine: From `load_engine`.
    """
    return WakeGate(
        engine=engine,
        mode=settings.wake.mode,
        follow_up_s=settings.wake.follow_up_s,
        pre_roll_s=settings.wake.pre_roll_s,
        stop_s=settings.turn.stop_s,
        hears_while_speaking=settings.turn.interrupt,
    )
