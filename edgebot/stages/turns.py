"""Whose turn it is when a button is held, and that a turn may be forgotten."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterimTranscriptionFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.turns.types import ProcessFrameResult, UserTurnSpeculation
from pipecat.turns.user_mute import BaseUserMuteStrategy
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy, UserTurnStoppedParams

from edgebot.frames import SleepFrame, TalkFrame, WakeFrame

# How long the last words are waited for where speech to text does not say what it needs.
WAIT_S = 1.0
# So much longer where speech was heard and no word has come: a busy machine takes its time, and
# words that came after the end would begin a turn of their own.
LATE_S = 2.0


class WakefulTurnStart(BaseUserTurnStartStrategy):
    """Begins a turn when the talk button is held, and none while it sleeps.

    Put it first: what comes while it sleeps is hidden from the strategies behind it.
    """

    def __init__(self) -> None:
        """Begin awake: whoever has no wake stage always is."""
        super().__init__()
        self._is_asleep = False

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Begin a turn, or forget what was said."""
        match frame:
            case WakeFrame():
                self._is_asleep = False
            case TalkFrame(held=True):
                self._is_asleep = False
                await self.trigger_user_turn_started()
                return ProcessFrameResult.STOP
            case SleepFrame():
                self._is_asleep = True
                await self.trigger_reset_aggregation()
            case TranscriptionFrame() | InterimTranscriptionFrame() if self._is_asleep:
                await self.trigger_reset_aggregation()
                return ProcessFrameResult.STOP
            case VADUserStartedSpeakingFrame() if self._is_asleep:
                return ProcessFrameResult.STOP
        return ProcessFrameResult.CONTINUE


class TalkButtonTurnStop(BaseUserTurnStopStrategy):
    """Ends a turn when the talk button is let go; every other turn is left to another strategy.

    While the button is held, no silence ends the turn. When it is let go, the turn ends with the
    final transcript, without any wait for silence. A turn that is open when it falls asleep ends
    without a question.
    """

    def __init__(self, other: BaseUserTurnStopStrategy) -> None:
        """Name the strategy that ends turns that nobody holds a button for.

        Args:
            other: It sees every frame; its decisions count only while no button is held.
        """
        super().__init__()
        self._other = other
        self._wait_s = WAIT_S
        self._has_turn = self._has_voice = self._has_text = self._is_speaking = False
        # Whether speech was heard whose final transcript has not come yet.
        self._is_owed = False
        self._is_held = self._is_let_go = self._is_over = self._is_asleep = False
        self._waiting: asyncio.Task[None] | None = None
        other.add_event_handler("on_push_frame", self._other_pushes)
        other.add_event_handler("on_broadcast_frame", self._other_broadcasts)
        other.add_event_handler("on_user_turn_inference_triggered", self._other_asks)
        other.add_event_handler("on_user_turn_speculation_cancelled", self._other_withdraws)
        other.add_event_handler("on_user_turn_stopped", self._other_stops)

    @property
    def other(self) -> BaseUserTurnStopStrategy:
        """The strategy that ends turns that nobody holds a button for."""
        return self._other

    # Pipecat's own strategies differ from their base in the same way.
    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        """Set both up."""
        await super().setup(setup)
        await self._other.setup(setup)

    async def cleanup(self) -> None:
        """Stop waiting."""
        await self._stop_waiting()
        await self._other.cleanup()
        await super().cleanup()

    async def handle_user_turn_started(self) -> None:
        """Take note that a turn begins."""
        self._has_turn, self._has_text = True, False
        await self._other.handle_user_turn_started()

    async def handle_user_turn_stopped(self) -> None:
        """Take note that the turn has ended."""
        self._has_turn = self._is_let_go = self._is_over = self._is_owed = False
        await self._stop_waiting()
        await self._other.handle_user_turn_stopped()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Follow the button, the voice and the words."""
        match frame:
            case STTMetadataFrame():
                self._wait_s = frame.ttfs_p99_latency
            case VADUserStartedSpeakingFrame():
                self._has_voice = True
                # The wake stage's own, at a press, takes no time: nothing may have been said.
                if frame.start_secs > 0:
                    self._is_speaking = self._is_owed = True
            case VADUserStoppedSpeakingFrame():
                self._has_voice = self._is_speaking = False
                await self._fall_quiet()
            case TranscriptionFrame():
                self._has_text = self._has_text or bool(frame.text.strip())
                if frame.finalized:
                    self._is_owed = self._is_speaking
                if self._is_let_go and frame.finalized:
                    await self._end()
            case WakeFrame():
                self._is_asleep = False
            case ProposedUserStartedSpeakingFrame() if not self._is_held:
                # Our own, overtaken by the hand that let go.
                await self.push_frame(ProposedUserStoppedSpeakingFrame())
            case ProposedUserStoppedSpeakingFrame():
                await self._fall_quiet()
            case TalkFrame():
                await self._press(frame.held)
            case SleepFrame():
                self._is_held = self._is_let_go = False
                self._is_asleep = True
                if not self._has_voice:
                    await self._forget()
        await self._other.process_frame(frame)
        return ProcessFrameResult.CONTINUE

    async def _press(self, held: bool) -> None:
        if held:
            self._is_asleep = self._is_let_go = self._is_over = False
            self._is_held = True
            await self._stop_waiting()
        elif self._is_held:
            self._is_held, self._is_let_go = False, True
            self._waiting = self.create_task(self._wait())

    async def _fall_quiet(self) -> None:
        if self._is_asleep:
            await self._forget()
        elif self._is_let_go:
            if self._is_over or (self._has_text and not self._is_owed):
                await self._end()
        elif self._is_held:
            # Pipecat ends a turn in which nobody speaks after some seconds: whoever holds the
            # button goes on speaking.
            await self.push_frame(ProposedUserStartedSpeakingFrame())

    async def _end(self) -> None:
        await self._stop_waiting()
        if self._has_turn:
            # Pipecat ends no turn while somebody speaks: then the next silence does.
            self._is_over = True
            await self.trigger_user_turn_stopped()
        else:
            self._is_let_go = False

    async def _forget(self) -> None:
        if self._has_turn:
            await self.trigger_user_turn_finalized()

    async def _wait(self) -> None:
        await asyncio.sleep(self._wait_s)
        if self._is_owed and not self._has_text:
            await asyncio.sleep(LATE_S)
        self._waiting = None
        await self._end()

    async def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await self.cancel_task(waiting)

    @property
    def _is_mine(self) -> bool:
        return self._is_held or self._is_let_go or self._is_asleep

    async def _other_asks(
        self, other: BaseUserTurnStopStrategy, speculation: UserTurnSpeculation | None
    ) -> None:
        if not self._is_mine:
            await self.trigger_user_turn_inference_triggered(speculation=speculation)

    async def _other_withdraws(self, other: BaseUserTurnStopStrategy) -> None:
        await self.trigger_user_turn_speculation_cancelled()

    async def _other_stops(
        self, other: BaseUserTurnStopStrategy, params: UserTurnStoppedParams
    ) -> None:
        if not self._is_mine:
            await self.trigger_user_turn_finalized(
                enable_user_speaking_frames=params.enable_user_speaking_frames,
                confirms_speculation=params.confirms_speculation,
            )

    async def _other_pushes(self, other: BaseUserTurnStopStrategy, *args: object) -> None:
        await self._call_event_handler("on_push_frame", *args)

    async def _other_broadcasts(
        self, other: BaseUserTurnStopStrategy, frame: type[Frame], **values: object
    ) -> None:
        await self.broadcast_frame(frame, **values)


class MutedWhileSpeaking(BaseUserMuteStrategy):
    """Speaking into an answer does nothing; its name and the button do.

    Pipecat's own strategy would swallow their interruptions too.
    """

    def __init__(self) -> None:
        """Begin in silence."""
        super().__init__()
        self._is_speaking = False

    async def process_frame(self, frame: Frame) -> bool:
        """Return whether the user is not to be heard from now on."""
        await super().process_frame(frame)
        match frame:
            case BotStartedSpeakingFrame():
                self._is_speaking = True
            case BotStoppedSpeakingFrame() | WakeFrame() | TalkFrame(held=True):
                self._is_speaking = False
        return self._is_speaking
