"""What a gesture means in each state; one table, which docs/panel.md shows to people."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from edgebot.state import AssistantState


class Gesture(StrEnum):
    """What a person does at the panel."""

    PRESS = "press"  # the talk button goes down
    TAP = "tap"  # it comes up again before it counts as held
    HOLD = "hold"  # it has been down for `panel.hold_s`
    LET_GO = "let go"  # it comes up after a hold
    LONG_HOLD = "long hold"  # it has been down for `panel.long_hold_s`
    MUTE_PRESS = "mute button"
    MUTE_CLOSED = "mute switch closed"
    MUTE_OPENED = "mute switch opened"
    VOLUME_UP = "volume up"
    VOLUME_DOWN = "volume down"
    QUIT = "quit"  # on the keyboard


class Action(StrEnum):
    """What is to be done about it."""

    WAKE = "wake"
    INTERRUPT = "interrupt"  # fall silent, drop the answer, and listen
    CANCEL = "cancel"  # forget what was heard, push-to-talk included, and sleep
    TALK_BEGIN = "talk begin"
    TALK_END = "talk end"
    MUTE = "mute"
    UNMUTE = "unmute"
    SHUT_DOWN = "shut down"
    VOLUME_UP = "volume up"
    VOLUME_DOWN = "volume down"
    QUIT = "quit"
    TAKE_CALL = "take call"
    REFUSE_CALL = "refuse call"
    HANG_UP = "hang up"


Actions = tuple[Action, ...]

_STARTING = AssistantState.STARTING
_ASLEEP = AssistantState.ASLEEP
_LISTENING = AssistantState.LISTENING
_RINGING = AssistantState.RINGING
_CALL = AssistantState.CALL
_MUTED = AssistantState.MUTED


def _always(*actions: Action) -> dict[AssistantState, Actions]:
    return dict.fromkeys(AssistantState, actions)


# By the state in which the talk button went down: what its press has changed does not change what
# letting it go means. A long hold does what `panel.long_hold` says, in every state.
#
# Starting, nobody listens yet, so the talk button means nothing. In a fault the assistant may be
# speaking or asleep; an interruption serves both, and it listens as well as it still can.
#
# A tap takes a call and a hold refuses it, as on a headset: so a press alone cannot mean either.
TABLE: Mapping[Gesture, Mapping[AssistantState, Actions]] = {
    Gesture.PRESS: _always(Action.INTERRUPT)
    | {_STARTING: (), _ASLEEP: (Action.WAKE,), _LISTENING: ()}
    | {_RINGING: (), _CALL: (Action.HANG_UP,), _MUTED: (Action.UNMUTE, Action.WAKE)},
    Gesture.TAP: _always() | {_LISTENING: (Action.CANCEL,), _RINGING: (Action.TAKE_CALL,)},
    Gesture.HOLD: _always(Action.TALK_BEGIN)
    | {_STARTING: (), _RINGING: (Action.REFUSE_CALL,), _CALL: ()},
    Gesture.LET_GO: _always(Action.TALK_END) | {_STARTING: (), _RINGING: (), _CALL: ()},
    Gesture.MUTE_PRESS: _always(Action.MUTE) | {_MUTED: (Action.UNMUTE,)},
    Gesture.MUTE_CLOSED: _always(Action.MUTE),
    Gesture.MUTE_OPENED: _always(Action.UNMUTE),
    Gesture.VOLUME_UP: _always(Action.VOLUME_UP),
    Gesture.VOLUME_DOWN: _always(Action.VOLUME_DOWN),
    Gesture.QUIT: _always(Action.QUIT),
}

# While the mute switch is closed, only it opens the microphone.
SILENCED = frozenset({Gesture.PRESS, Gesture.TAP, Gesture.HOLD, Gesture.LET_GO, Gesture.MUTE_PRESS})

LONG_HOLDS: Mapping[str, Actions] = {
    "nothing": (),
    "mute": (Action.MUTE,),
    "shutdown": (Action.SHUT_DOWN,),
}


def meaning(
    gesture: Gesture,
    state: AssistantState,
    *,
    is_switched_off: bool = False,
    long_hold: str = "nothing",
) -> Actions:
    """Return what a gesture means.

    Args:
        gesture: What a person did.
        state: The state; for the talk button, the one in which it went down.
        is_switched_off: Whether the mute switch is closed.
        long_hold: The setting `panel.long_hold`.
    """
    if gesture is Gesture.LONG_HOLD:
        return LONG_HOLDS[long_hold]
    if is_switched_off and gesture in SILENCED:
        return ()
    return TABLE[gesture][state]
