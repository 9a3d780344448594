"""A recording in place of the microphone, and a buffer in place of the speaker."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from edgebot.errors import AudioFileError

RATE_HZ = 16_000
FRAME_S = 0.02
LONGEST_S = 3600.0
# Below this level, about that of the quietest sound a 16-bit recording can hold, nobody speaks.
SILENCE_RMS = 1e-4


@dataclass(frozen=True)
class Recording:
    """Sound as the pipeline takes it: 16-bit mono PCM at 16 kHz."""

    name: str
    audio: bytes

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return len(self.audio) / (RATE_HZ * 2)


def read_recording(source: Path | BinaryIO, name: str) -> Recording:
    """Read a recording in any format that libsndfile knows, at any rate, with any channels.

    Args:
        source: A file, or a stream of its bytes.
        name: What to call it in an error.

    Raises:
        AudioFileError: There is no such file, it is no audio, or it is empty, silent or too long.
    """
    try:
        data = source.read_bytes() if isinstance(source, Path) else source.read()
    except FileNotFoundError:
        raise AudioFileError(f"There is no file {name}.") from None
    except OSError as error:
        raise AudioFileError(f"{name} cannot be read: {error.strerror}.") from None
    if not data:
        raise AudioFileError(f"{name} is empty.")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames > LONGEST_S * file.samplerate:
                raise AudioFileError(f"{name} is longer than an hour.")
            samples, rate_hz = file.read(dtype="float32", always_2d=True), file.samplerate
    except soundfile.LibsndfileError:
        raise AudioFileError(
            f"{name} is no recording that can be read: WAV, FLAC, OGG and MP3 can."
        ) from None
    if not len(samples):
        raise AudioFileError(f"{name} is empty: it holds no sound.")
    # A file of floats may hold numbers that are no sound.
    np.clip(np.nan_to_num(samples, copy=False), -1, 1, out=samples)
    mono = samples.mean(axis=1)
    if float(np.sqrt(np.mean(mono**2))) < SILENCE_RMS:
        raise AudioFileError(f"{name} is silent: it holds {len(mono) / rate_hz:.1f} s of nothing.")
    mono = soxr.resample(mono, rate_hz, RATE_HZ)
    return Recording(name, (np.clip(mono, -1, 1) * 32767).astype("<i2").tobytes())


def write_wav(path: Path, audio: bytes, rate_hz: int) -> None:
    """Write 16-bit mono PCM as a WAV file.

    Raises:
        AudioFileError: The file cannot be written.
    """
    file = io.BytesIO()
    samples = np.frombuffer(audio, dtype="<i2")
    soundfile.write(file, samples, rate_hz, format="WAV", subtype="PCM_16")
    try:
        path.write_bytes(file.getvalue())
    except OSError as error:
        raise AudioFileError(f"{path} cannot be written: {error.strerror}.") from None


class RecordingTransport(BaseTransport):
    """Plays recordings into the pipeline in real time and keeps what it says.

    Time runs as at a real microphone: silence follows a recording until the next one is played, and
    sound leaves as fast as a speaker would take it only if `paced` is set.
    """

    def __init__(self, *, rate_hz: int, paced: bool = False) -> None:
        """Make both ends.

        Args:
            rate_hz: The rate of the sound that the pipeline puts out.
            paced: Take the sound in real time, as a speaker does.
        """
        super().__init__()
        params = TransportParams(
            audio_in_enabled=True,
            audio_in_sample_rate=RATE_HZ,
            audio_out_enabled=True,
            audio_out_sample_rate=rate_hz,
            audio_out_end_silence_secs=0,
        )
        self.rate_hz = rate_hz
        self._input = RecordingInput(params)
        self._output = RecordingOutput(params, paced=paced)

    def input(self) -> FrameProcessor:
        """Return the end that recordings are played into."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the end that collects what is said."""
        return self._output

    async def play(self, recording: Recording) -> None:
        """Play a recording to its end."""
        await self._input.play(recording.audio)

    def take_spoken(self) -> bytes:
        """Return the 16-bit PCM that was put out since the last call."""
        spoken = bytes(self._output.spoken)
        self._output.spoken.clear()
        return spoken


class RecordingInput(BaseInputTransport):
    """The microphone's end: silence, and recordings when there are some."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._feeder: asyncio.Task[None] | None = None

    async def play(self, audio: bytes) -> None:
        """Queue sound and wait until it has been played."""
        size = int(RATE_HZ * FRAME_S) * 2
        for start in range(0, len(audio), size):
            self._queue.put_nowait(audio[start : start + size].ljust(size, b"\0"))
        await self._queue.join()

    async def start(self, frame: StartFrame) -> None:
        """Begin to deliver frames."""
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._feeder = self.create_task(self._feed())

    async def stop(self, frame: EndFrame) -> None:
        """Deliver no more."""
        await self._stop_feeder()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """Deliver no more."""
        await self._stop_feeder()
        await super().cancel(frame)

    async def _stop_feeder(self) -> None:
        if self._feeder is not None:
            await self.cancel_task(self._feeder)
            self._feeder = None

    async def _feed(self) -> None:
        silence = bytes(int(RATE_HZ * FRAME_S) * 2)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += FRAME_S
            await asyncio.sleep(due - loop.time())
            waiting = not self._queue.empty()
            audio = self._queue.get_nowait() if waiting else silence
            await self.push_audio_frame(InputAudioRawFrame(audio, RATE_HZ, 1))
            if waiting:
                self._queue.task_done()


class RecordingOutput(BaseOutputTransport):
    """The speaker's end: keeps every sample."""

    def __init__(self, params: TransportParams, *, paced: bool) -> None:
        super().__init__(params)
        self._paced = paced
        self.spoken = bytearray()

    async def start(self, frame: StartFrame) -> None:
        """Be ready to take sound."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Keep the sound of a frame."""
        self.spoken += frame.audio
        if self._paced:
            await asyncio.sleep(len(frame.audio) / (2 * frame.sample_rate * frame.num_channels))
        return True
