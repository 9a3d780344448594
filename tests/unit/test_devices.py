"""The microphone and the speaker are opened while the engines load."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from edgebot import talking
from edgebot.config import Settings, load_settings
from edgebot.errors import EngineError
from edgebot.front import Front
from edgebot.hw.gestures import Action
from edgebot.talking import Devices

PATIENCE_S = 5.0


class Streams:
    """Stands for both kinds of stream, and notes what is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.has_opened = {"microphone": threading.Event(), "speaker": threading.Event()}
        monkeypatch.setattr(talking, "MicrophoneStream", self.maker("microphone"))
        monkeypatch.setattr(talking, "SpeakerStream", self.maker("speaker"))

    def maker(self, kind: str) -> Callable[..., Any]:
        def make(*_: Any, **__: Any) -> Any:
            self.opened.append(kind)
            self.has_opened[kind].set()
            return SimpleNamespace(kind=kind, close=lambda: self.closed.append(kind))

        return make


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    return Streams(monkeypatch)


def test_both_are_opened_ahead_and_handed_over_once(streams: Streams) -> None:
    devices = Devices(load_settings(environment={}))
    devices.open_ahead(with_microphone=True)
    assert all(event.wait(PATIENCE_S) for event in streams.has_opened.values())
    assert devices.open_microphone(lambda audio: None).kind == "microphone"
    assert devices.open_speaker(lambda audio, rate_hz: None).kind == "speaker"
    devices.close()
    assert sorted(streams.opened) == ["microphone", "speaker"]
    assert streams.closed == []


@pytest.mark.parametrize(
    ("action", "opened"), [(Action.MUTE, ["speaker"]), (Action.UNMUTE, ["microphone", "speaker"])]
)
async def test_a_microphone_that_is_muted_stays_closed_while_the_engines_load(
    streams: Streams, monkeypatch: pytest.MonkeyPatch, action: Action, opened: list[str]
) -> None:
    async def load_engines(settings: Settings) -> None:
        for kind in opened:
            assert await asyncio.to_thread(streams.has_opened[kind].wait, PATIENCE_S)
        raise EngineError("It is broken.")

    def nobody(*_: Any) -> None: ...

    monkeypatch.setattr(talking, "load_engines", load_engines)
    settings = load_settings(flags=["light.kind=none"], environment={})
    told = dict.fromkeys(("note", "ready", "state", "heard", "said"), nobody)
    with contextlib.closing(Front(settings, nobody)) as front:
        front._do(action)
        with pytest.raises(EngineError):
            await talking.talk(
                settings, front=front, **{f"when_{what}": hear for what, hear in told.items()}
            )
    assert sorted(streams.opened) == sorted(streams.closed) == opened


def test_what_nobody_wanted_is_given_back(streams: Streams) -> None:
    devices = Devices(load_settings(environment={}))
    devices.open_ahead(with_microphone=True)
    devices.close()
    for ahead in (devices._microphone, devices._speaker):
        assert ahead is not None
        ahead._opening.join(PATIENCE_S)
    assert sorted(streams.closed) == sorted(streams.opened) == ["microphone", "speaker"]
