"""Recordings in any format and state, and a transport that plays them in real time."""

from __future__ import annotations

import asyncio
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_time import run_in_fake_time
from line import Line
from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline

from edgebot.errors import AudioFileError
from edgebot.stages import recording as recording_room
from edgebot.stages.recording import (
    FRAME_S,
    RATE_HZ,
    Recording,
    RecordingTransport,
    read_recording,
    write_wav,
)

FRAME_BYTES = int(RATE_HZ * FRAME_S) * 2


def tone(rate_hz: int = RATE_HZ, seconds: float = 0.5, hz: float = 440.0) -> np.ndarray:
    times_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return 0.5 * np.sin(2 * np.pi * hz * times_s)


def written(tmp_path: Path, samples: Any, rate_hz: int = RATE_HZ, **form: str) -> Path:
    path = tmp_path / f"recording.{form.get('format', 'WAV').lower()}"
    soundfile.write(path, samples, rate_hz, **form)
    return path


def heard(recording: Recording) -> np.ndarray:
    return np.frombuffer(recording.audio, dtype="<i2") / 32767


def loudest_hz(recording: Recording) -> float:
    spectrum = np.abs(np.fft.rfft(heard(recording)))
    return float(np.argmax(spectrum) * RATE_HZ / len(heard(recording)))


def refused(source: Any, name: str = "it") -> str:
    with pytest.raises(AudioFileError) as caught:
        read_recording(source, name)
    return str(caught.value)


# What can be read


@pytest.mark.parametrize(
    "form",
    [
        {"format": "WAV", "subtype": "PCM_16"},
        {"format": "WAV", "subtype": "PCM_24"},
        {"format": "WAV", "subtype": "PCM_32"},
        {"format": "WAV", "subtype": "PCM_U8"},
        {"format": "WAV", "subtype": "FLOAT"},
        {"format": "WAV", "subtype": "DOUBLE"},
        {"format": "WAV", "subtype": "ULAW"},
        {"format": "FLAC"},
        {"format": "OGG"},
        {"format": "MP3"},
        {"format": "AIFF"},
    ],
    ids=lambda form: " ".join(form.values()),
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_format(tmp_path: Path, form: dict[str, str], channels: int) -> None:
    samples = np.repeat(tone()[:, None], channels, axis=1)
    recording = read_recording(written(tmp_path, samples, **form), "it")
    assert recording.name == "it"
    assert recording.duration_s == pytest.approx(0.5, abs=0.1)
    assert loudest_hz(recording) == pytest.approx(440, abs=5)
    assert np.abs(heard(recording)).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
)
def test_any_rate(tmp_path: Path, rate_hz: int) -> None:
    recording = read_recording(written(tmp_path, tone(rate_hz), rate_hz), "it")
    assert recording.duration_s == pytest.approx(0.5, abs=0.001)
    assert loudest_hz(recording) == pytest.approx(440, abs=3)


def test_sixteen_bit_at_the_pipelines_rate_is_almost_left_alone(tmp_path: Path) -> None:
    samples = (tone() * 32767).astype("<i2")
    recording = read_recording(written(tmp_path, samples), "it")
    difference = np.frombuffer(recording.audio, dtype="<i2").astype(int) - samples
    assert np.abs(difference).max() <= 1


def test_channels_are_mixed(tmp_path: Path) -> None:
    samples = np.stack([tone(), np.zeros(len(tone()))], axis=1)
    recording = read_recording(written(tmp_path, samples), "it")
    assert np.abs(heard(recording)).max() == pytest.approx(0.25, abs=0.01)


def test_what_is_too_loud_is_clipped(tmp_path: Path) -> None:
    path = written(tmp_path, 8 * tone(), format="WAV", subtype="FLOAT")
    samples = np.frombuffer(read_recording(path, "it").audio, dtype="<i2")
    assert samples.max() == 32767
    assert samples.min() == -32767


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -1e38])
def test_samples_that_are_no_sound_do_no_harm(tmp_path: Path, value: float) -> None:
    samples = tone()
    samples[100:110] = value
    path = written(tmp_path, samples, format="WAV", subtype="FLOAT")
    recording = read_recording(path, "it")
    assert loudest_hz(recording) == pytest.approx(440, abs=5)


def test_a_stream_of_bytes(tmp_path: Path) -> None:
    data = written(tmp_path, tone()).read_bytes()
    assert read_recording(io.BytesIO(data), "standard input").duration_s == 0.5


def test_a_quiet_voice_is_no_silence(tmp_path: Path) -> None:
    assert read_recording(written(tmp_path, tone() / 100), "it").duration_s == 0.5


# What cannot be read


def test_a_missing_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.wav", "none.wav") == "There is no file none.wav."


def test_a_folder(tmp_path: Path) -> None:
    assert refused(tmp_path) == "it cannot be read: Is a directory."


def test_a_file_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert refused(tmp_path / "file" / "a.wav") == "it cannot be read: Not a directory."


def test_an_empty_file() -> None:
    assert refused(io.BytesIO(b"")) == "it is empty."


@pytest.mark.parametrize(
    "data",
    [
        b"Dear diary,\n",
        b"\0" * 4096,
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"RIFF",
        b"fLaC" + b"\xff" * 64,
        b"OggS" + b"\0" * 64,
        b"ID3" + b"\0" * 64,
    ],
)
def test_what_is_no_recording(data: bytes) -> None:
    assert refused(io.BytesIO(data)) == (
        "it is no recording that can be read: WAV, FLAC, OGG and MP3 can."
    )


def test_a_recording_without_samples(tmp_path: Path) -> None:
    assert refused(written(tmp_path, np.zeros(0))) == "it is empty: it holds no sound."


@pytest.mark.parametrize("value", [0.0, 1e-5, math.nan])
def test_silence(tmp_path: Path, value: float) -> None:
    path = written(tmp_path, np.full(RATE_HZ, value), format="WAV", subtype="FLOAT")
    assert refused(path) == "it is silent: it holds 1.0 s of nothing."


def test_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_room, "LONGEST_S", 0.4)
    assert refused(written(tmp_path, tone())) == "it is longer than an hour."


@pytest.mark.parametrize("kept", [20, 44, 45, 60, 1000, 10_001])
def test_a_truncated_file_is_read_as_far_as_it_goes_or_refused(tmp_path: Path, kept: int) -> None:
    data = written(tmp_path, tone()).read_bytes()[:kept]
    try:
        recording = read_recording(io.BytesIO(data), "it")
    except AudioFileError:
        assert kept < 1000
    else:
        assert recording.duration_s == pytest.approx((kept - 44) // 2 / RATE_HZ, abs=0.001)


# What is written


def test_a_wav_file_holds_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "answer.wav"
    samples = (tone(24_000) * 32767).astype("<i2")
    write_wav(path, samples.tobytes(), 24_000)
    found, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == 24_000
    assert np.array_equal(found, samples)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("no/such/folder/a.wav", "No such file or directory"),
        ("file/a.wav", "Not a directory"),
        (".", "Is a directory"),
    ],
)
def test_an_impossible_place(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / place
    with pytest.raises(AudioFileError) as caught:
        write_wav(path, b"\0\0", 16_000)
    assert str(caught.value) == f"{path} cannot be written: {reason}."


# The transport


def test_frames_come_in_real_time_and_silence_follows() -> None:
    arrivals: list[tuple[float, bytes]] = []

    async def main() -> None:
        transport = RecordingTransport(rate_hz=24_000)
        line = Line(Pipeline([transport.input(), transport.output()]))
        loop = asyncio.get_running_loop()
        keep = line._keep

        def stamp(frames: list[Any], frame: Any) -> None:
            keep(frames, frame)
            if isinstance(frame, InputAudioRawFrame):
                arrivals.append((loop.time(), frame.audio))

        line._keep = stamp  # type: ignore[method-assign]
        async with line:
            begun = loop.time()
            await transport.play(Recording("it", b"\1" * (FRAME_BYTES * 5 + 10)))
            # Six frames, after at most one of silence.
            assert loop.time() - begun == pytest.approx(6 * FRAME_S, abs=FRAME_S + 0.001)
            await asyncio.sleep(1.0)

    run_in_fake_time(main())
    steps = np.diff([at for at, _ in arrivals])
    assert np.allclose(steps, FRAME_S, atol=1e-5)
    played = b"".join(audio for _, audio in arrivals).strip(b"\0")
    assert played == b"\1" * (FRAME_BYTES * 5 + 10)
    assert len(arrivals) == pytest.approx(56, abs=2)
    assert {len(audio) for _, audio in arrivals} == {FRAME_BYTES}


def test_two_recordings_follow_each_other() -> None:
    async def main() -> bytes:
        transport = RecordingTransport(rate_hz=24_000)
        async with Line(Pipeline([transport.input(), transport.output()])) as line:
            await transport.play(Recording("a", b"a" * FRAME_BYTES))
            await transport.play(Recording("b", b"b" * FRAME_BYTES))
            await asyncio.sleep(0.1)
            return b"".join(frame.audio for frame in line.of(InputAudioRawFrame))

    played = run_in_fake_time(main()).strip(b"\0")
    assert played.replace(b"\0", b"") == b"a" * FRAME_BYTES + b"b" * FRAME_BYTES


@pytest.mark.parametrize(("paced", "seconds"), [(False, 0.0), (True, 1.0)])
def test_what_is_said_is_kept_and_paced_if_asked_for(paced: bool, seconds: float) -> None:
    said = bytes(range(1, 241)) * 200

    async def main() -> float:
        transport = RecordingTransport(rate_hz=24_000, paced=paced)
        loop = asyncio.get_running_loop()
        async with Line(
            Pipeline([transport.input(), transport.output()]), audio_out_sample_rate=24_000
        ) as line:
            begun = loop.time()
            await line.send(OutputAudioRawFrame(said, 24_000, 1))
            await line.until(lambda: len(transport._output.spoken) >= len(said))
            took = loop.time() - begun
            assert transport.take_spoken() == said
            assert transport.take_spoken() == b""
        return took

    assert run_in_fake_time(main()) == pytest.approx(seconds, abs=0.06)


@pytest.mark.parametrize("how", ["end", "cancel"])
def test_no_frames_come_after_the_end(how: str) -> None:
    async def main() -> None:
        transport = RecordingTransport(rate_hz=24_000)
        async with Line(Pipeline([transport.input(), transport.output()])) as line:
            await transport.play(Recording("a", b"a" * FRAME_BYTES))
            await getattr(line, how)()
            count = len(line.of(InputAudioRawFrame))
            await asyncio.sleep(1.0)
            assert len(line.of(InputAudioRawFrame)) == count

    run_in_fake_time(main())
