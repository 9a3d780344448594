"""The configured devices, the volume and the chimes reach the streams."""

from __future__ import annotations

import numpy as np
import pyaudio
import pytest
from fake_time import run_in_fake_time
from hw.fake_pyaudio import FakeDevice, FakeLibrary, FakeStream
from line import Line
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline

from edgebot.chimes import chime
from edgebot.config import load_settings
from edgebot.frames import ChimeFrame
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
from edgebot.talking import device_transport


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    made = FakeLibrary(
        [FakeDevice("Onboard", outputs=2), FakeDevice("USB", inputs=1, outputs=2)],
        default_input=1,
        default_output=0,
    )
    monkeypatch.setattr(pyaudio, "PyAudio", made)
    return made


def line_of(*flags: str) -> Line:
    transport = device_transport(load_settings(flags=flags, environment={}))
    ends = Pipeline([transport.input(), transport.output()])
    return Line(ends, audio_out_sample_rate=SPEAKER_RATE_HZ)


def names(library: FakeLibrary, streams: list[FakeStream]) -> dict[str, str]:
    """Return the devices of open streams."""
    found = {}
    for stream in streams:
        kind = "microphone" if stream.options["input"] else "speaker"
        index = stream.options["input_device_index"]
        index = stream.options["output_device_index"] if index is None else index
        found[kind] = library.found[index].name
    return found


def test_the_configured_devices_are_opened(library: FakeLibrary) -> None:
    async def main() -> None:
        async with line_of("audio.speaker=usb") as line:
            await line.until(lambda: len(library.streams) == 2)
            assert names(library, library.streams) == {"microphone": "USB", "speaker": "USB"}
            microphone = next(s for s in library.streams if s.options["input"])
            for _ in range(5):
                microphone.call_back(bytes(2 * 960), 960)
            await line.until_down(InputAudioRawFrame)

    run_in_fake_time(main())


def test_an_index_means_the_same_device_when_another_one_has_come(library: FakeLibrary) -> None:
    async def main() -> None:
        async with line_of("audio.speaker=1", "audio.microphone=1") as line:
            await line.until(lambda: len(library.streams) == 2)
            library.devices.insert(0, FakeDevice("Webcam", inputs=1, outputs=1))
            for stream in library.streams:
                stream.active = False
            await line.until(lambda: len(library.streams) == 4)
            assert names(library, library.streams[2:]) == {"microphone": "USB", "speaker": "USB"}

    run_in_fake_time(main())


def test_chimes_and_volume_are_those_of_the_settings(library: FakeLibrary) -> None:
    async def main() -> None:
        flags = ("audio.volume=0.5", "chimes.volume=0.4", "chimes.play=['heard']")
        async with line_of(*flags) as line:
            # What passes the pipeline finds the speaker open, and set to its volume.
            await line.send(ChimeFrame("woken"))
            await line.until_down(ChimeFrame)
            speaker = next(s for s in library.streams if s.options["output"])
            speaker.call_back(None, 480)
            await line.send(ChimeFrame("heard"))
            await line.until_down(ChimeFrame, 2)
            tone = np.frombuffer(chime("heard", SPEAKER_RATE_HZ, 0.4), "<i2") * 0.5
            played, _ = speaker.call_back(None, len(tone))
            assert np.abs(np.frombuffer(played or b"", "<i2") - tone).max() <= 0.5

    run_in_fake_time(main())
