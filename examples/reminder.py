"""A processor of one's own: it asks again when nobody has answered for 30 seconds.

python examples/reminder.py -t webrtc
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport

from edgebot.bot import main, run_bot, transport_params
from edgebot.pipeline import Stages


class Reminder(FrameProcessor):
    """Speaks a text once when nobody says anything for a while after it has spoken."""

    def __init__(self, text: str = "Are you still there?", *, after_s: float = 30.0) -> None:
        """Set the text and the time.

        Args:
            text: What to say.
            after_s: How long nobody says anything.
        """
        super().__init__()
        self._text, self._after_s = text, after_s
        self._waiting: asyncio.Task[None] | None = None
        self._reminded = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Wait from the end of its own speech to the beginning of somebody's."""
        await super().process_frame(frame, direction)
        match frame:
            case BotStoppedSpeakingFrame() if not self._reminded:
                await self._stop_waiting()
                self._waiting = self.create_task(self._remind())
            case BotStartedSpeakingFrame():
                await self._stop_waiting()
            case UserStartedSpeakingFrame():
                self._reminded = False
                await self._stop_waiting()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Wait no more."""
        await super().cleanup()
        await self._stop_waiting()

    async def _remind(self) -> None:
        await asyncio.sleep(self._after_s)
        self._waiting, self._reminded = None, True
        await self.push_frame(TTSSpeakFrame(self._text))

    async def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await self.cancel_task(waiting)


def with_reminder(stages: Stages) -> Stages:
    """Put the reminder after the stage that knows whose turn it is."""
    return replace(stages, window=Pipeline([Reminder(), stages.window]))


async def bot(runner_args: RunnerArguments) -> None:
    """Serve one session."""
    transport = await create_transport(runner_args, transport_params)
    await run_bot(transport, runner_args, change=with_reminder)


if __name__ == "__main__":
    main()
