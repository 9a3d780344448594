"""Somebody far away and somebody beside the box talk to each other through it.

Both processes run; the caller is a WebRTC client, and the person has a keyboard for a button. What
hears and thinks is made up, for neither is asked.
"""

from __future__ import annotations

import asyncio
import math
import os
import pty
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import soundfile
import soxr

from edgebot.stages.recording import write_wav
from tests.caller import RATE_HZ as CALLER_HZ
from tests.caller import Caller, loudest
from tests.conftest import Heard, Spoken, likeness
from tests.e2e.harness import RATE_HZ, Ear, Program, VirtualSound

READY_S = 60.0
PATIENCE_S = 20.0
# People repeat what was not understood: a busy machine loses sound.
TRIES = 4
LOUD = 1000
FROM_AFAR = "Hello, are you at home already?"
FROM_BESIDE = "Yes, I am in the kitchen with the children."
OWN = Path(__file__).parents[1] / "unit"
ENGINES = ("stt.engine=own.ear", "llm.engine=own.mind", "tts.engine=own.voice")


@dataclass
class Room:
    """A box, the person's keyboard, and where the bridge is."""

    sound: VirtualSound
    microphone: Ear
    speaker: Ear
    program: Program
    keys: int
    url: str
    token: str

    def press(self, key: str) -> None:
        os.write(self.keys, key.encode())

    async def call(self, caller: Caller) -> None:
        """Call whoever is beside the box."""
        authorization = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{self.url}/start", json={"body": {"mode": "intercom"}}, headers=authorization
            ) as response,
        ):
            ticket = (await response.json())["sessionId"]
        await caller.call(f"{self.url}/sessions/{ticket}/api/offer")


@pytest.fixture(scope="module")
def room(sound: VirtualSound, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    none = tmp_path_factory.mktemp("settings") / "none.toml"
    none.touch()
    flags = (*ENGINES, "bridge.enabled=true", "bridge.port=0", "wake.mode=button")
    command = [sys.executable, "-u", "-m", "edgebot", "--config", str(none)]
    command += [part for flag in flags for part in ("--set", flag)]
    environment = {**sound.environment, "PYTHONPATH": str(OWN)}
    keys, terminal = pty.openpty()
    with (
        Program([*command, "run"], environment, stdin=terminal) as program,
        sound.hear("mic") as microphone,
        sound.hear("spk") as speaker,
    ):
        program.wait_for("ready", READY_S)
        with Program([*command, "bridge"], environment) as bridge:
            link = bridge.wait_for(r"http://localhost(:\d+)/client#token=(\S+)", READY_S)
            url = f"http://127.0.0.1{link[1]}"
            yield Room(sound, microphone, speaker, program, keys, url, link[2])
            assert bridge.end() == 0
        assert program.end() == 0
    os.close(terminal)
    os.close(keys)


def at_callers_rate(wav: Path) -> bytes:
    samples, rate_hz = soundfile.read(wav, dtype="float32")
    samples = soxr.resample(samples, rate_hz, CALLER_HZ)
    return bytes((samples * 32767).astype("<i2").tobytes())


def onset_s(voice: bytes) -> float:
    """Return when a voice becomes loud."""
    loud = np.abs(np.frombuffer(voice, dtype="<i2").astype(int)) > LOUD
    return float(np.argmax(loud)) / CALLER_HZ


async def noticed(caller: Caller) -> float:
    """Wait until the caller hears something, and return when that was."""
    await caller.until(lambda: loudest(caller.heard) > LOUD)
    return time.monotonic()


async def test_two_people_talk_through_the_box(
    room: Room, spoken: Spoken, heard: Heard, tmp_path: Path
) -> None:
    async with Caller() as caller:
        began = time.monotonic()
        await room.call(caller)
        await caller.message("server-message", type="intercom", state="ringing")
        # It is heard to ring, and nobody is heard before the call is taken.
        await asyncio.to_thread(room.speaker.wait_for_sound, began, PATIENCE_S)
        await asyncio.to_thread(room.sound.play, spoken(FROM_BESIDE))
        assert loudest(caller.heard) < 100
        room.press(" ")
        await caller.message("server-message", type="intercom", state="taken")

        # The chime has died away.
        await asyncio.sleep(1.0)
        for _ in range(TRIES):
            began = time.monotonic()
            caller.voice.say(voice := at_callers_rate(spoken(FROM_AFAR)))
            await asyncio.sleep(len(voice) / (2 * CALLER_HZ) + 1.5)
            write_wav(tmp_path / "beside.wav", room.speaker.sound(began), RATE_HZ)
            beside = heard(tmp_path / "beside.wav")
            came = room.speaker.first_loud(began) or math.nan
            there_s = came - began - onset_s(voice)
            if likeness(beside, FROM_AFAR) > 0.6:
                break
        for _ in range(TRIES):
            del caller.heard[:]
            began = time.monotonic()
            noticing = asyncio.create_task(noticed(caller))
            await asyncio.to_thread(room.sound.play, spoken(FROM_BESIDE))
            back_s = await noticing - (room.microphone.first_loud(began) or math.nan)
            await asyncio.sleep(1.5)
            write_wav(tmp_path / "afar.wav", bytes(caller.heard), CALLER_HZ)
            afar = heard(tmp_path / "afar.wav")
            if likeness(afar, FROM_BESIDE) > 0.6:
                break

        room.press(" ")
        await caller.message("server-message", type="intercom", state="over")
    print(f"\nbeside the box, {there_s:.2f} s later: {beside!r}")
    print(f"far away, {back_s:.2f} s later: {afar!r}")
    assert likeness(beside, FROM_AFAR) > 0.6
    assert likeness(afar, FROM_BESIDE) > 0.6
    # The assistant has heard nothing of it.
    assert not [line for _, line in room.program.lines if line.strip().startswith("you ")]


async def test_who_is_refused_is_told(room: Room) -> None:
    async with Caller() as caller:
        await room.call(caller)
        await caller.message("server-message", type="intercom", state="ringing")
        # Without a button there is no hold; closing the microphone refuses as well.
        room.press("m")
        told = await caller.message("server-message", type="intercom", state="refused")
        assert told["text"] == "Your call was refused."
    room.press("m")
