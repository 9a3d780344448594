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
    RINGING = "ringing"
    CALL = "in a call"
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
        ringing: Whether somebody elsewhere asks for whoever is beside it.
        in_call: Whether these two talk, through its microphone and its speaker.
    """

    started: bool = False
    awake: bool = False
    muted: bool = False
    thinking: bool = False
    speaking: bool = False
    faults: frozenset[Fault] = frozenset()
    timer: bool = False
    connected: bool = False
    ringing: bool = False
    in_call: bool = False

    @property
    def state(self) -> AssistantState:
        """The one state that tells a person most."""
        if not self.started:
            return AssistantState.STARTING
        # Whoever has closed the microphone must be able to trust the light, whatever else is wrong.
        if self.muted:
            return AssistantState.MUTED
        # A person is asked, or is heard elsewhere: that comes before what it does itself.
        if self.in_call:
            return AssistantState.CALL
        if self.ringing:
            return AssistantState.RINGING
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
_UNASKED = _ANYTHING - {AssistantState.CALL}

# What may follow each state. Nothing is started twice, an answer begins with listening, and nobody
# is put through who has not rung.
ALLOWED: Mapping[AssistantState, frozenset[AssistantState]] = {
    AssistantState.STARTING: _ANYTHING - {AssistantState.THINKING},
    AssistantState.ASLEEP: _UNASKED - {AssistantState.ASLEEP, AssistantState.THINKING},
    AssistantState.LISTENING: _UNASKED - {AssistantState.LISTENING},
    AssistantState.THINKING: _UNASKED - {AssistantState.THINKING},
    AssistantState.SPEAKING: _UNASKED - {AssistantState.SPEAKING},
    AssistantState.RINGING: _ANYTHING - {AssistantState.RINGING},
    AssistantState.CALL: _ANYTHING - {AssistantState.CALL, AssistantState.RINGING},
    AssistantState.MUTED: _ANYTHING - {AssistantState.MUTED},
    AssistantState.FAULT: _UNASKED - {AssistantState.FAULT},
}
