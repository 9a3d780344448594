"""What a hand at the panel does to the conversation: actions → frames."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence

from pipecat.frames.frames import Frame

from edgebot.config import Settings
from edgebot.frames import ChimeFrame, MuteFrame, SleepFrame, TalkFrame, VolumeFrame, WakeFrame
from edgebot.hw.gestures import Action

VOLUME_STEP = 0.1
_POWER_OFF = ("systemctl", "poweroff")

QueueFrames = Callable[[Sequence[Frame]], Awaitable[None]]


class Control:
    """Turns actions into frames at the pipeline's start, from whatever thread they come.

    What is done before the conversation runs is kept for it: a mute switch may be closed already.
    """

    def __init__(self, settings: Settings, *, when_trouble: Callable[[str], None]) -> None:
        """Take note of the settings; call it in the event loop.

        Args:
            settings: The volume, and whether it is always awake.
            when_trouble: Called with what could not be done.
        """
        self._loop = asyncio.get_running_loop()
        self._volume = settings.audio.volume
        self._is_always_awake = settings.wake.mode == "always"
        self._when_trouble = when_trouble
        self._queue: QueueFrames | None = None
        self._silence: Callable[[], None] = lambda: None
        self._kept: list[Frame] = []
        self._sending: set[asyncio.Task[None]] = set()

    def connect(self, queue: QueueFrames, silence: Callable[[], None]) -> None:
        """Name the conversation; call it in the event loop.

        Args:
            queue: Queues frames at the pipeline's start.
            silence: Makes the speaker fall silent at once, from any thread.
        """
        self._queue, self._silence = queue, silence
        self._send(self._kept)
        self._kept = []

    def act(self, action: Action) -> None:
        """Do what a hand wishes; returns at once, in any thread."""
        match action:
            case Action.QUIT:
                # The same way as Ctrl-C, whatever is going on.
                os.kill(os.getpid(), signal.SIGINT)
            case Action.SHUT_DOWN:
                threading.Thread(target=self._shut_down, name="shut down", daemon=True).start()
            case _:
                if action is Action.INTERRUPT:
                    # No frame is as quick, and a busy event loop does not delay it.
                    self._silence()
                self._loop.call_soon_threadsafe(self._translate, action)

    def _translate(self, action: Action) -> None:
        self._send(self.frames(action))

    def frames(self, action: Action) -> list[Frame]:
        """Return what an action puts into the pipeline."""
        match action:
            case Action.WAKE | Action.INTERRUPT:
                return [WakeFrame(by="button")]
            case Action.CANCEL:
                return [SleepFrame(cancelled=True)]
            case Action.TALK_BEGIN | Action.TALK_END:
                return [TalkFrame(held=action is Action.TALK_BEGIN)]
            case Action.MUTE:
                return [SleepFrame(), MuteFrame(muted=True), ChimeFrame("muted")]
            case Action.UNMUTE:
                awake = [WakeFrame(by="button")] if self._is_always_awake else []
                return [MuteFrame(muted=False), *awake]
            case Action.VOLUME_UP | Action.VOLUME_DOWN:
                step = VOLUME_STEP if action is Action.VOLUME_UP else -VOLUME_STEP
                self._volume = round(min(1.0, max(0.0, self._volume + step)), 2)
                return [VolumeFrame(self._volume)]
        return []

    def _send(self, frames: Sequence[Frame]) -> None:
        if self._queue is None:
            self._kept += frames
        elif frames:
            task = self._loop.create_task(self._queue_in_order(frames))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _queue_in_order(self, frames: Sequence[Frame]) -> None:
        assert self._queue is not None
        await self._queue(frames)

    def _shut_down(self) -> None:
        try:
            subprocess.run(_POWER_OFF, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", "") or str(error)
            self._when_trouble(f"The machine cannot be shut down: {why.strip()}.")
