"""The front: its light and its alarm with and without a conversation, and what a reload changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pipecat.frames.frames import Frame
from service.parts import Keeper

from edgebot import front as fronts
from edgebot.chimes import chime
from edgebot.config import Settings, load_settings
from edgebot.control import Control
from edgebot.errors import NoSpeakerError
from edgebot.frames import ChimeFrame, VolumeFrame
from edgebot.front import Front, Sounds, ring_out
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
from edgebot.hw.gestures import Action, Gesture
from edgebot.hw.patterns import Look
from edgebot.service.last_good import Loaded
from edgebot.service.reload import Reloader
from edgebot.service.service import About
from edgebot.state import AssistantState, Facts, Fault

PINS = ("panel.gpio=mock", "light.kind=led", "light.pins=[27]")
AWAKE = Facts(started=True, awake=True)
ASLEEP = Facts(started=True)


def settings(*flags: str) -> Settings:
    return load_settings(file=Path("/dev/null"), flags=[*PINS, *flags], environment={})


class Bell:
    """A speaker of its own for the alarm; `rung` is set when it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.rung = threading.Event()
        self._error = error

    def __call__(self, wanted: Settings) -> None:
        self.rung.set()
        if self._error:
            raise self._error


@contextmanager
def made(bell: Bell | None = None, *flags: str) -> Iterator[Front]:
    troubles: list[str] = []
    front = Front(settings(*flags), troubles.append, ring_out=bell or Bell())
    with closing(front):
        yield front
    assert troubles == []


def look(front: Front) -> Look:
    shown = front._panel.looks_like
    assert shown is not None
    return shown


def test_a_broken_model_is_shown_and_heard_before_any_conversation() -> None:
    bell, service = Bell(), Keeper().service()
    with made(bell) as front:
        service.watch(front.show, front.alarm)
        assert look(front) == Look(AssistantState.STARTING)
        assert not bell.rung.is_set()
        service.down(Fault.MODEL, "The model is damaged.")
        assert look(front) == Look(AssistantState.FAULT, Fault.MODEL)
        assert bell.rung.wait(5)
        bell.rung.clear()
        # The same again, at the next try, is no news.
        service.down(Fault.MODEL, "The model is damaged.")
        assert look(front) == Look(AssistantState.FAULT, Fault.MODEL)
        service.ready()
        assert look(front) == Look(AssistantState.ASLEEP)
        assert not bell.rung.is_set()


def test_broken_settings_at_the_start_are_told_as_soon_as_there_is_a_front() -> None:
    bell, service = Bell(), Keeper().service()
    service.fault(Fault.SETTINGS, "Mend it.")
    with made(bell) as front:
        service.watch(front.show, front.alarm)
        assert bell.rung.wait(5)
        service.ready()
        assert look(front) == Look(AssistantState.FAULT, Fault.SETTINGS)


def test_broken_settings_are_shown_while_it_rests_and_hide_no_conversation() -> None:
    service = Keeper().service()
    with made() as front:
        service.watch(front.show, front.alarm)
        service.fault(Fault.SETTINGS, "Mend it.")
        for facts, shown in (
            (ASLEEP, AssistantState.FAULT),
            (AWAKE, AssistantState.LISTENING),
            (Facts(started=True, awake=True, thinking=True), AssistantState.THINKING),
            (Facts(started=True, awake=True, speaking=True), AssistantState.SPEAKING),
            (ASLEEP, AssistantState.FAULT),
        ):
            service.state(facts)
            assert look(front).state is shown
        # Another fault is shown whatever it does.
        service.state(Facts(started=True, awake=True, faults=frozenset({Fault.MICROPHONE})))
        assert look(front) == Look(AssistantState.FAULT, Fault.MICROPHONE)


def test_who_is_always_awake_rests_while_it_listens() -> None:
    service = Keeper().service(about=About("1", always_awake=True))
    with made() as front:
        service.watch(front.show, front.alarm)
        service.fault(Fault.SETTINGS, "Mend it.")
        service.state(AWAKE)
        assert look(front) == Look(AssistantState.FAULT, Fault.SETTINGS)


def test_a_conversation_that_broke_off_is_not_shown_any_more() -> None:
    service = Keeper().service()
    with made() as front:
        service.watch(front.show, front.alarm)
        service.ready()
        service.state(Facts(started=True, muted=True, connected=True))
        service.down(Fault.ENGINE, "It stopped.")
        assert look(front) == Look(AssistantState.FAULT, Fault.ENGINE)


def test_in_a_conversation_the_alarm_is_one_of_its_chimes() -> None:
    bell, played = Bell(), list[str]()
    with made(bell) as front:
        front.joins(lambda action: None, played.append)
        front.alarm()
        assert played == ["fault"]
        front.leaves()
        front.alarm()
        assert bell.rung.wait(5)
    assert played == ["fault"]


@pytest.mark.parametrize("flag", ['chimes.play=["ready"]', "chimes.volume=0.0"])
def test_who_wants_no_chime_hears_none(flag: str) -> None:
    bell = Bell()
    with made(bell, flag) as front:
        front.alarm()
        assert "alarm" not in {thread.name for thread in threading.enumerate()}
    assert not bell.rung.is_set()


def test_an_alarm_without_a_speaker_ends_nothing() -> None:
    bell = Bell(NoSpeakerError("There is no speaker."))
    with made(bell) as front:
        front.alarm()
        assert bell.rung.wait(5)


def test_hands_reach_the_conversation_that_runs_and_a_closed_microphone_is_kept() -> None:
    with made() as front:
        first, second = list[Action](), list[Action]()
        front.show(ASLEEP)
        front._panel.do(Gesture.PRESS)  # nobody is there to be woken
        front.joins(first.append, lambda name: None)
        front._panel.do(Gesture.PRESS)
        front._panel.do(Gesture.MUTE_PRESS)
        front.leaves()
        front.joins(second.append, lambda name: None)
        assert first == [Action.WAKE, Action.MUTE]
        assert second == [Action.MUTE]
        front.show(Facts(started=True, muted=True))
        front._panel.do(Gesture.MUTE_PRESS)
        front.joins(first.append, lambda name: None)
        assert second == [Action.MUTE, Action.UNMUTE]
        assert len(first) == 2


def test_a_reload_changes_light_sound_and_volume_while_it_runs() -> None:
    keeper = Keeper()
    service = keeper.service()
    sent: list[Frame] = []

    async def queue(frames: Sequence[Frame]) -> None:
        sent.extend(frames)

    async def reload() -> None:
        control = Control(settings(), when_trouble=lambda text: None)
        control.connect(queue, lambda: None)
        sounds = Sounds(settings().chimes)
        with made() as front:
            live = {"audio.volume": control.set_volume, **sounds.live}
            front.joins(control.act, control.chime, live)
            flags = ["audio.volume=0.5", "chimes.volume=0.1", 'chimes.play=["fault"]']
            flags += ["light.brightness=0.4", "light.night=22:00-07:00", "language=de"]
            new = Loaded(settings(*flags))
            Reloader(service, Loaded(settings()), lambda: new, front.live)()
            light = front._panel._animation
            assert light is not None
            assert (light._settings.brightness, light._night.begin) == (0.4, 22 * 60)
            # What the conversation brought goes with it; the light stays.
            front.leaves()
            assert set(front.live) == {
                "light.brightness",
                "light.night",
                "light.night_brightness",
            }
        # The next step louder begins where the reload has left it.
        control.act(Action.VOLUME_UP)
        for _ in range(5):
            await asyncio.sleep(0)
        assert sounds.held == {"fault": chime("fault", SPEAKER_RATE_HZ, 0.1)}

    asyncio.run(reload())
    assert keeper.texts[-1] == (
        "Applied: audio.volume, chimes.volume, chimes.play, light.brightness, light.night. "
        "Only after a restart: language."
    )
    assert [frame.volume for frame in sent if isinstance(frame, VolumeFrame)] == [0.5, 0.6]


async def test_a_chime_goes_to_the_conversation() -> None:
    sent: list[Frame] = []

    async def queue(frames: Sequence[Frame]) -> None:
        sent.extend(frames)

    control = Control(settings(), when_trouble=lambda text: None)
    control.connect(queue, lambda: None)
    control.chime("fault")
    for _ in range(5):
        await asyncio.sleep(0)
    assert [frame.chime for frame in sent if isinstance(frame, ChimeFrame)] == ["fault"]


def test_the_alarm_is_played_at_the_speaker_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    class Library:
        def close(self) -> None:
            told.append("closed")

    class Speaker:
        def __init__(self, library: object, wanted: object) -> None:
            told.append(wanted)

        def __enter__(self) -> Speaker:
            return self

        def __exit__(self, *error: object) -> None:
            told.append("given back")

        def set_volume(self, volume: float) -> None:
            told.append(volume)

        def chime(self, audio: bytes) -> None:
            told.append(audio == chime("fault", SPEAKER_RATE_HZ, 0.3))

    monkeypatch.setattr(fronts, "PortAudio", Library)
    monkeypatch.setattr(fronts, "SpeakerStream", Speaker)
    monkeypatch.setattr(fronts, "_ALARM_S", 0.0)
    ring_out(settings("audio.speaker=USB", "audio.volume=0.7", "chimes.volume=0.3"))
    assert told == ["USB", 0.7, True, "given back", "closed"]
