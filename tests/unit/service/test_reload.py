"""Settings that change while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgebot.config import Settings, load_settings
from edgebot.errors import ConfigError
from edgebot.service.changes import Changes, apply_changes, in_force, settings_changed
from edgebot.service.last_good import Loaded
from edgebot.service.reload import Reloader

from .parts import Keeper


@pytest.fixture
def none(tmp_path: Path) -> Path:
    file = tmp_path / "none.toml"
    file.write_text("")
    return file


def settings(none: Path, *flags: str) -> Settings:
    return load_settings(file=none, flags=flags, environment={})


def test_what_has_changed_is_told_apart(none: Path) -> None:
    old = settings(none)
    new = settings(none, "audio.volume=0.5", "stt.model=a", "language=de")
    changes = settings_changed(old, new, {"audio.volume", "tts.speed"})
    assert changes == Changes(now=("audio.volume",), restart=("language", "stt.model"))
    assert str(changes) == "Applied: audio.volume. Only after a restart: language, stt.model."
    assert str(settings_changed(old, old, ())) == "No setting has changed."


def test_what_can_be_applied_is(none: Path) -> None:
    taken: list[Any] = []
    new = settings(none, "audio.volume=0.5", "language=de")
    live = {"audio.volume": taken.append, "light.night": taken.append}
    apply_changes(settings(none), new, live)
    assert taken == [0.5]
    merged = in_force(settings(none), new, ["audio.volume", "language"])
    assert merged == new


def test_a_reload_applies_tells_and_ends(none: Path) -> None:
    keeper, taken = Keeper(), list[Any]()
    service = keeper.service()
    service.ready()
    files = [settings(none, "audio.volume=0.5", "stt.model=a", "log.words=true"), settings(none)]
    now = Loaded(settings(none))
    reload = Reloader(service, now, lambda: Loaded(files.pop(0)), {"audio.volume": taken.append})
    keeper.told.clear()
    reload()
    said = "Applied: audio.volume, log.words. Only after a restart: stt.model."
    assert keeper.told[0].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert keeper.told[1] == f"READY=1\nSTATUS=asleep. {said}"
    assert keeper.texts[-1] == said
    service.turn({}, heard="a", said="b")
    assert keeper.lines[-1][1]["EDGEBOT_HEARD"] == "a"
    # Changed back: what was applied is applied again, the rest was never in force.
    reload()
    assert taken == [0.5, 1.0]
    assert keeper.texts[-1] == "Applied: audio.volume, log.words."


def test_a_broken_file_changes_nothing_and_is_told(none: Path) -> None:
    keeper = Keeper()
    service = keeper.service()
    service.ready()
    outcomes: list[Loaded | ConfigError] = [
        Loaded(settings(none), "It is broken."),
        ConfigError("A flag is wrong."),
        Loaded(settings(none)),
    ]

    def load() -> Loaded:
        outcome = outcomes.pop(0)
        if isinstance(outcome, ConfigError):
            raise outcome
        return outcome

    reload = Reloader(service, Loaded(settings(none)), load, {})
    reload()
    assert keeper.told[-1] == "READY=1\nSTATUS=fault: It is broken. It is broken."
    reload()
    assert "A flag is wrong." in keeper.told[-1]
    reload()
    assert keeper.told[-1] == "READY=1\nSTATUS=asleep. No setting has changed."
