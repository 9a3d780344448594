"""What the assistant is doing, as a person would say it, and what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class AssistantState(StrEnum):
    """One of these at any time."""

    STARTING = "starting"
    ASLEEP = "asleep"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    MUTED = "muted"
    FAULT = "fault"


class Fault(StrEnum):
    """Why the assistant cannot do all that it should; the gravest first."""

    ENGINE = "engine"
    MODEL = "model"
    MICROPHONE = "microphone"
    SPEAKER = "speaker"
    SETTINGS = "settings"


@dataclass(frozen=True)
class Facts:
    """What is known of the assistant; the state follows from it.

    Attributes:
        started: Whether it is ready, or has found out why it is not.
        awake: Whether it listens to more than its name.
        muted: Whether the microphone is closed on purpose.
        thinking: Whether an answer is on its way.
        speaking: Whether it speaks.
        faults: What is wrong.
        timer: Whether a kitchen timer runs.
        connected: Whether somebody listens from elsewhere.
    """

    started: bool = False
    awake: bool = False
    muted: bool = False
    thinking: bool = False
    speaking: bool = False
    faults: frozenset[Fault] = frozenset()
    timer: bool = False
    connected: bool = False

    @property
    def state(self) -> AssistantState:
        """The one state that tells a person most."""
        if not self.started:
            return AssistantState.STARTING
        # Whoever has closed the microphone must be able to trust the light, whatever else is wrong.
        if self.muted:
            return AssistantState.MUTED
        if self.faults:
            return AssistantState.FAULT
        if self.speaking:
            return AssistantState.SPEAKING
        if not self.awake:
            return AssistantState.ASLEEP
        return AssistantState.THINKING if self.thinking else AssistantState.LISTENING

    @property
    def fault(self) -> Fault | None:
        """The gravest fault, where a fault is what the state tells."""
        told = self.faults if self.state is AssistantState.FAULT else ()
        return next((fault for fault in Fault if fault in told), None)


_ANYTHING = frozenset(AssistantState) - {AssistantState.STARTING}

# What may follow each state. Nothing is started twice, and an answer begins with listening.
ALLOWED: Mapping[AssistantState, frozenset[AssistantState]] = {
    AssistantState.STARTING: _ANYTHING - {AssistantState.THINKING},
    AssistantState.ASLEEP: _ANYTHING - {AssistantState.ASLEEP, AssistantState.THINKING},
    AssistantState.LISTENING: _ANYTHING - {AssistantState.LISTENING},
    AssistantState.THINKING: _ANYTHING - {AssistantState.THINKING},
    AssistantState.SPEAKING: _ANYTHING - {AssistantState.SPEAKING},
    AssistantState.MUTED: _ANYTHING - {AssistantState.MUTED},
    AssistantState.FAULT: _ANYTHING - {AssistantState.FAULT},
}
