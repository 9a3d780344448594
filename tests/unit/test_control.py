"""The panel's actions as frames at the pipeline's start."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from pipecat.frames.frames import Frame

from edgebot import control
from edgebot.config import load_settings
from edgebot.control import Control
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


class Way:
    """A pipeline's start and a speaker that take note of what reaches them, in order."""

    def __init__(self, *flags: str) -> None:
        self.seen: list[object] = []
        self.troubles: list[str] = []
        settings = load_settings(file=Path("/dev/null"), flags=flags, environment={})
        self.control = Control(settings, when_trouble=self.troubles.append)

    async def queue(self, frames: Sequence[Frame]) -> None:
        self.seen += [plain(frame) for frame in frames]

    def connect(self) -> None:
        self.control.connect(self.queue, lambda: self.seen.append("silence"))

    async def do(self, *actions: Action) -> list[object]:
        for action in actions:
            thread = threading.Thread(target=self.control.act, args=(action,))
            thread.start()
            thread.join()
        for _ in range(5):
            await asyncio.sleep(0)
        return self.seen


def plain(frame: Frame) -> tuple[object, ...]:
    """Return a frame without what makes each one unique."""
    own = [field for field in type(frame).__annotations__ if not field.startswith("_")]
    return (type(frame), *(getattr(frame, name) for name in own))


@pytest.mark.parametrize(
    ("action", "frames"),
    [
        (Action.WAKE, [(WakeFrame, "button")]),
        (Action.INTERRUPT, ["silence", (WakeFrame, "button")]),
        (Action.CANCEL, [(SleepFrame, True)]),
        (Action.TALK_BEGIN, [(TalkFrame, True)]),
        (Action.TALK_END, [(TalkFrame, False)]),
        (Action.MUTE, [(SleepFrame, False), (MuteFrame, True), (ChimeFrame, "muted")]),
        (Action.UNMUTE, [(MuteFrame, False)]),
        (Action.VOLUME_UP, [(VolumeFrame, 0.6)]),
        (Action.VOLUME_DOWN, [(VolumeFrame, 0.4)]),
    ],
)
async def test_actions(action: Action, frames: list[object]) -> None:
    way = Way("audio.volume=0.5")
    way.connect()
    assert await way.do(action) == frames


# The program's own, and what means something in a call alone.
OF_ANOTHER_KIND = {
    Action.QUIT,
    Action.SHUT_DOWN,
    Action.TAKE_CALL,
    Action.REFUSE_CALL,
    Action.HANG_UP,
}


async def test_every_action_does_something() -> None:
    way = Way()
    for action in set(Action) - OF_ANOTHER_KIND:
        assert way.control.frames(action), action


async def test_who_is_always_awake_wakes_with_its_microphone() -> None:
    way = Way("wake.mode=always")
    way.connect()
    assert await way.do(Action.UNMUTE) == [(MuteFrame, False), (WakeFrame, "button")]


async def test_the_volume_has_ends() -> None:
    way = Way("audio.volume=0.85")
    way.connect()
    await way.do(*[Action.VOLUME_UP] * 3)
    assert way.seen == [(VolumeFrame, 0.95), (VolumeFrame, 1.0), (VolumeFrame, 1.0)]
    way = Way("audio.volume=0.15")
    way.connect()
    await way.do(*[Action.VOLUME_DOWN] * 3)
    assert way.seen == [(VolumeFrame, 0.05), (VolumeFrame, 0.0), (VolumeFrame, 0.0)]


async def test_what_is_done_before_the_conversation_is_kept_for_it() -> None:
    way = Way()
    assert await way.do(Action.MUTE, Action.INTERRUPT) == []
    way.connect()
    assert await way.do() == [
        (SleepFrame, False),
        (MuteFrame, True),
        (ChimeFrame, "muted"),
        (WakeFrame, "button"),
    ]


async def test_actions_keep_their_order() -> None:
    way = Way()
    way.connect()
    seen = await way.do(Action.WAKE, Action.TALK_BEGIN, Action.TALK_END)
    assert seen == [(WakeFrame, "button"), (TalkFrame, True), (TalkFrame, False)]


class Line:
    """A call that somebody may hang up."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def hang_up(self) -> None:
        self._way.seen.append("hung up")
        self._way.control.call_ends()


async def test_a_call_closes_the_microphone_and_the_button_hangs_up() -> None:
    way = Way()
    way.connect()
    way.control.call_begins(Line(way).hang_up)
    assert await way.do() == [
        (SleepFrame, False),
        (MuteFrame, True),
        (CallFrame, True, False),
    ]
    del way.seen[:]
    seen = await way.do(Action.UNMUTE)
    assert seen == ["hung up", (CallFrame, False, False), (MuteFrame, False)]


async def test_what_a_person_has_muted_stays_muted_after_a_call() -> None:
    way = Way()
    way.connect()
    await way.do(Action.MUTE)
    way.control.call_begins(Line(way).hang_up)
    await way.do()
    del way.seen[:]
    way.control.call_ends()
    assert await way.do() == [(CallFrame, False, False)]


async def test_during_a_call_the_volume_can_be_changed_and_a_released_button_is_nothing() -> None:
    way = Way("audio.volume=0.5")
    way.connect()
    way.control.call_begins(Line(way).hang_up)
    await way.do()
    del way.seen[:]
    assert await way.do(Action.TALK_END, Action.VOLUME_UP) == [(VolumeFrame, 0.6)]


# A call for whoever is beside the box


@pytest.mark.parametrize(
    ("action", "answers", "frames"),
    [
        (Action.TAKE_CALL, [True], []),
        (Action.REFUSE_CALL, [False], []),
        (Action.MUTE, [False], [(SleepFrame, False), (MuteFrame, True), (ChimeFrame, "muted")]),
        # The assistant goes on as ever.
        (Action.WAKE, [], [(WakeFrame, "button")]),
        (Action.HANG_UP, [], []),
    ],
)
async def test_a_call_is_taken_or_refused(
    action: Action, answers: list[bool], frames: list[object]
) -> None:
    way, answered = Way(), list[bool]()
    way.connect()
    way.control.ring_begins(answered.append)
    way.control.ring_again()
    assert await way.do() == [(RingFrame, True), (ChimeFrame, "ring")]
    del way.seen[:]
    assert await way.do(action) == frames
    assert answered == answers


async def test_what_rings_no_more_cannot_be_taken() -> None:
    way, answered = Way(), list[bool]()
    way.connect()
    way.control.ring_begins(answered.append)
    way.control.ring_ends()
    assert await way.do(Action.TAKE_CALL) == [(RingFrame, True), (RingFrame, False)]
    assert answered == []


@pytest.mark.parametrize(
    ("action", "seen"),
    [
        (Action.HANG_UP, ["hung up"]),
        (Action.INTERRUPT, ["silence", "hung up"]),
        (Action.WAKE, []),
        (Action.CANCEL, []),
        (Action.TALK_BEGIN, []),
        (Action.TALK_END, []),
        (Action.UNMUTE, [(MuteFrame, False)]),
        (Action.MUTE, [(SleepFrame, False), (MuteFrame, True), (ChimeFrame, "muted")]),
        (Action.VOLUME_UP, [(VolumeFrame, 0.6)]),
    ],
)
async def test_what_the_panel_does_in_a_call(action: Action, seen: list[object]) -> None:
    # Who is always awake is not, while two people talk.
    way = Way("audio.volume=0.5", "wake.mode=always")
    way.connect()
    way.control.intercom_begins(lambda: way.seen.append("hung up"))
    assert await way.do() == [(SleepFrame, False), (CallFrame, True, True)]
    del way.seen[:]
    assert await way.do(action) == seen


@pytest.mark.parametrize(
    ("mode", "action", "woken"),
    [
        ("word", Action.VOLUME_UP, []),
        ("always", Action.VOLUME_UP, [(WakeFrame, "button")]),
        ("always", Action.MUTE, []),
    ],
)
async def test_after_a_call_the_box_is_the_assistants_again(
    mode: str, action: Action, woken: list[object]
) -> None:
    way = Way(f"wake.mode={mode}")
    way.connect()
    way.control.intercom_begins(lambda: None)
    await way.do(action)
    assert way.control.is_muted is (action is Action.MUTE)
    del way.seen[:]
    way.control.intercom_ends()
    assert await way.do() == [(CallFrame, False, False), (ChimeFrame, "cancelled"), *woken]


async def test_quitting_is_control_c() -> None:
    way, interrupted = Way(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    try:
        way.control.act(Action.QUIT)
        await asyncio.wait_for(interrupted.wait(), 5)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("true",), []),
        (
            ("sh", "-c", "echo Access denied >&2; exit 1"),
            ["The machine cannot be shut down: Access denied."],
        ),
    ],
)
async def test_shutting_down(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], told: list[str]
) -> None:
    monkeypatch.setattr(control, "_POWER_OFF", command)
    way = Way()
    way.control.act(Action.SHUT_DOWN)
    for thread in threading.enumerate():
        if thread.name == "shut down":
            thread.join()
    assert way.troubles == told
