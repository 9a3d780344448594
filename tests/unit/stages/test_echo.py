"""The echo stage, with an engine that is told what to do."""

from __future__ import annotations

import pytest
from line import Line, of
from pipecat.frames.frames import ErrorFrame, InputAudioRawFrame, TranscriptionFrame

from edgebot.config import load_settings
from edgebot.engines.echo_canceller import FRAME_BYTES
from edgebot.errors import EngineError
from edgebot.stages.echo import Echo, cancels_itself, create

RATE_HZ = 16_000


class FakeCanceller:
    """Turns every byte over, and takes down what it is handed."""

    def __init__(self, *, load_fault: str = "") -> None:
        self._load_fault = load_fault
        self.fault = ""
        self.loads = self.resets = 0
        self.heard: list[int] = []
        self.taken: list[tuple[bytes, int]] = []

    def load(self) -> None:
        self.loads += 1
        if self._load_fault:
            raise EngineError(self._load_fault)

    def reset(self) -> None:
        self.resets += 1

    def played(self, audio: bytes, rate_hz: int) -> None:
        self.taken.append((audio, rate_hz))

    def clean(self, audio: bytes) -> bytes:
        if self.fault:
            raise EngineError(self.fault)
        self.heard.append(len(audio))
        return cleaned(audio)


def cleaned(audio: bytes) -> bytes:
    return bytes(255 - byte for byte in audio)


def sound(size: int, start: int = 0) -> InputAudioRawFrame:
    audio = bytes((start + at) % 251 for at in range(size))
    return InputAudioRawFrame(audio, RATE_HZ, 1)


def sounds(line: Line) -> list[InputAudioRawFrame]:
    return of(line.down, InputAudioRawFrame)


async def test_each_frame_is_cleaned_and_keeps_its_place() -> None:
    engine = FakeCanceller()
    frames = [sound(2 * FRAME_BYTES, start) for start in range(3)]
    expected = [cleaned(frame.audio) for frame in frames]
    async with Line(Echo(canceller=engine)) as line:
        await line.send(*frames, TranscriptionFrame("after", "", ""))
        await line.until_down(TranscriptionFrame)
        assert [frame.audio for frame in sounds(line)] == expected
        assert {frame.num_frames for frame in sounds(line)} == {FRAME_BYTES}
    assert engine.loads == 1


async def test_frames_of_any_length_are_cut_into_whole_ones_and_nothing_is_lost() -> None:
    engine = FakeCanceller()
    sizes = [100, 2, 640, 318, 960, 0, 20, 242]
    whole = b"".join(sound(size, at).audio for at, size in enumerate(sizes))
    async with Line(Echo(canceller=engine)) as line:
        await line.send(*(sound(size, at) for at, size in enumerate(sizes)))
        await line.until(lambda: sum(engine.heard) == len(whole) // FRAME_BYTES * FRAME_BYTES)
        await line.send(TranscriptionFrame("after", "", ""))
        await line.until_down(TranscriptionFrame)
        out = b"".join(frame.audio for frame in sounds(line))
    assert out == cleaned(whole)[: len(out)]
    assert len(out) == len(whole) // FRAME_BYTES * FRAME_BYTES
    assert all(size % FRAME_BYTES == 0 for size in engine.heard)
    assert all(frame.audio for frame in sounds(line))


async def test_what_is_played_reaches_the_engine_once_it_works() -> None:
    engine = FakeCanceller()
    stage = Echo(canceller=engine)
    stage.played(b"early", 48_000)
    async with Line(stage) as line:
        await line.send(sound(FRAME_BYTES))
        await line.until(lambda: engine.heard)
        stage.played(b"sound", 48_000)
        stage.reset()
    assert engine.taken == [(b"sound", 48_000)]
    assert engine.resets == 1


async def test_an_engine_that_fails_is_told_once_and_the_sound_passes() -> None:
    engine = FakeCanceller()
    stage = Echo(canceller=engine)
    async with Line(stage) as line:
        await line.send(sound(FRAME_BYTES))
        await line.until(lambda: sounds(line))
        engine.fault = "the echo canceller failed: no memory"
        await line.send(sound(FRAME_BYTES + 7), sound(5), sound(FRAME_BYTES))
        await line.until(lambda: len(sounds(line)) == 4)
        await line.until_up(ErrorFrame)
        stage.played(b"sound", 48_000)
        assert [frame.audio for frame in sounds(line)[1:]] == [
            sound(FRAME_BYTES + 7).audio,
            sound(5).audio,
            sound(FRAME_BYTES).audio,
        ]
        (error,) = of(line.up, ErrorFrame)
    assert error.error.endswith("because the echo canceller failed: no memory")
    assert stage.is_usable
    assert engine.taken == []


async def test_an_engine_that_cannot_be_loaded_is_told_and_the_sound_passes() -> None:
    engine = FakeCanceller(load_fault="there is none")
    async with Line(Echo(canceller=engine)) as line:
        await line.send(sound(30))
        await line.until(lambda: sounds(line))
        await line.until_up(ErrorFrame)
        assert [frame.audio for frame in sounds(line)] == [sound(30).audio]
        (error,) = of(line.up, ErrorFrame)
    assert error.error.endswith("because there is none")


@pytest.mark.parametrize(
    ("name", "itself"),
    [
        ("Jabra SPEAK 510 USB: Audio (hw:1,0)", True),
        ("Anker PowerConf S3: USB Audio (hw:2,0)", True),
        ("eMeet OfficeCore M2: USB Audio", True),
        ("USB Speakerphone: Audio", True),
        ("alsa_input.echo_cancel.mono", True),
        ("Built-in Audio (echo-cancelled with WebRTC)", True),
        ("seeed-2mic-voicecard: bcm2835-i2s-wm8960-hifi", False),
        ("USB PnP Sound Device: Audio (hw:1,0)", False),
        ("default", False),
        ("", False),
    ],
)
def test_devices_that_cancel_echo_themselves_are_known_by_name(name: str, itself: bool) -> None:
    assert cancels_itself(name) is itself


@pytest.mark.parametrize(
    ("cancel", "name", "made"),
    [
        ("auto", "default", True),
        ("auto", "Jabra SPEAK 510", False),
        ("on", "Jabra SPEAK 510", True),
        ("off", "default", False),
    ],
)
def test_the_setting_and_the_device_decide_whether_there_is_one(
    cancel: str, name: str, made: bool
) -> None:
    settings = load_settings(flags=[f"echo.cancel={cancel}"], environment={})
    assert isinstance(create(settings, name), Echo) is made
    assert (create(settings, name) is None) is not made
