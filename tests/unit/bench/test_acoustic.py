"""A real room, as far as it needs none."""

from __future__ import annotations

import numpy as np
import pytest

from edgebot.bench.acoustic import AcousticRoom, acoustic_settings
from edgebot.bench.turns import quiet
from edgebot.config import load_settings

SETTINGS = load_settings(flags=["wake.mode=word", "assistant.greeting=Hi"], environment={})


def sound(rms: int) -> bytes:
    return np.full(320, rms, dtype="<i2").tobytes()


async def test_what_a_microphone_hears_has_sounded_before_it_comes() -> None:
    room = AcousticRoom(SETTINGS, None, lambda faults: None)
    for number, rms in enumerate([0, 0, 900, 900, 900, 0]):
        room.note(sound(rms), 10 + 0.02 * (number + 1))
    # Pieces of 10 ms: the voice began with the third 20 ms.
    assert room.first_sound_s(5.0) == pytest.approx(10.04)
    assert room.first_sound_s(10.075) is None
    assert room.sounded_s == pytest.approx(0.06)
    assert room.gaps_s == []
    room.begin()
    assert room.first_sound_s(5.0) is None


def test_its_own_loudspeaker_is_heard_as_a_person() -> None:
    changed = acoustic_settings(SETTINGS)
    assert (changed.echo.cancel, changed.echo.guard) == ("off", False)
    assert not changed.turn.interrupt
    assert changed.llm == SETTINGS.llm


def test_nothing_but_answers_sounds() -> None:
    changed = quiet(SETTINGS)
    assert changed.wake.mode == "always"
    assert changed.assistant.greeting == ""
    assert changed.chimes.play == ()
    assert changed.assistant.prompt == SETTINGS.assistant.prompt
