"""The whole box with fake engines and devices: whatever happens, it is never stuck, nor unclear.

Ten thousand random steps: people press, hold, speak, say its name, mute it, call each other
through it, and devices go and come. The stages, the turns, the panel and the state are the real
ones; only what hears, thinks, speaks and sounds is made up, and the clock jumps.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_time import run_in_fake_time
from own.ear import Ear
from own.mind import Mind
from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from stages.test_device import FakeMicrophone, FakeSpeaker

from edgebot.app import Conversation
from edgebot.chimes import chime
from edgebot.config import Settings, load_settings
from edgebot.control import Control
from edgebot.engines.wakeword import Detection
from edgebot.errors import DeviceError
from edgebot.hw.gestures import Gesture
from edgebot.hw.panel import Panel
from edgebot.hw.patterns import Look
from edgebot.intercom import Handset
from edgebot.observe.state import StateObserver
from edgebot.pipeline import Stages
from edgebot.stages import commands, context, context_window, interruption, spoken_text, wake
from edgebot.stages.device import DeviceTransport
from edgebot.stages.intercom import Intercom
from edgebot.stages.llm_llama_cpp import LlamaCppLLMService
from edgebot.stages.patience import Patience
from edgebot.stages.read_ahead import ReadAhead
from edgebot.stages.stt_vosk import VoskSTTService
from edgebot.stages.tts_piper import PiperTTSService
from edgebot.state import ALLOWED, AssistantState, Facts

STEPS = 10_000
# Every so many steps all is repaired and quiet: then it must sleep, and answer again.
PEACE_EVERY = 500
FRAME_S = 0.06
LIGHT_S = 0.3
RATE_HZ, SPEAKER_HZ = 16_000, 24_000
QUIET, SPEECH, NAME = b"\0\0", b"\x00\x20", b"\x00\x21"


class InPlace:
    """An engine's thread that is none, for engines that take no time."""

    async def run(self, call: Callable[[], Any], *, stop: object = None) -> Any:
        return call()

    async def stream(self, call: Callable[[], Iterator[Any]], *, stop: object = None) -> Any:
        for item in call():
            await asyncio.sleep(0)
            yield item


class Voice:
    """Says 40 ms for each character."""

    rate_hz = SPEAKER_HZ

    def synthesize(self, text: str) -> Iterator[bytes]:
        yield b"\1\1" * (self.rate_hz * len(text) // 25)

    def stop(self) -> None:
        """It is never slow."""


class Namer:
    """Knows its name when it hears it."""

    names = ("hey you",)

    def accept(self, audio: bytes, *, strict: bool = False) -> Detection | None:
        return Detection("hey you", 0.0) if audio[:2] == NAME else None

    def reset(self) -> None:
        """There is nothing to forget."""


class Detector(VADAnalyzer):
    """Takes whatever is not silence for a voice."""

    def num_frames_required(self) -> int:
        return 512

    def voice_confidence(self, buffer: bytes) -> float:
        return float(any(buffer))


class Box:
    """An assistant in a room, at work."""

    def __init__(self, settings: Settings) -> None:
        # Devices are opened in threads, where no loop runs.
        self.now = asyncio.get_running_loop().time
        self.sound = QUIET
        self.missing: set[str] = set()
        self.told = [AssistantState.STARTING]
        self.notes: list[str] = []
        self.microphone: FakeMicrophone | None = None
        self.speaker: FakeSpeaker | None = None
        self.control = Control(settings, when_trouble=self.notes.append)
        self.panel = Panel(
            settings.panel, settings.light, self.control.act, self.notes.append, terminal=None
        )
        self.states = StateObserver(self._show, awake=False)
        self.transport = DeviceTransport(
            open_microphone=self._open_microphone,
            open_speaker=self._open_speaker,
            speaker_rate_hz=SPEAKER_HZ,
            chimes={name: chime(name, SPEAKER_HZ) for name in settings.chimes.play},
            when_open=self.states.ready,
            when_note=self.notes.append,
        )
        stages = stages_of(settings, self.notes.append)
        assert stages.intercom is not None
        self.handset = Handset(
            self.control, stages.intercom, self.transport.play_caller, SPEAKER_HZ
        )
        self.changed_at_s = self.now()
        self.conversation = Conversation(
            settings,
            stages,
            self.transport,
            rate_hz=SPEAKER_HZ,
            handles_signals=False,
            observers=[self.states],
            when_trouble=self.notes.append,
        )
        worker = self.conversation.worker
        self.control.connect(worker.queue_frames, self.transport.silence)

    def _show(self, facts: Facts) -> None:
        assert facts.state in ALLOWED[self.told[-1]] or facts.state is self.told[-1]
        if facts.state is not self.told[-1]:
            self.changed_at_s = self.now()
        self.told.append(facts.state)
        self.panel.show(facts)

    def _open_microphone(self, when_audio: Callable[[bytes], None]) -> FakeMicrophone:
        self._refuse("microphone")
        self.microphone = FakeMicrophone(when_audio, self.now)
        return self.microphone

    def _open_speaker(self) -> FakeSpeaker:
        self._refuse("speaker")
        self.speaker = FakeSpeaker(self.now, SPEAKER_HZ)
        return self.speaker

    def _refuse(self, name: str) -> None:
        if name in self.missing:
            raise DeviceError(f"There is no {name}.")

    @property
    def facts(self) -> Facts:
        return self.states.facts

    async def make_sound(self) -> None:
        """Let the microphone hear what there is to be heard, for ever."""
        while True:
            await asyncio.sleep(FRAME_S)
            microphone = self.microphone
            if microphone is not None and not microphone.closed and not microphone.silent_s:
                microphone.hear(self.sound * int(RATE_HZ * FRAME_S))

    async def until(self, *states: AssistantState, within_s: float) -> None:
        """Wait for one of some states."""
        end_s = self.now() + within_s
        while self.facts.state not in states:
            assert self.now() < end_s, f"{self.facts} for {within_s} s, after {self.told[-8:]}"
            await asyncio.sleep(0.02)


def stages_of(settings: Settings, when_trouble: Callable[[str], None]) -> Stages:
    """Return the real stages around engines that are made up."""
    in_place: Any = InPlace()
    memory = context.new_context(settings)
    guard = interruption.create(settings, when_trouble)
    user, assistant = context.create(settings, memory, guard=guard)
    llm = LlamaCppLLMService(engine=Mind(), thread=in_place)
    tts = PiperTTSService(engine=Voice(), thread=in_place)
    if guard is not None:
        guard.watch(tts)
    window = context_window.create(llm, memory, settings.llm.context_tokens)
    return Stages(
        echo=None,
        intercom=Intercom(),
        patience=Patience(),
        wake=wake.create(settings, Namer()),
        stt=VoskSTTService(engine=Ear(), thread=in_place),
        read_ahead=ReadAhead(
            llm=llm, context=memory, make_room=window.make_room, answers_ahead=True
        ),
        user=user,
        commands=commands.create(settings, Namer.names),
        window=window,
        llm=llm,
        spoken_text=spoken_text.create(settings),
        tts=tts,
        assistant=assistant,
        context=memory,
    )


class Caller:
    """Somebody elsewhere who wants whoever is beside the box."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._is_calling = False
        self.heard = 0

    def call(self) -> None:
        if not self._is_calling and self._box.handset.why_not() is None:
            self._is_calling = True
            self._box.handset.ring(self._answered)

    def _answered(self, is_taken: bool) -> None:
        if is_taken:
            self._box.handset.open(self._hear, self.leave)
        else:
            self.leave()

    def _hear(self, audio: bytes) -> None:
        self.heard += 1
        self._box.handset.play(audio)
        # A light takes a moment; who is heard elsewhere is shown nothing else.
        if self._box.now() - self._box.changed_at_s > LIGHT_S:
            assert self._box.facts.state is AssistantState.CALL

    def leave(self) -> None:
        self._is_calling = False
        self._box.handset.close()


class Life:
    """What happens to a box: people and accidents."""

    def __init__(self, box: Box, luck: random.Random) -> None:
        self.box = box
        self.caller = Caller(box)
        self.luck = luck
        self._is_down = self._is_held = self._is_closed = False

    async def step(self) -> None:
        """Let one thing happen, and a little time pass."""
        happens, weights = zip(
            (self.talk_button, 6),
            (self.speak, 6),
            (self.name, 4),
            (self.hush, 6),
            (self.mute, 1),
            (self.lose_microphone, 1),
            (self.lose_speaker, 1),
            (self.find_devices, 2),
            (self.volume, 1),
            (self.caller.call, 2),
            (self.caller.leave, 1),
            strict=True,
        )
        self.luck.choices(happens, weights)[0]()
        await asyncio.sleep(self.luck.choice((0.01, 0.05, 0.1, 0.3, 0.5, 1.0)))

    def talk_button(self) -> None:
        do = self.box.panel.do
        if not self._is_down:
            self._is_down = True
            do(Gesture.PRESS)
        elif not self._is_held and self.luck.random() < 0.4:
            self._is_held = True
            do(Gesture.HOLD)
        else:
            do(Gesture.LET_GO if self._is_held else Gesture.TAP)
            self._is_down = self._is_held = False

    def speak(self) -> None:
        self.box.sound = SPEECH

    def name(self) -> None:
        self.box.sound = NAME

    def hush(self) -> None:
        self.box.sound = QUIET

    def mute(self) -> None:
        self.box.panel.do(Gesture.MUTE_PRESS)

    def lose_microphone(self) -> None:
        self._lose("microphone", self.box.microphone)

    def lose_speaker(self) -> None:
        self._lose("speaker", self.box.speaker)

    def _lose(self, name: str, device: FakeMicrophone | FakeSpeaker | None) -> None:
        if device is not None and not device.closed and not device.silent_s:
            self.luck.choice((device.freeze, device.pull_out))()
            if self.luck.random() < 0.5:
                self.box.missing.add(name)

    def find_devices(self) -> None:
        self.box.missing.clear()

    def volume(self) -> None:
        self.box.panel.do(self.luck.choice((Gesture.VOLUME_UP, Gesture.VOLUME_DOWN)))

    async def make_peace(self) -> None:
        """Repair everything, and be quiet."""
        self.find_devices()
        self.hush()
        self.caller.leave()
        if self._is_down:
            self.box.panel.do(Gesture.LET_GO if self._is_held else Gesture.TAP)
            self._is_down = self._is_held = False
        await asyncio.sleep(0.1)
        if self.box.facts.muted:
            self.mute()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Box]:
    box = Box(settings)
    tasks = [asyncio.create_task(box.conversation.run()), asyncio.create_task(box.make_sound())]
    try:
        await box.until(AssistantState.ASLEEP, within_s=10)
        yield box
    finally:
        await box.conversation.worker.cancel()
        await tasks[0]
        tasks[1].cancel()
        box.panel.close()


def expected(facts: Facts) -> Look:
    return Look(facts.state, facts.fault, facts.timer, facts.connected)


async def ask(box: Box) -> None:
    """Wake it by its name, ask, and hear an answer to its end."""
    box.sound = NAME
    await box.until(AssistantState.LISTENING, within_s=2)
    box.sound = SPEECH
    await asyncio.sleep(2.0)
    box.sound = QUIET
    await box.until(AssistantState.SPEAKING, within_s=10)
    await box.until(AssistantState.LISTENING, within_s=60)
    await box.until(AssistantState.ASLEEP, within_s=30)


async def live(seed: int, steps: int) -> Box:
    light = ("light.kind=led", "light.pins=[27]", "panel.gpio=mock")
    # A model that takes 50 ms would be all that takes time here.
    flags = (*light, "turn.end=pause")
    settings = load_settings(file=Path("/dev/null"), flags=flags, environment={})
    async with running(settings) as box:
        life = Life(box, random.Random(seed))
        await ask(box)
        for number in range(1, steps + 1):
            await life.step()
            assert box.panel.looks_like == expected(box.facts)
            if box.facts.state is AssistantState.CALL and box.now() - box.changed_at_s > LIGHT_S:
                facts = box.facts
                assert (facts.awake, facts.thinking, facts.speaking) == (False, False, False)
            if number % PEACE_EVERY == 0:
                await life.make_peace()
                await box.until(AssistantState.ASLEEP, within_s=120)
                assert box.panel.looks_like == expected(box.facts)
                await ask(box)
    assert life.caller.heard > 0
    return box


@pytest.fixture(autouse=True)
def made_up_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "SileroVADAnalyzer", Detector)


def test_whatever_happens_it_is_never_stuck_and_its_light_tells_the_state() -> None:
    box = run_in_fake_time(live(seed=1, steps=STEPS))
    print(", ".join(f"{state} {times} times" for state, times in Counter(box.told).items()))
    assert set(box.told) == set(AssistantState)
    told = [note for note in box.notes if "works again" not in note]
    assert {note.split()[1] for note in told} <= {"microphone", "speaker", "is"}, set(told)


async def two_questions() -> list[AssistantState]:
    settings = load_settings(file=Path("/dev/null"), flags=[], environment={})
    async with running(settings) as box:
        await ask(box)
        await ask(box)
        return box.told


def test_a_wall_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = run_in_fake_time(two_questions())
    # By decades, and back, whenever somebody looks.
    looks = itertools.cycle([4e9, 0.0, 1e9])
    monkeypatch.setattr(time, "time", lambda: next(looks))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(looks) * 1e9))
    assert run_in_fake_time(two_questions()) == undisturbed
    assert undisturbed.count(AssistantState.SPEAKING) >= 2
