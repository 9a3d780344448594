"""Short tones, computed when they are needed."""

from __future__ import annotations

import numpy as np

# The notes of each, one after the other; no two rise and fall alike.
_NOTES_HZ: dict[str, tuple[float, ...]] = {
    "ready": (523.3, 659.3, 784.0),
    "woken": (659.3, 987.8),
    "heard": (784.0,),
    "cancelled": (784.0, 523.3),
    "muted": (440.0, 440.0),
    "fault": (392.0, 370.0, 311.1),
    "timer": (1046.5, 784.0, 1046.5),
    "ring": (880.0, 587.3, 880.0),
}
NAMES = tuple(_NOTES_HZ)

_NOTE_S = 0.11
_RISE_S = 0.012
# A note dies away as a struck bar does; this is its time constant.
_DECAY_S = 0.06
_FALL_S = 0.02
# The octave above, which gives the tone its colour.
_OVERTONE = 0.15


def chime(name: str, rate_hz: int, volume: float = 0.2) -> bytes:
    """Return a chime as 16-bit mono PCM.

    Args:
        name: One of `NAMES`.
        rate_hz: Samples a second.
        volume: 0.0 to 1.0.
    """
    time_s = np.arange(int(_NOTE_S * rate_hz)) / rate_hz
    rise = np.clip(time_s / _RISE_S, 0.0, 1.0)
    fall = np.clip((time_s[-1] - time_s) / _FALL_S, 0.0, 1.0)
    shape = rise * fall * np.exp(-np.maximum(time_s - _RISE_S, 0.0) / _DECAY_S)
    notes = [_tone(hz, time_s) * shape for hz in _NOTES_HZ[name]]
    samples = volume * 32767 * np.concatenate(notes)
    return bytes(np.rint(samples).astype("<i2").tobytes())


def _tone(hz: float, time_s: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * hz * time_s
    return (np.sin(angle) + _OVERTONE * np.sin(2 * angle)) / (1 + _OVERTONE)
