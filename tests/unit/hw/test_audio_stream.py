"""Open devices: what PortAudio's thread hands over and takes."""

from __future__ import annotations

import time

import numpy as np
import pyaudio
import pytest

from edgebot.errors import DeviceError, NoMicrophoneError
from edgebot.hw.audio_stream import FRAME_BYTES, MicrophoneStream, SpeakerStream
from edgebot.hw.port_audio import PortAudio

from .fake_pyaudio import FakeLibrary, FakeStream

HEADSET = "USB Headset"


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


@pytest.fixture
def audio() -> PortAudio:
    return PortAudio(hardware=lambda: "")


def tone(count: int, rate_hz: int, hz: float = 440.0) -> np.ndarray:
    return (10_000 * np.sin(2 * np.pi * hz * np.arange(count) / rate_hz)).astype("<i2")


def pitch(audio: bytes, rate_hz: int) -> float:
    samples = np.frombuffer(audio, dtype="<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))


# The microphone


def open_microphone(audio: PortAudio, library: FakeLibrary) -> tuple[list[bytes], FakeStream]:
    heard: list[bytes] = []
    MicrophoneStream(audio, HEADSET, heard.append)
    return heard, library.streams[-1]


def test_a_microphone_at_the_pipelines_rate_is_handed_on_as_it_is(
    audio: PortAudio, library: FakeLibrary
) -> None:
    library.devices[1].rate_hz = 16_000.0
    heard, stream = open_microphone(audio, library)
    assert (stream.options["rate"], stream.options["frames_per_buffer"]) == (16_000, 320)
    sound = tone(960, 16_000).tobytes()
    for start in range(0, len(sound), 2 * 240):
        assert stream.call_back(sound[start : start + 480], 240) == (None, pyaudio.paContinue)
    stream.call_back(b"", 0)
    assert heard == [sound[:640], sound[640:1280], sound[1280:]]


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_a_microphone_is_converted_from_its_own_rate(
    audio: PortAudio, library: FakeLibrary, rate_hz: int
) -> None:
    library.devices[1].works_at = frozenset({(rate_hz, 1)})
    heard, stream = open_microphone(audio, library)
    period = rate_hz // 50
    assert (stream.options["rate"], stream.options["frames_per_buffer"]) == (rate_hz, period)
    sound = tone(50 * period, rate_hz)
    for start in range(0, len(sound), period):
        stream.call_back(sound[start : start + period].tobytes(), period)
    assert {len(piece) for piece in heard} == {FRAME_BYTES} == {640}
    # No more than two pieces stay behind in the converter.
    assert len(heard) >= 48
    assert pitch(b"".join(heard), 16_000) == pytest.approx(440, abs=2)


def test_stereo_is_heard_as_its_mean(audio: PortAudio, library: FakeLibrary) -> None:
    library.devices[1].works_at = frozenset({(16_000, 2)})
    heard, stream = open_microphone(audio, library)
    stream.call_back(np.array([[100, 300]] * 320, dtype="<i2").tobytes(), 320)
    assert heard == [np.full(320, 200, dtype="<i2").tobytes()]


def test_what_piled_up_while_a_device_stood_still_is_thrown_away(
    audio: PortAudio, library: FakeLibrary, clock: Clock
) -> None:
    library.devices[1].rate_hz = 16_000.0
    heard: list[bytes] = []
    microphone = MicrophoneStream(audio, HEADSET, heard.append)
    stream = library.streams[-1]
    stream.call_back(bytes([1]) * 640, 320)
    clock.now_s += 1.0
    for _ in range(50):
        stream.call_back(bytes([2]) * 640, 320)
    for _ in range(20):
        clock.now_s += 0.02
        stream.call_back(bytes([3]) * 640, 320)
    assert {piece[0] for piece in heard} == {1, 3}
    assert microphone.stale == 71 - len(heard)
    assert len(heard) >= 10


def test_while_nobody_waits_sound_comes_in_longer_pieces_and_none_is_lost(
    audio: PortAudio, library: FakeLibrary
) -> None:
    heard: list[bytes] = []
    patient = True
    MicrophoneStream(audio, HEADSET, heard.append, is_patient=lambda: patient)
    stream = library.streams[-1]
    library.devices[1].rate_hz = 48_000.0
    sound = tone(2 * 960 * 60, 48_000)
    pieces = [sound[start : start + 960] for start in range(0, len(sound), 960)]
    for piece in pieces[:52]:
        stream.call_back(piece.tobytes(), 960)
    asleep = len(heard)
    patient = False
    for piece in pieces[52:]:
        stream.call_back(piece.tobytes(), 960)
    # 52 pieces of 20 ms are ten of 100 ms; what waited comes with the first of the shorter ones.
    assert asleep == 10
    # The converter gives them in whole pieces of 20 ms, a little more now, a little less then.
    assert {len(piece) for piece in heard[1:asleep]} <= {2560, 3200, 3840}
    assert {len(piece) for piece in heard[asleep:]} == {FRAME_BYTES}
    expected: list[bytes] = []
    MicrophoneStream(audio, HEADSET, expected.append)
    for piece in pieces:
        library.streams[-1].call_back(piece.tobytes(), 960)
    both = np.frombuffer(b"".join(heard), "<i2"), np.frombuffer(b"".join(expected), "<i2")
    assert len(both[0]) == len(both[1])
    # The converter rounds by chance.
    assert np.abs(both[0].astype(int) - both[1]).max() <= 4


# The speaker


def open_speaker(
    audio: PortAudio, library: FakeLibrary, **options: object
) -> tuple[SpeakerStream, FakeStream]:
    speaker = SpeakerStream(audio, HEADSET, **options)  # type: ignore[arg-type]
    return speaker, library.streams[-1]


def test_a_speaker_plays_what_was_written_and_then_silence(
    audio: PortAudio, library: FakeLibrary
) -> None:
    speaker, stream = open_speaker(audio, library)
    assert (stream.options["output"], stream.options["output_device_index"]) == (True, 1)
    assert (stream.options["rate"], stream.options["frames_per_buffer"]) == (48_000, 480)
    assert stream.call_back(None, 2) == (b"\0\0\0\0", pyaudio.paContinue)
    speaker.write(b"abcd")
    speaker.write(b"ef")
    assert speaker.waiting_s == 3 / 48_000
    assert stream.call_back(None, 2)[0] == b"abcd"
    assert stream.call_back(None, 2)[0] == b"ef\0\0"
    assert speaker.waiting_s == 0


def test_a_speaker_is_mixed_as_it_is_told(audio: PortAudio, library: FakeLibrary) -> None:
    speaker, stream = open_speaker(audio, library, volume=0.5)
    speaker.write(np.full(4, 100, dtype="<i2").tobytes())
    speaker.chime(np.full(1, 20, dtype="<i2").tobytes())
    assert np.frombuffer(stream.call_back(None, 2)[0] or b"", "<i2").tolist() == [60, 50]
    speaker.set_volume(1.0)
    stream.call_back(None, 2)
    speaker.write(np.full(4800, 100, dtype="<i2").tobytes())
    speaker.hold(True)
    assert np.frombuffer(stream.call_back(None, 480)[0] or b"", "<i2")[-1] == 0
    speaker.clear()
    assert speaker.waiting_s == 0


def test_all_that_is_played_is_told_silence_too(audio: PortAudio, library: FakeLibrary) -> None:
    played: list[tuple[bytes, int]] = []
    speaker, stream = open_speaker(
        audio, library, when_played=lambda audio, rate_hz: played.append((audio, rate_hz))
    )
    speaker.write(b"ab")
    stream.call_back(None, 2)
    stream.call_back(None, 1)
    assert played == [(b"ab\0\0", 48_000), (b"\0\0", 48_000)]


def test_a_speaker_is_converted_to_its_own_rate(audio: PortAudio, library: FakeLibrary) -> None:
    library.devices[1].works_at = frozenset({(44_100, 1)})
    told = bytearray()
    speaker, stream = open_speaker(
        audio, library, when_played=lambda audio, rate_hz: told.extend(audio)
    )
    sound = tone(48_000, 48_000).tobytes()
    speaker.write(sound)
    played = b"".join(stream.call_back(None, 441)[0] or b"" for _ in range(100))
    assert len(played) == 88_200
    assert pitch(played, 44_100) == pytest.approx(440, abs=2)
    assert told[: len(sound)] == sound
    # No more is taken ahead than the converter holds back.
    assert len(told) <= len(sound) + 4 * 960


def test_stereo_is_played_on_both_sides(audio: PortAudio, library: FakeLibrary) -> None:
    library.devices[1].works_at = frozenset({(48_000, 2)})
    speaker, stream = open_speaker(audio, library)
    speaker.write(b"abcd")
    assert stream.call_back(None, 2)[0] == b"ababcdcd"


# Both


def test_a_device_that_does_not_call_is_silent(
    audio: PortAudio, library: FakeLibrary, clock: Clock
) -> None:
    speaker, stream = open_speaker(audio, library)
    clock.now_s += 3
    assert (speaker.silent_s, speaker.is_running) == (3, False)
    stream.call_back(None, 1)
    assert (speaker.silent_s, speaker.is_running) == (0, True)
    clock.now_s += 2
    assert (speaker.silent_s, speaker.is_running) == (2, True)


def test_a_device_that_stops_is_lost_and_one_that_is_given_up_says_so(
    audio: PortAudio, library: FakeLibrary
) -> None:
    speaker, stream = open_speaker(audio, library)
    assert not speaker.is_lost
    stream.active = False
    assert (speaker.is_lost, speaker.is_given_up) == (True, False)
    audio.close()
    assert (speaker.is_lost, speaker.is_given_up) == (True, True)


def test_a_device_is_given_back(audio: PortAudio, library: FakeLibrary) -> None:
    with SpeakerStream(audio, HEADSET) as speaker:
        assert speaker.device.name == "USB Headset: Audio (hw:1,0)"
        library.streams[0].active = False
    assert library.streams[0].closed


@pytest.mark.parametrize("reason", [(-9999, "Device unavailable"), ("Device unavailable",)])
def test_a_device_that_does_not_open_says_so(
    audio: PortAudio, library: FakeLibrary, reason: tuple[object, ...]
) -> None:
    library.devices[1].error = OSError(*reason)
    with pytest.raises(DeviceError) as caught:
        SpeakerStream(audio, HEADSET)
    assert str(caught.value) == (
        "The speaker 'USB Headset: Audio (hw:1,0)' cannot be opened: Device unavailable."
    )


def test_a_device_that_is_not_there_says_so(audio: PortAudio, library: FakeLibrary) -> None:
    with pytest.raises(NoMicrophoneError):
        MicrophoneStream(audio, "Jabra", print)
