"""The sound that the check plays, and what a recording of it tells.

First a sweep through all pitches, which shows when it comes back and how loud; then a murmur as
of a voice, at which the echo canceller learns the room. Sound here is float32 from -1.0 to 1.0 at
16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
# Takes far and near sound, 16-bit mono PCM at 16 kHz and of one length; returns the near one clean.
CancelEcho = Callable[[bytes, bytes], bytes]

RATE_HZ = 16_000
FULL_SCALE = 32768.0
# Below full scale, so that a speaker that is turned up full is not driven too far by this check,
# and the murmur's peaks are not cut off.
SWEEP_DB, MURMUR_DB = -12.0, -20.0
SWEEP_HZ = (200.0, 7000.0)
LEAD_S, SWEEP_S, GAP_S, MURMUR_S, TAIL_S = 0.3, 1.0, 0.9, 4.0, 0.9
FADE_S = 0.02
# No echo that comes later is looked for: the canceller could not reach it either.
LONGEST_DELAY_S = 0.8
# The sweep stands out of noise by so much more than any noise does of itself.
STANDS_OUT = 8.0
# The canceller has learnt the room by then.
LEARNT_S = 2.0
SILENCE_DB = -96.0
# A muted microphone is no louder than the last bits that a conversion of the rate leaves.
MUTED_DB = -80.0
# Equal samples in a row at a recording's peak: the top of the wave was cut off.
FLAT_SAMPLES = 3
FLAT_ABOVE = 0.3


@dataclass(frozen=True)
class Recording:
    """What the microphone heard.

    Attributes:
        quiet: Before anything was played.
        sound: From the moment on at which the probe was handed to the speaker.
    """

    quiet: Sound
    sound: Sound


@dataclass(frozen=True)
class Measured:
    """What a recording tells. Levels are in dB below full scale; `SILENCE_DB` is none at all.

    Attributes:
        noise_db: The level before anything was played.
        peak_db: The loudest sample while the probe was played.
        clipped: The share of samples at which the wave was cut off.
        delay_ms: From the speaker's being handed a sound to the microphone's delivering it; None
            where the sweep is not heard.
        heard_db: The sweep's level at the microphone, or None.
        gain_db: The same, relative to what was played.
        echo_db: The murmur's level at the microphone, in its last part, or None.
        cleaned_db: The same after the echo was cancelled, or None.
    """

    noise_db: float
    peak_db: float
    clipped: float
    delay_ms: float | None = None
    heard_db: float | None = None
    gain_db: float | None = None
    echo_db: float | None = None
    cleaned_db: float | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the microphone delivered nothing, though the speaker sounded."""
        return self.peak_db < MUTED_DB and self.noise_db < MUTED_DB


@cache
def probe() -> Sound:
    """Return the whole sound that is played, silence at both ends included."""
    gap, tail = silence(GAP_S), silence(TAIL_S)
    return np.concatenate([silence(LEAD_S), sweep(), gap, murmur(), tail])


def silence(duration_s: float) -> Sound:
    """Return no sound."""
    return np.zeros(round(duration_s * RATE_HZ), dtype=np.float32)


@cache
def sweep() -> Sound:
    """Return a tone that rises evenly, with soft ends."""
    time_s = np.arange(round(SWEEP_S * RATE_HZ)) / RATE_HZ
    low, high = SWEEP_HZ
    phase = 2 * np.pi * (low * time_s + (high - low) / (2 * SWEEP_S) * time_s**2)
    fade = np.clip(np.minimum(time_s, SWEEP_S - time_s) / FADE_S, 0.0, 1.0)
    return at_level(np.sin(phase) * fade, SWEEP_DB)


@cache
def murmur() -> Sound:
    """Return noise with a voice's pitches and syllables; the same each time."""
    count = round(MURMUR_S * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(count))
    pitch_hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    shape = np.where(pitch_hz < 150, 0.0, 1 / np.maximum(1.0, pitch_hz / 500))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(count) / RATE_HZ)
    noise: NDArray[np.float64] = np.fft.irfft(spectrum * shape, count)
    return at_level(noise * syllables, MURMUR_DB)


def at_level(sound: NDArray[np.float64], level: float) -> Sound:
    """Return a sound with another level."""
    rms = float(np.sqrt(np.mean(np.square(sound))))
    return (sound * 10 ** (level / 20) / rms).astype(np.float32)


def level_db(sound: Sound) -> float:
    """Return a sound's RMS level below full scale."""
    return (
        decibels(float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))))
        if sound.size
        else SILENCE_DB
    )


def decibels(amplitude: float) -> float:
    """Return an amplitude in dB, at least `SILENCE_DB`."""
    return max(SILENCE_DB, 20 * float(np.log10(max(amplitude, 1e-9))))


def clipped_share(sound: Sound) -> float:
    """Return the share of samples at which the wave's top or bottom was cut off."""
    peak = float(np.max(np.abs(sound), initial=0.0))
    if peak < FLAT_ABOVE:
        return 0.0
    flat = 0
    for at_limit in (sound >= peak * 0.999, sound <= -peak * 0.999):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], at_limit.astype(np.int8), [0]])))
        lengths = edges[1::2] - edges[::2]
        flat += int(lengths[lengths >= FLAT_SAMPLES].sum())
    return flat / sound.size


def find_sweep(sound: Sound) -> int | None:
    """Return at which sample of a recording the sweep begins, or None where it is not heard.

    The peak of the cross-correlation with what was played.
    """
    size = sound.size + sweep().size
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(sweep(), size))
    likeness = np.abs(np.fft.irfft(spectrum, size))
    likeness = likeness[: round((LEAD_S + LONGEST_DELAY_S) * RATE_HZ)]
    usual = float(np.sqrt(np.mean(likeness**2)))
    best = int(np.argmax(likeness))
    return best if usual > 0 and likeness[best] > STANDS_OUT * usual else None


def measure(recording: Recording, cancel_echo: CancelEcho | None = None) -> Measured:
    """Return what a recording tells.

    Args:
        recording: Of `probe()`, at least as long.
        cancel_echo: The canceller to judge, if there is one.
    """
    sound = recording.sound
    noise_db = level_db(recording.quiet)
    peak_db = decibels(float(np.max(np.abs(sound), initial=0.0)))
    clipped = clipped_share(sound)
    start = find_sweep(sound)
    if start is None:
        return Measured(noise_db, peak_db, clipped)
    heard_db = without(level_db(sound[start : start + sweep().size]), noise_db)
    learnt = start + sweep().size + round((GAP_S + LEARNT_S) * RATE_HZ)
    judged = slice(learnt, start + sweep().size + round((GAP_S + MURMUR_S) * RATE_HZ))
    cleaned_db = None
    if cancel_echo is not None:
        near = to_pcm(sound)
        far = to_pcm(np.pad(probe(), (0, max(0, sound.size - probe().size)))[: sound.size])
        cleaned_db = level_db(from_pcm(cancel_echo(far, near))[judged])
    return Measured(
        noise_db,
        peak_db,
        clipped,
        delay_ms=(start / RATE_HZ - LEAD_S) * 1000,
        heard_db=heard_db,
        gain_db=heard_db - SWEEP_DB,
        echo_db=level_db(sound[judged]),
        cleaned_db=cleaned_db,
    )


def without(level: float, noise: float) -> float:
    """Return a level from which the noise's share is taken."""
    power = 10 ** (level / 10) - 10 ** (noise / 10)
    return max(SILENCE_DB, 10 * float(np.log10(max(power, 1e-12))))


def to_pcm(sound: Sound) -> bytes:
    """Return 16-bit PCM."""
    limited = np.clip(np.round(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    return bytes(limited.astype("<i2").tobytes())


def from_pcm(audio: bytes) -> Sound:
    """Read 16-bit PCM."""
    return (np.frombuffer(audio, dtype="<i2") / FULL_SCALE).astype(np.float32)
