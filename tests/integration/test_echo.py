"""The real canceller, and the guard in a room with real engines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
from pipecat.processors.frame_processor import FrameProcessor

from edgebot.config import Settings
from edgebot.engines.echo_canceller import FRAME_BYTES, EchoCanceller
from edgebot.models.installed import InstalledModel
from edgebot.stages import echo
from edgebot.stages.interruption import TROUBLE
from edgebot.stages.recording import read_recording, write_wav
from tests.conftest import STT, Heard, Spoken, likeness
from tests.integration.room import HEARD_HZ, PLAYED_HZ, Room, at_level, response
from tests.unit.fake_time import run_in_fake_time

STORY = (
    "Once upon a time there was a king who lived in a castle by the sea. Every evening he walked "
    "along the beach and counted the waves. One day a small boat came, and in it sat a stranger "
    "who had never seen a king before."
)
QUESTION = "What is the capital of France?"
# The loud parts of a person at a table, where the loudest sample is at 0 dB.
PERSON_DB = -26.0


def samples(file: Path) -> np.ndarray:
    """Return a recording at 16 kHz, -1 to 1."""
    audio = read_recording(file, file.name).audio
    return np.frombuffer(audio, dtype="<i2").astype(float) / 32768


def pcm(sound: np.ndarray) -> bytes:
    return bytes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def other_speaker(file: Path) -> np.ndarray:
    """Return a recording as somebody else would say it: a fifth higher and faster."""
    return at_level(soxr.resample(samples(file), HEARD_HZ * 1.2, HEARD_HZ), PERSON_DB)


@pytest.fixture(scope="module")
def story(spoken: Spoken) -> np.ndarray:
    return samples(spoken(STORY))


def cleaned(canceller: EchoCanceller, played: np.ndarray, heard: np.ndarray, hz: int) -> np.ndarray:
    """Play and hear at the same time, 20 ms at once; return what is left of what was heard."""
    far, near, left = pcm(soxr.resample(played, HEARD_HZ, hz)), pcm(heard), b""
    for at in range(len(near) // (2 * FRAME_BYTES)):
        size = hz // 50 * 2
        canceller.played(far[at * size : (at + 1) * size].ljust(size, b"\0"), hz)
        left += canceller.clean(near[at * 2 * FRAME_BYTES : (at + 1) * 2 * FRAME_BYTES])
    return np.frombuffer(left, dtype="<i2").astype(float) / 32768


def heard_at(story: np.ndarray, click: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(2).normal(0.0, 3e-4, len(story))
    return np.convolve(story, click)[: len(story)] + noise


def fall_db(before: np.ndarray, after: np.ndarray) -> float:
    """Return by how much sound was lowered."""
    whole = min(len(before), len(after))
    power = [float((sound[:whole] ** 2).mean()) for sound in (before, after)]
    return 10 * float(np.log10(power[0] / power[1]))


@pytest.fixture
def canceller() -> EchoCanceller:
    canceller = EchoCanceller()
    canceller.load()
    return canceller


@pytest.mark.parametrize("hz", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("delay_s", [0.06, 0.4])
def test_an_echo_falls_by_25_db(
    canceller: EchoCanceller, story: np.ndarray, hz: int, delay_s: float
) -> None:
    heard = heard_at(story, response(delay_s=delay_s))
    left = cleaned(canceller, story, heard, hz)
    fall = fall_db(heard[5 * HEARD_HZ :], left[5 * HEARD_HZ :])
    print(f"{hz} Hz, {delay_s} s: {fall:.1f} dB")
    assert fall > 25


def test_after_a_pause_it_still_knows_the_room(canceller: EchoCanceller, story: np.ndarray) -> None:
    heard = heard_at(story, response())
    cleaned(canceller, story, heard, PLAYED_HZ)
    silence = np.zeros(5 * HEARD_HZ)
    cleaned(canceller, silence, silence, PLAYED_HZ)
    assert canceller.is_idle
    left = cleaned(canceller, story[:HEARD_HZ], heard[:HEARD_HZ], PLAYED_HZ)
    assert fall_db(heard[:HEARD_HZ], left) > 25


def test_a_person_who_speaks_over_it_is_understood(
    canceller: EchoCanceller, story: np.ndarray, spoken: Spoken, heard: Heard, tmp_path: Path
) -> None:
    person = other_speaker(spoken(QUESTION))
    room, begin = heard_at(story, response()), 6 * HEARD_HZ
    room[begin : begin + len(person)] += person
    left = cleaned(canceller, story, room, PLAYED_HZ)
    texts = {}
    for name, sound in (("before", room), ("after", left)):
        piece = sound[begin - HEARD_HZ // 5 : begin + len(person) + HEARD_HZ // 5]
        write_wav(tmp_path / f"{name}.wav", pcm(piece), HEARD_HZ)
        texts[name] = heard(tmp_path / f"{name}.wav")
    print(texts)
    assert likeness(texts["after"], QUESTION) > 0.7


def test_ten_milliseconds_cost_little(canceller: EchoCanceller, story: np.ndarray) -> None:
    heard = heard_at(story, response())
    began = time.process_time()
    cleaned(canceller, story, heard, PLAYED_HZ)
    cost_us = (time.process_time() - began) / (len(heard) / 160) * 1e6
    idle = bytes(2 * FRAME_BYTES)
    cleaned(canceller, np.zeros(2 * HEARD_HZ), np.zeros(2 * HEARD_HZ), PLAYED_HZ)
    began = time.process_time()
    for _ in range(1000):
        canceller.played(bytes(PLAYED_HZ // 50 * 2), PLAYED_HZ)
        canceller.clean(idle)
    idle_us = (time.process_time() - began) / 2000 * 1e6
    print(f"10 ms: {cost_us:.0f} us while it speaks, {idle_us:.0f} us in silence")
    # A tenth of one processor, and a hundredth.
    assert cost_us < 1000
    assert idle_us < 100


def test_the_library_opens_no_socket_to_the_network() -> None:
    code = """
import json, os, threading
from edgebot.engines.echo_canceller import EchoCanceller
canceller = EchoCanceller()
canceller.load()
canceller.played(bytes([1]) * 960, 48_000)
canceller.clean(bytes(640))
names = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{fd}")]
inodes = {name[8:-1] for name in names if name.startswith("socket:[")}
network = {line.split()[9] for kind in ("tcp", "tcp6", "udp", "udp6")
           if os.path.exists(f"/proc/self/net/{kind}")
           for line in open(f"/proc/self/net/{kind}").readlines()[1:]}
print(json.dumps([sorted(inodes & network), threading.active_count()]))
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(run.stdout) == [[], 1]


class TestRoom:
    """The whole way from the speaker back to the turn, in simulated time."""

    @pytest.fixture
    def stt(self, model: Callable[[str], InstalledModel]) -> FrameProcessor:
        from edgebot.stages import stt_moonshine

        return stt_moonshine.LocalMoonshineSTTService(
            transcriber=stt_moonshine.load_transcriber(model(STT).path, "tiny"),
            settings=stt_moonshine.MoonshineSTTSettings(model="tiny", language="en"),
        )

    def act(
        self, settings: Settings, stt: FrameProcessor, story: np.ndarray, person: np.ndarray | None
    ) -> Room:
        """Let it tell the story; after four seconds a person speaks into it, if there is one."""
        rooms: list[Room] = []

        async def main() -> None:
            import asyncio

            async with Room(settings, stt, echo=echo.create(settings, "microphone")) as room:
                rooms.append(room)
                audio = pcm(soxr.resample(story, HEARD_HZ, PLAYED_HZ))
                await room.begin(STORY, audio)
                if person is not None:
                    await asyncio.sleep(4)
                    room.speak(person)
                await room.end()

        run_in_fake_time(main())
        return rooms[0]

    def test_it_does_not_interrupt_itself(
        self, make_settings: Callable[..., Settings], stt: FrameProcessor, story: np.ndarray
    ) -> None:
        heard = self.act(make_settings("echo.cancel=on"), stt, story, None).heard
        assert (heard.turns_s, heard.interruptions_s, heard.holds_s) == ([], [], [])
        assert heard.transcripts == []

    def test_without_a_canceller_the_guard_notices_that_it_hears_itself(
        self, make_settings: Callable[..., Settings], stt: FrameProcessor, story: np.ndarray
    ) -> None:
        heard = self.act(make_settings("echo.cancel=off"), stt, story, None).heard
        print(heard)
        # The guard alone is no canceller: it may be taken in once before it has noticed.
        assert len(heard.interruptions_s) <= 1
        assert heard.troubles == [TROUBLE]

    def test_without_either_it_interrupts_itself(
        self, make_settings: Callable[..., Settings], stt: FrameProcessor, story: np.ndarray
    ) -> None:
        settings = make_settings("echo.cancel=off", "echo.guard=false")
        assert self.act(settings, stt, story, None).heard.interruptions_s != []

    def test_a_person_interrupts_it_and_is_understood_whole(
        self,
        make_settings: Callable[..., Settings],
        stt: FrameProcessor,
        story: np.ndarray,
        spoken: Spoken,
    ) -> None:
        person = other_speaker(spoken(QUESTION))
        room = self.act(make_settings("echo.cancel=on"), stt, story, person)
        print(room.heard)
        assert len(room.heard.turns_s) == len(room.heard.interruptions_s) == 1
        assert likeness(" ".join(room.heard.questions), QUESTION) > 0.7
