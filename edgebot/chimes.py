"""Short tones, computed when they are needed."""

from __future__ import annotations

import numpy as np

_NOTES_HZ = {"ready": (659.3, 987.8)}
_NOTE_S = 0.12
_FADE_S = 0.015


def chime(name: str, rate_hz: int, volume: float = 0.2) -> bytes:
    """Return a chime as 16-bit mono PCM.

    Args:
        name: "ready".
        rate_hz: Samples a second.
        volume: 0.0 to 1.0.
    """
    time_s = np.arange(int(_NOTE_S * rate_hz)) / rate_hz
    fade = np.clip(np.minimum(time_s, _NOTE_S - time_s) / _FADE_S, 0.0, 1.0)
    notes = [np.sin(2 * np.pi * hz * time_s) * fade for hz in _NOTES_HZ[name]]
    samples = volume * 32767 * np.concatenate(notes)
    return bytes(samples.astype("<i2").tobytes())
