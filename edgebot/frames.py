"""What the panel and the stages tell each other, besides Pipecat's own frames.

All are system frames: they overtake sound and words, and no interruption drops them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipecat.frames.frames import SystemFrame

from edgebot.state import Fault


@dataclass
class WakeFrame(SystemFrame):
    """Listen. Enters at the pipeline's start, or comes from the wake stage.

    Attributes:
        by: What woke it.
    """

    by: Literal["button", "word"] = "button"


@dataclass
class SleepFrame(SystemFrame):
    """Hear nothing but the name from now on; an unfinished turn is forgotten.

    Attributes:
        cancelled: Whether a person wished it, rather than silence.
    """

    cancelled: bool = False


@dataclass
class TalkFrame(SystemFrame):
    """Push-to-talk: the turn lasts as long as the button is held, whatever the silence.

    Attributes:
        held: True when it is held, False when it is let go, which ends the turn at once.
    """

    held: bool = False


@dataclass
class MuteFrame(SystemFrame):
    """Close the microphone, or open it again.

    Attributes:
        muted: Which of the two.
    """

    muted: bool = False


@dataclass
class FaultFrame(SystemFrame):
    """Something fails, or works again.

    Attributes:
        fault: What it is.
        text: One sentence for a person: what is wrong and what to do.
        is_over: Whether it works again.
    """

    fault: Fault = Fault.ENGINE
    text: str = ""
    is_over: bool = False


@dataclass
class HoldFrame(SystemFrame):
    """Keep the voice back while it is judged whether a person spoke into it.

    Attributes:
        held: True to fall silent and keep what is left, False to go on with it.
    """

    held: bool = False


@dataclass
class ChimeFrame(SystemFrame):
    """Play a chime over whatever sounds.

    Attributes:
        chime: One of `edgebot.chimes.NAMES`.
    """

    # Every frame has a `name` of Pipecat's own.
    chime: str = "ready"


@dataclass
class VolumeFrame(SystemFrame):
    """Set how loud everything is played.

    Attributes:
        volume: 0.0 to 1.0.
    """

    volume: float = 1.0


@dataclass
class CallFrame(SystemFrame):
    """Somebody calls from elsewhere, or has left.

    Attributes:
        connected: Which of the two.
        intercom: Whether they talk to whoever is beside the box, and not to the assistant.
    """

    connected: bool = False
    intercom: bool = False


@dataclass
class RingFrame(SystemFrame):
    """Somebody elsewhere asks for whoever is beside the box, or does so no more.

    Attributes:
        ringing: Which of the two.
    """

    ringing: bool = False


@dataclass
class TimerFrame(SystemFrame):
    """A kitchen timer runs, or none does any more.

    Attributes:
        running: Which of the two.
    """

    running: bool = False
