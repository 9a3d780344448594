"""Several observers as one."""

from __future__ import annotations

from typing import Protocol

from pipecat.frames.frames import Frame
from pipecat.observers.base_observer import BaseObserver, FramePushed


class Watcher(Protocol):
    """What takes note of frames."""

    def note(self, frame: Frame) -> None: ...


class Together(BaseObserver):
    """Shows each frame to all: every observer of Pipecat's own costs a queue and a task a frame."""

    def __init__(self, *watchers: Watcher) -> None:
        """Name who is shown each frame, in their order."""
        super().__init__(observe_every_push=False)
        self._watchers = watchers

    async def on_push_frame(self, data: FramePushed) -> None:
        """Show a frame to all."""
        for watcher in self._watchers:
            watcher.note(data.frame)
