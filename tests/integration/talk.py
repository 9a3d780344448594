"""A conversation with the whole pipeline in which the user's words need no sound."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_response_universal import AssistantTurnStoppedMessage
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.time import time_now_iso8601

from edgebot.app import Conversation
from edgebot.config import Settings
from edgebot.pipeline import Stages
from edgebot.stages.device import DeviceTransport
from tests.integration.running import PATIENCE_S, Tap

RATE_HZ = 24_000


class Words(FrameProcessor):
    """Stands where speech to text would stand, and lets no sound through to the voice detector."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)

    async def say(self, text: str) -> None:
        """Bring what a voice detector and a recognizer bring of a sentence."""
        await self.broadcast_frame(VADUserStartedSpeakingFrame)
        await self.push_frame(TranscriptionFrame(text, "user", time_now_iso8601(), finalized=True))
        await self.broadcast_frame(VADUserStoppedSpeakingFrame, stop_secs=0.2)


@dataclasses.dataclass(frozen=True)
class Written:
    """Sound that was handed to the speaker."""

    audio: bytes


@dataclasses.dataclass(frozen=True)
class Cleared:
    """The speaker threw away what it had not played yet."""


class FakeSpeaker:
    """A speaker without a device.

    It takes its time as a real one does, or none at all.
    """

    def __init__(self, *, paced: bool, when_event: Callable[[Written | Cleared], None]) -> None:
        self._paced = paced
        self._when_event = when_event
        self._done_at = 0.0

    @property
    def silent_s(self) -> float:
        return 0.0

    @property
    def is_running(self) -> bool:
        return True

    @property
    def is_lost(self) -> bool:
        return False

    @property
    def is_given_up(self) -> bool:
        return False

    @property
    def waiting_s(self) -> float:
        return max(0.0, self._done_at - time.monotonic())

    def write(self, audio: bytes) -> None:
        self._when_event(Written(audio))
        if self._paced:
            self._done_at = time.monotonic() + self.waiting_s + len(audio) / (2 * RATE_HZ)

    def clear(self) -> None:
        self._when_event(Cleared())
        self._done_at = 0.0

    def hold(self, held: bool) -> None:
        pass

    def chime(self, audio: bytes) -> None:
        pass

    def set_volume(self, volume: float) -> None:
        pass

    def close(self) -> None:
        pass


class Talk:
    """A running conversation, for one `async with` block.

    Attributes:
        spoken: All that comes out of the voice.
        played: All that comes out behind the speaker.
        events: The same, and what the speaker itself is told, in one order.
    """

    def __init__(self, settings: Settings, stages: Stages, *, paced: bool = True) -> None:
        """Put words in place of the recognizer, and taps behind the voice and the speaker.

        Args:
            settings: The conversation's.
            stages: From `assemble`.
            paced: Whether the speaker takes its time.
        """
        self.spoken, self.played = Tap(), Tap()
        self.events: list[Frame | Written | Cleared] = []
        self.played.when_frame = self.events.append
        speaker = FakeSpeaker(paced=paced, when_event=self.events.append)
        self._words = Words()
        self._context = stages.context
        self._answers: asyncio.Queue[tuple[str, AssistantTurnStoppedMessage]] = asyncio.Queue()
        self._ready = asyncio.Event()
        stages.assistant.add_event_handler("on_assistant_turn_stopped", self._answered)

        async def ready() -> None:
            self._ready.set()

        self.conversation = Conversation(
            settings,
            dataclasses.replace(
                stages,
                stt=self._words,
                tts=Pipeline([stages.tts, self.spoken]),
                assistant=cast(Any, Pipeline([self.played, stages.assistant])),
            ),
            DeviceTransport(
                open_microphone=None, open_speaker=lambda: speaker, speaker_rate_hz=RATE_HZ
            ),
            rate_hz=RATE_HZ,
            when_ready=ready,
        )

    async def _answered(self, _: object, message: AssistantTurnStoppedMessage) -> None:
        asked = [m["content"] for m in self._context.messages if m["role"] == "user"]
        self._answers.put_nowait((asked[-1] if asked else "", message))

    async def say(self, text: str) -> None:
        """Speak, whatever the assistant is doing."""
        await self._words.say(text)

    async def ask(self, text: str) -> str:
        """Speak and return the whole answer to it."""
        await self.say(text)
        while True:
            asked, message = await asyncio.wait_for(self._answers.get(), PATIENCE_S)
            # The turn before may end only now: with nothing, when it was interrupted early.
            if asked.endswith(text) and message.content and not message.interrupted:
                return message.content

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.conversation.run())
        await asyncio.wait_for(self._ready.wait(), PATIENCE_S)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.conversation.worker.cancel()
        await self._running
