"""Brings a voice to an even loudness without hearing a sentence to its end, and lets it begin."""

from __future__ import annotations

import numpy as np

# About as loud as sentences that are each brought up to their peak, and with fewer leaps.
SPEECH_LEVEL = 0.1
_RAMP_SAMPLES = 128
_LEAST_LEVEL = 1e-4
# Quieter than the softest consonant of a voice at `SPEECH_LEVEL`.
_STILL = 0.003
_KEPT_STILL_S = 0.01


def gain_for(speech: np.ndarray) -> float:
    """Return what to multiply a voice with, by a sample of it; 1.0 for silence."""
    level = float(np.sqrt(np.mean(np.square(speech)))) if len(speech) else 0.0
    return SPEECH_LEVEL / level if level > _LEAST_LEVEL else 1.0


def without_lead(piece: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return a beginning without the silence that a voice draws its breath in.

    A hundredth of a second of it stays; of a piece that is nothing but silence, nothing.
    """
    loud = np.abs(piece) > _STILL
    if not loud.any():
        return piece[:0]
    return piece[max(int(np.argmax(loud)) - int(_KEPT_STILL_S * rate_hz), 0) :]


class Limiter:
    """Multiplies the pieces of one sentence, and by less from where a peak would be cut off."""

    def __init__(self, gain: float) -> None:
        self._gain = gain

    def __call__(self, piece: np.ndarray) -> np.ndarray:
        """Return the next piece, within -1.0 and 1.0."""
        peak = float(np.max(np.abs(piece), initial=0.0))
        gain = min(self._gain, 1.0 / peak) if peak > 0.0 else self._gain
        gains = np.full(len(piece), gain, dtype=np.float32)
        if gain < self._gain:
            ramp = np.linspace(self._gain, gain, _RAMP_SAMPLES, dtype=np.float32)
            gains[:_RAMP_SAMPLES] = ramp[: len(piece)]
        self._gain = gain
        return np.clip(piece * gains, -1.0, 1.0)
