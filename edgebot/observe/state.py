"""Frames → state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed

from edgebot.frames import (
    CallFrame,
    FaultFrame,
    MuteFrame,
    RingFrame,
    SleepFrame,
    TimerFrame,
    WakeFrame,
)
from edgebot.state import Facts, Fault


class StateObserver(BaseObserver):
    """Derives the assistant's state from what passes through the pipeline."""

    def __init__(
        self,
        when_changed: Callable[[Facts], None],
        *,
        awake: bool = True,
    ) -> None:
        """Name who is told of each change.

        Args:
            when_changed: Called when what can be seen of the assistant has changed.
            awake: Whether it listens from the start.
        """
        super().__init__(observe_every_push=False)
        self._when_changed = when_changed
        self._has_text = False
        self.facts = Facts(awake=awake)

    def ready(self, faults: frozenset[Fault] = frozenset()) -> None:
        """Leave `STARTING`: everything works, or it is known what does not.

        Args:
            faults: What does not.
        """
        self._know(started=True, faults=self.facts.faults | faults)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take note of a frame."""
        self.note(data.frame)

    def note(self, frame: Frame) -> None:
        """Take note of a frame."""
        match frame:
            case WakeFrame():
                self._know(awake=True)
            case SleepFrame():
                self._know(awake=False, thinking=False)
            case MuteFrame():
                self._know(muted=frame.muted)
            case FaultFrame():
                fault = {frame.fault}
                faults = self.facts.faults
                self._know(faults=faults - fault if frame.is_over else faults | fault)
            case CallFrame():
                # Nobody is put through who has not rung.
                has_rung = self.facts.ringing or self.facts.in_call
                in_call = frame.connected and frame.intercom and has_rung
                self._know(connected=frame.connected, in_call=in_call, ringing=False)
            case RingFrame():
                self._know(ringing=frame.ringing and not self.facts.in_call)
            case TimerFrame():
                self._know(timer=frame.running)
            case LLMFullResponseStartFrame():
                self._has_text = False
                # What it says of itself while it sleeps is no answer.
                self._know(thinking=self.facts.awake and self.facts.started)
            case LLMTextFrame():
                self._has_text = True
            case BotStartedSpeakingFrame():
                self._know(speaking=True, thinking=False)
            case BotStoppedSpeakingFrame():
                self._know(speaking=False)
            case LLMFullResponseEndFrame():
                # With text, it thinks until the voice begins.
                self._know(thinking=self.facts.thinking and self._has_text)
            case InterruptionFrame():
                self._know(thinking=False)

    def _know(self, **news: object) -> None:
        before, self.facts = self.facts, replace(self.facts, **news)  # type: ignore[arg-type]
        if _seen(before) != _seen(self.facts):
            self._when_changed(self.facts)


def _seen(facts: Facts) -> tuple[object, ...]:
    return (facts.state, facts.fault, facts.timer, facts.connected)
