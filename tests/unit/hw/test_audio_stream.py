"""Open devices: what PortAudio's thread hands over and takes."""

from __future__ import annotations

import time

import pyaudio
import pytest

from edgebot.errors import DeviceError
from edgebot.hw.audio_device import AudioDevice
from edgebot.hw.audio_stream import MicrophoneStream, SpeakerStream

from .fake_pyaudio import FakeLibrary

HEADSET = AudioDevice(1, "USB Headset", 48_000, 1, 2, frozenset())
RATE_HZ = 16_000


class Clock:
    """Says what it is set to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_a_microphone_hands_on_what_it_hears(library: FakeLibrary) -> None:
    heard: list[bytes] = []
    with MicrophoneStream(HEADSET, RATE_HZ, heard.append):
        (stream,) = library.streams
        assert stream.call_back(b"ab", 1) == (None, pyaudio.paContinue)
        stream.call_back(b"", 0)
        stream.call_back(b"cd", 1)
    assert heard == [b"ab", b"cd"]


def test_a_microphone_is_opened_with_periods_of_20_ms(library: FakeLibrary) -> None:
    with MicrophoneStream(HEADSET, RATE_HZ, print):
        options = library.streams[0].options
    assert (options["rate"], options["frames_per_buffer"]) == (16_000, 320)
    assert (options["input"], options["input_device_index"]) == (True, 1)
    assert "output" not in options


def test_a_speaker_plays_what_was_written_and_then_silence(library: FakeLibrary) -> None:
    with SpeakerStream(HEADSET, RATE_HZ) as speaker:
        (stream,) = library.streams
        assert (stream.options["output"], stream.options["output_device_index"]) == (True, 1)
        assert stream.call_back(None, 2) == (b"\0\0\0\0", pyaudio.paContinue)
        speaker.write(b"abcd")
        speaker.write(b"ef")
        assert speaker.waiting_s == 3 / RATE_HZ
        assert stream.call_back(None, 2)[0] == b"abcd"
        assert stream.call_back(None, 2)[0] == b"ef\0\0"
        assert speaker.waiting_s == 0


def test_what_waits_can_be_thrown_away(library: FakeLibrary) -> None:
    with SpeakerStream(HEADSET, RATE_HZ) as speaker:
        speaker.write(b"abcd")
        speaker.clear()
        assert speaker.waiting_s == 0
        assert library.streams[0].call_back(None, 1)[0] == b"\0\0"
        speaker.write(b"ef")
        assert library.streams[0].call_back(None, 1)[0] == b"ef"


def test_a_device_that_does_not_call_is_silent(library: FakeLibrary, clock: Clock) -> None:
    with SpeakerStream(HEADSET, RATE_HZ) as speaker:
        clock.now_s += 3
        assert speaker.silent_s == 3
        library.streams[0].call_back(None, 1)
        assert speaker.silent_s == 0


def test_a_device_is_given_back(library: FakeLibrary) -> None:
    with pytest.raises(ZeroDivisionError), SpeakerStream(HEADSET, RATE_HZ):
        1 / 0  # noqa: B018
    assert library.streams[0].closed
    assert library.opened == library.terminated == 1


@pytest.mark.parametrize("reason", [(-9985, "Device unavailable"), ("Device unavailable",)])
def test_a_device_that_does_not_open_is_given_back_too(
    library: FakeLibrary, reason: tuple[object, ...]
) -> None:
    library.devices[1].error = OSError(*reason)
    with pytest.raises(DeviceError) as caught:
        SpeakerStream(HEADSET, RATE_HZ)
    assert str(caught.value) == (
        "The audio device 'USB Headset' cannot be opened: Device unavailable."
    )
    assert library.opened == library.terminated == 1
