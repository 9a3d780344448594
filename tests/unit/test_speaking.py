"""Texts become sound without a conversation."""

from __future__ import annotations

from own.voice import Voice

from edgebot.config import load_settings
from edgebot.speaking import RATE_HZ, say, synthesize
from edgebot.stages.recording import RecordingTransport

SETTINGS = load_settings(flags=["tts.engine=own.voice"], environment={})


def sound(text: str) -> bytes:
    return b"".join(Voice().synthesize(text))


async def test_each_text_has_its_sound() -> None:
    texts = ["Four by four", "And now another."]
    assert await synthesize(SETTINGS, texts) == [(sound(text), RATE_HZ) for text in texts]


async def test_the_last_piece_of_a_text_is_heard() -> None:
    # 50 ms: the output passes pieces of 40 ms on, and fills the last one up.
    [(spoken, _)] = await synthesize(SETTINGS, ["Fiver"])
    assert spoken == sound("Fiver") + sound("\0\0\0")


async def test_a_text_is_said_through_a_transport() -> None:
    transport = RecordingTransport(rate_hz=RATE_HZ)
    await say(SETTINGS, transport, "Four", rate_hz=RATE_HZ)
    assert transport.take_spoken() == sound("Four")


async def test_no_text_is_no_sound() -> None:
    assert await synthesize(SETTINGS, []) == []
