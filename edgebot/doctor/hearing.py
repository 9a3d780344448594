"""Plays the probe and takes down what the microphone hears of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from threading import Lock

import numpy as np
import soxr

from edgebot.doctor.probe import LEAD_S, RATE_HZ, Recording, from_pcm, probe, to_pcm
from edgebot.errors import DeviceError
from edgebot.hw.audio_device import AudioDevice
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ, MicrophoneStream, SpeakerStream
from edgebot.hw.port_audio import PortAudio

# A microphone's first sounds are often a click.
SETTLE_S = 0.5
QUIET_S = 1.0
# Longer than the largest delay that is looked for.
AFTER_S = 1.0
NO_SOUND_S = 5.0
_STEP_S = 0.002


class TakenDown:
    """What a microphone delivers, with the times at which it came. Thread-safe."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._chunks: list[tuple[float, bytes]] = []

    def add(self, audio: bytes) -> None:
        """Append 16-bit mono PCM at 16 kHz, which came just now."""
        with self._lock:
            self._chunks.append((time.monotonic(), audio))

    @property
    def duration_s(self) -> float:
        """How much there is."""
        with self._lock:
            return sum(len(audio) for _, audio in self._chunks) / (2 * RATE_HZ)

    def split(self, played_s: float) -> Recording:
        """Return the recording, cut where a sound that was played then would be heard at once.

        A chunk comes when its last sample was heard, and a little later by chance; the middle of
        all that is what counts.
        """
        with self._lock:
            chunks = list(self._chunks)
        ends_s = np.cumsum([len(audio) for _, audio in chunks]) / (2 * RATE_HZ)
        began_s = float(np.median([came for came, _ in chunks] - ends_s))
        sound = from_pcm(b"".join(audio for _, audio in chunks))
        cut = max(0, round((played_s - began_s) * RATE_HZ))
        return Recording(sound[round(SETTLE_S * RATE_HZ) : cut], sound[cut:])


class Sounding:
    """Notes when the probe's first sound was handed to the speaker."""

    def __init__(self) -> None:
        """Nothing has sounded yet."""
        self.began_s: float | None = None

    def note(self, audio: bytes, rate_hz: int) -> None:
        """Look at 16-bit mono PCM that is handed over just now."""
        if self.began_s is None and any(audio):
            first = int(np.flatnonzero(np.frombuffer(audio, dtype="<i2"))[0])
            self.began_s = time.monotonic() + first / rate_hz


def hear_probe(microphone: AudioDevice, speaker: AudioDevice, *, volume: float) -> Recording:
    """Play the probe and return what the microphone heard; takes about ten seconds.

    Args:
        microphone: Hears.
        speaker: Plays.
        volume: Of everything that is played, 0.0 to 1.0.

    Raises:
        DeviceError: One of them does not open, or stands still.
    """
    heard, sounding = TakenDown(), Sounding()
    sound = to_pcm(soxr.resample(probe(), RATE_HZ, SPEAKER_RATE_HZ))
    library = PortAudio()
    with (
        contextlib.closing(library),
        MicrophoneStream(library, microphone.name, heard.add),
        SpeakerStream(library, speaker.name, volume=volume, when_played=sounding.note) as playing,
    ):
        _until(lambda: heard.duration_s > SETTLE_S + QUIET_S, "microphone", microphone)
        playing.write(sound)
        _until(lambda: sounding.began_s is not None, "speaker", speaker)
        longest_s = playing.waiting_s + NO_SOUND_S
        _until(lambda: playing.waiting_s == 0, "speaker", speaker, longest_s)
        enough_s = heard.duration_s + AFTER_S
        _until(lambda: heard.duration_s > enough_s, "microphone", microphone)
    assert sounding.began_s is not None
    return heard.split(sounding.began_s - LEAD_S)


def _until(
    is_done: Callable[[], bool], kind: str, device: AudioDevice, timeout_s: float = NO_SOUND_S
) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() > deadline_s:
            raise DeviceError(
                f"The {kind} {device.name!r} opens, but stands still: "
                "unplug it and plug it in again, or restart the sound server."
            )
        time.sleep(_STEP_S)
