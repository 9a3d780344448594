"""Recordings become text without a conversation."""

from __future__ import annotations

from edgebot.config import load_settings
from edgebot.listening import transcribe
from edgebot.stages.recording import RATE_HZ, Recording

SETTINGS = load_settings(flags=["stt.engine=own.ear"], environment={})


def recording(seconds: float) -> Recording:
    return Recording("it", b"\1\0" * int(RATE_HZ * seconds))


async def test_each_recording_has_its_text() -> None:
    assert await transcribe(SETTINGS, [recording(2), recording(1)]) == ["one two", "one"]


async def test_the_last_piece_of_a_recording_is_heard() -> None:
    # 2.52 s are 25 pieces of 0.1 s and one of 0.02 s.
    assert await transcribe(SETTINGS, [recording(2.52)]) == ["one two three"]


async def test_nothing_heard_is_an_empty_text() -> None:
    assert await transcribe(SETTINGS, [recording(0.1)]) == [""]
