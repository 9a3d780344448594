"""How loud sound is, and how loud a room is while nobody speaks."""

from __future__ import annotations

import math

import numpy as np

# The floor rises by as much a second, so that a fan that is turned on becomes part of the room.
_RISES = 1.5


def level(audio: bytes | bytearray) -> float:
    """Return the root mean square of 16-bit mono PCM; 0.0 for none."""
    samples = np.frombuffer(audio, dtype="<i2").astype(np.float32)
    return math.sqrt(samples.dot(samples) / len(samples)) if len(samples) else 0.0


class NoiseFloor:
    """Follows the softest that is heard.

    Attributes:
        rms: The room's own level, 1.0 at least; 0.0 before anything was heard.
    """

    def __init__(self) -> None:
        self.rms = 0.0

    def follow(self, rms: float, seconds: float) -> None:
        """Take note of a level, and of how long it lasted: so far the floor may rise."""
        heard = max(rms, 1.0)
        self.rms = min(heard, self.rms * _RISES**seconds) if self.rms else heard
