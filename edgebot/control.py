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
from edgebot.frames import (
    CallFrame,
    ChimeFrame,
    MuteFrame,
    RingFrame,
    SleepFrame,
    TalkFrame,
    VolumeFrame,
    WakeFrame,
)
from edgebot.hw.gestures import Action

VOLUME_STEP = 0.1
_POWER_OFF = ("systemctl", "poweroff")

QueueFrames = Callable[[Sequence[Frame]], Awaitable[None]]
Line = Callable[[Action], bool]
# During a call the microphone of the box is closed: whoever wants it back hangs up.
_HANG_UP = frozenset({Action.WAKE, Action.INTERRUPT, Action.TALK_BEGIN, Action.UNMUTE})
# In a call for the person beside the box, the assistant is silent.
_ASSISTANTS = frozenset(
    {Action.WAKE, Action.INTERRUPT, Action.CANCEL, Action.TALK_BEGIN, Action.TALK_END}
)


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
        self._is_muted = False
        self._line: Line | None = None
        self._sending: set[asyncio.Future[None]] = set()

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

    @property
    def is_muted(self) -> bool:
        """Whether a person has closed the microphone."""
        return self._is_muted

    def call_begins(self, hang_up: Callable[[], Awaitable[None]]) -> None:
        """Close the microphone for a caller who talks to the assistant.

        Args:
            hang_up: Ends the call.
        """

        def line(action: Action) -> bool:
            if action in _HANG_UP:
                self._keep_task(hang_up())
            return action in _HANG_UP or action is Action.TALK_END

        self._line = line
        self._send([SleepFrame(), MuteFrame(muted=True), CallFrame(connected=True)])

    def call_ends(self) -> None:
        """Open the microphone again, unless a person wants it closed."""
        self._line = None
        opened = [] if self._is_muted else self.frames(Action.UNMUTE)
        self._send([CallFrame(connected=False), *opened])

    def ring_begins(self, answer: Callable[[bool], None]) -> None:
        """Ask whoever is beside the box whether they take a call.

        Args:
            answer: Called with whether they take it; who closes the microphone refuses.
        """

        def line(action: Action) -> bool:
            if action in (Action.TAKE_CALL, Action.REFUSE_CALL, Action.MUTE):
                answer(action is Action.TAKE_CALL)
            return False

        self._line = line
        self._send([RingFrame(ringing=True)])

    def ring_again(self) -> None:
        """Let it be heard that it rings."""
        self._send([ChimeFrame("ring")])

    def ring_ends(self) -> None:
        """Ring no more: nobody has taken the call."""
        self._line = None
        self._send([RingFrame(ringing=False)])

    def intercom_begins(self, hang_up: Callable[[], None]) -> None:
        """Put a caller through to whoever has taken the call; the assistant is silent.

        Args:
            hang_up: Ends the call.
        """

        def line(action: Action) -> bool:
            if action in (Action.HANG_UP, Action.INTERRUPT):
                hang_up()
            elif action is Action.UNMUTE:
                self._send([MuteFrame(muted=False)])
                return True
            return action in _ASSISTANTS

        self._line = line
        self._send([SleepFrame(), CallFrame(connected=True, intercom=True)])

    def intercom_ends(self) -> None:
        """Leave the box to the assistant again."""
        self._line = None
        is_awake = self._is_always_awake and not self._is_muted
        awake = [WakeFrame(by="button")] if is_awake else []
        self._send([CallFrame(connected=False), ChimeFrame("cancelled"), *awake])

    def set_volume(self, volume: float) -> None:
        """Play everything so loud from now on; call it in the event loop.

        Args:
            volume: 0.0 to 1.0.
        """
        self._volume = volume
        self._send([VolumeFrame(volume)])

    def chime(self, name: str) -> None:
        """Play a chime; call it in the event loop."""
        self._send([ChimeFrame(name)])

    def _translate(self, action: Action) -> None:
        if action in (Action.MUTE, Action.UNMUTE):
            self._is_muted = action is Action.MUTE
        if self._line is None or not self._line(action):
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
            self._keep_task(self._queue(frames))

    def _keep_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _shut_down(self) -> None:
        try:
            subprocess.run(_POWER_OFF, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", "") or str(error)
            self._when_trouble(f"The machine cannot be shut down: {why.strip()}.")
