"""A call for whoever is beside the box: it rings, is taken or refused, and either side ends it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pipecat.frames.frames import Frame, InputAudioRawFrame
from test_calls import PATIENCE_S, Bridge, dial, own_settings, to_the_end
from test_calls import call as assistant_call

from edgebot.app import load_engines
from edgebot.calls import BUSY, NOT_TAKEN, Calls
from edgebot.control import Control
from edgebot.frames import CallFrame, RingFrame
from edgebot.hw.gestures import Action
from edgebot.intercom import BROKEN, MUTED, TEXTS, Handset, News
from edgebot.observe.state import StateObserver
from edgebot.stages.intercom import Intercom
from edgebot.stages.wire import WireError
from edgebot.state import AssistantState

SPEAKER_HZ = 24_000


class Box:
    """A box without devices: what its panel sends, and what its speaker is handed."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "run" / "calls.sock"
        self.seen: list[Frame] = []
        self.played = bytearray()
        self.is_broken = False
        self.states = StateObserver(lambda facts: None, awake=False)
        self.states.ready()
        self.stage = Intercom()
        self.troubles: list[str] = []
        self._changed = asyncio.Event()
        self.control: Control
        self.calls: Calls

    async def open(self, *flags: str) -> None:
        settings = own_settings(*flags)
        self.control = Control(settings, when_trouble=self.troubles.append)
        self.control.connect(self._queue, lambda: None)
        handset = Handset(self.control, self.stage, self._play, SPEAKER_HZ, lambda: self.is_broken)
        self.calls = Calls(
            settings,
            await load_engines(settings),
            file=self.file,
            handset=handset,
            when_call_begins=lambda: self.control.call_begins(self.calls.hang_up),
            when_call_ends=self.control.call_ends,
            when_trouble=self.troubles.append,
        )

    async def _queue(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            self.seen.append(frame)
            self.states.note(frame)
        self._changed.set()

    def _play(self, audio: bytes) -> None:
        self.played += audio
        self._changed.set()

    async def until_rung(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while [getattr(frame, "chime", "") for frame in self.seen].count("ring") < times:
                self._changed.clear()
                await self._changed.wait()

    async def until(self, *states: AssistantState) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.states.facts.state not in states:
                self._changed.clear()
                await self._changed.wait()

    async def until_left(self) -> None:
        """Wait until nobody rings or talks, and nobody is connected."""
        await self.until(AssistantState.ASLEEP, AssistantState.MUTED)
        async with asyncio.timeout(PATIENCE_S):
            while self.states.facts.connected:
                self._changed.clear()
                await self._changed.wait()

    async def until_free(self) -> None:
        """Wait until the last call has left nothing behind."""
        await asyncio.wait_for(asyncio.gather(*self.calls._lines), PATIENCE_S)
        await self.until(AssistantState.ASLEEP)

    async def until_played(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not any(self.played):
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def box(folder: Path, *flags: str) -> AsyncIterator[Box]:
    found = Box(folder)
    await found.open(*flags)
    async with found.calls:
        yield found
    # Whatever has happened, the box is the assistant's again.
    await found.until_left()
    assert found.troubles == []


@contextlib.asynccontextmanager
async def ringing(found: Box) -> AsyncIterator[Bridge]:
    async with dial(found.file, "intercom") as (wire, answer):
        assert answer == {"edgebot": "ready"}
        bridge = Bridge(wire)
        await wire.tell("connected")
        await bridge.until("server-message", type="intercom", state="ringing")
        await found.until(AssistantState.RINGING)
        yield bridge


async def told(bridge: Bridge, state: str) -> str:
    found = await bridge.until("server-message", type="intercom", state=state)
    return str(found["text"])


async def test_a_call_is_taken_and_sound_passes_both_ways(tmp_path: Path) -> None:
    async with box(tmp_path) as found, ringing(found) as bridge:
        # Before it is taken nobody is heard, on neither side.
        await bridge.wire.send_sound(b"\x00\x10" * 320, 16_000)
        found.stage.when_sound(b"\x00\x20" * 320)
        found.control.act(Action.TAKE_CALL)
        assert await told(bridge, "taken") == TEXTS[News.TAKEN]
        await found.until(AssistantState.CALL)
        assert found.states.facts.connected
        assert found.played == bridge.heard == b""
        for _ in range(5):
            await bridge.wire.send_sound(b"\x00\x10" * 320, 16_000)
        await found.until_played()
        found.stage.when_sound(b"\x00\x20" * 320)
        while not bridge.heard:
            frame = await asyncio.wait_for(bridge.wire.receive(), PATIENCE_S)
            if isinstance(frame, InputAudioRawFrame):
                bridge.heard += frame.audio
        assert bridge.heard == b"\x00\x20" * 320


async def test_who_rings_is_heard_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgebot.intercom.RINGS_EVERY_S", 0.01)
    async with box(tmp_path) as found, ringing(found):
        await found.until_rung(3)


@pytest.mark.parametrize("action", [Action.REFUSE_CALL, Action.MUTE])
async def test_a_call_is_refused(tmp_path: Path, action: Action) -> None:
    async with box(tmp_path) as found, ringing(found) as bridge:
        found.control.act(action)
        assert await told(bridge, "refused") == TEXTS[News.REFUSED]
        with pytest.raises(WireError):
            await to_the_end(bridge.wire)
        await found.until(AssistantState.MUTED if action is Action.MUTE else AssistantState.ASLEEP)
        assert not [frame for frame in found.seen if isinstance(frame, CallFrame)]


async def test_nobody_answers(tmp_path: Path) -> None:
    async with box(tmp_path) as found:
        found.calls._settings = found.calls._settings.model_copy(
            update={"bridge": found.calls._settings.bridge.model_copy(update={"ring_s": 0.2})}
        )
        async with ringing(found) as bridge:
            assert await told(bridge, "unanswered") == TEXTS[News.UNANSWERED]
            with pytest.raises(WireError):
                await to_the_end(bridge.wire)
        await found.until_free()
        async with assistant_call(found.file) as caller:
            await caller.until("bot-started-speaking")


async def test_the_box_hangs_up(tmp_path: Path) -> None:
    async with box(tmp_path) as found, ringing(found) as bridge:
        found.control.act(Action.TAKE_CALL)
        # A second tap in haste is none.
        found.control.act(Action.TAKE_CALL)
        await told(bridge, "taken")
        await found.until(AssistantState.CALL)
        found.control.act(Action.HANG_UP)
        assert await told(bridge, "over") == TEXTS[News.OVER]
        with pytest.raises(WireError):
            await to_the_end(bridge.wire)
        await found.until(AssistantState.ASLEEP)


@pytest.mark.parametrize("is_taken", [False, True])
async def test_the_caller_hangs_up(tmp_path: Path, is_taken: bool) -> None:
    async with box(tmp_path) as found:
        async with ringing(found) as bridge:
            if is_taken:
                found.control.act(Action.TAKE_CALL)
                await told(bridge, "taken")
                await found.until(AssistantState.CALL)
        await found.until(AssistantState.ASLEEP)
        rings = [frame.ringing for frame in found.seen if isinstance(frame, RingFrame)]
        assert rings == ([True] if is_taken else [True, False])
        await found.until_free()
        # What is pressed too late means nothing.
        found.control.act(Action.TAKE_CALL)
        async with ringing(found):
            assert found.states.facts.state is AssistantState.RINGING


async def test_muted_in_a_call_it_goes_on(tmp_path: Path) -> None:
    async with box(tmp_path) as found, ringing(found) as bridge:
        found.control.act(Action.TAKE_CALL)
        await told(bridge, "taken")
        await found.until(AssistantState.CALL)
        found.control.act(Action.MUTE)
        await found.until(AssistantState.MUTED)
        assert found.states.facts.connected
        found.control.act(Action.UNMUTE)
        await found.until(AssistantState.CALL)


async def test_a_box_that_is_muted_does_not_ring(tmp_path: Path) -> None:
    async with box(tmp_path) as found:
        found.control.act(Action.MUTE)
        await found.until(AssistantState.MUTED)
        async with dial(found.file, "intercom") as (_, answer):
            assert answer == {"edgebot": "busy", "text": MUTED}
        assert not [frame for frame in found.seen if isinstance(frame, RingFrame)]


async def test_a_box_that_is_muted_meanwhile_does_not_ring(tmp_path: Path) -> None:
    async with box(tmp_path) as found, dial(found.file, "intercom") as (wire, answer):
        assert answer == {"edgebot": "ready"}
        found.control.act(Action.MUTE)
        await found.until(AssistantState.MUTED)
        await wire.tell("connected")
        assert await told(Bridge(wire), "refused") == MUTED
        with pytest.raises(WireError):
            await to_the_end(wire)
        assert not [frame for frame in found.seen if isinstance(frame, RingFrame)]


async def test_without_a_microphone_nobody_is_called(tmp_path: Path) -> None:
    async with box(tmp_path) as found:
        found.is_broken = True
        async with dial(found.file, "intercom") as (_, answer):
            assert answer == {"edgebot": "busy", "text": BROKEN}


async def test_one_call_at_a_time_whatever_it_is(tmp_path: Path) -> None:
    async with box(tmp_path) as found:
        async with ringing(found):
            for mode in ("assistant", "intercom"):
                async with dial(found.file, mode) as (_, answer):
                    assert answer == {"edgebot": "busy", "text": BUSY}
        await found.until_free()
        async with assistant_call(found.file) as caller:
            await caller.until("bot-started-speaking")
            async with dial(found.file, "intercom") as (_, answer):
                assert answer == {"edgebot": "busy", "text": BUSY}
        await found.until(AssistantState.ASLEEP)


@pytest.mark.parametrize(
    ("takes", "not_taken"), [("assistant", "intercom"), ("intercom", "assistant")]
)
async def test_only_what_the_settings_allow_is_taken(
    tmp_path: Path, takes: str, not_taken: str
) -> None:
    async with box(tmp_path, f'bridge.modes=["{takes}"]') as found:
        async with dial(found.file, not_taken) as (_, answer):
            assert answer == {"edgebot": "busy", "text": NOT_TAKEN[not_taken]}
        async with dial(found.file, takes) as (_, answer):
            assert answer == {"edgebot": "ready"}


async def test_a_fault_ends_the_call_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with box(tmp_path) as found:
        with monkeypatch.context() as broken:
            broken.setattr(found.control, "intercom_begins", lambda hang_up: 1 / 0)
            async with ringing(found) as bridge:
                found.control.act(Action.TAKE_CALL)
                with pytest.raises(WireError):
                    await to_the_end(bridge.wire)
            await found.until_free()
        async with ringing(found):
            assert found.states.facts.state is AssistantState.RINGING


async def test_when_the_engine_ends_it_rings_no_more(tmp_path: Path) -> None:
    async with box(tmp_path) as found:
        async with dial(found.file, "intercom") as (wire, _):
            await wire.tell("connected")
            await found.until(AssistantState.RINGING)
            await found.calls.hang_up()
            with pytest.raises(WireError):
                await to_the_end(wire)
        await found.until(AssistantState.ASLEEP)
