"""The last seconds of sound, and which of them may be heard by others."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

RATE_HZ = 16_000
_BYTES_A_SECOND = RATE_HZ * 2
_PIECE_BYTES = int(0.02 * _BYTES_A_SECOND)


class RecentSound:
    """Keeps the latest sound, and counts how much there was.

    Sound is 16-bit mono PCM at 16 kHz.
    """

    def __init__(self, *, keep_s: float) -> None:
        """Set how much to keep.

        Args:
            keep_s: At least this much, in seconds.
        """
        self._keep_bytes = int(keep_s * _BYTES_A_SECOND)
        self._pieces: deque[bytes] = deque()
        self._kept_bytes = self._heard_bytes = 0
        self._clean_from_s = 0.0

    @property
    def now_s(self) -> float:
        """Seconds of sound since the beginning."""
        return self._heard_bytes / _BYTES_A_SECOND

    @property
    def clean_s(self) -> float:
        """How much of the latest sound nobody has spoiled."""
        kept_s = self._kept_bytes / _BYTES_A_SECOND
        return max(0.0, min(kept_s, self.now_s - self._clean_from_s))

    def add(self, audio: bytes) -> None:
        """Add the newest sound."""
        self._pieces.append(audio)
        self._kept_bytes += len(audio)
        self._heard_bytes += len(audio)
        while self._kept_bytes - len(self._pieces[0]) >= self._keep_bytes:
            self._kept_bytes -= len(self._pieces.popleft())

    def spoil(self, seconds: float) -> None:
        """Count all sound until `seconds` from now as the machine's own.

        Infinity is until the next call.
        """
        before_s = self._clean_from_s if self._clean_from_s < math.inf else 0.0
        self._clean_from_s = max(before_s, self.now_s + seconds)

    def last(self, seconds: float) -> bytes:
        """Return the newest sound: so many seconds of it, or all there is."""
        size = min(int(seconds * RATE_HZ) * 2, self._kept_bytes)
        return b"".join(self._pieces)[self._kept_bytes - size :]


def pieces(audio: bytes) -> Iterator[bytes]:
    """Cut sound into pieces of 20 ms; the last one may be shorter."""
    for start in range(0, len(audio), _PIECE_BYTES):
        yield audio[start : start + _PIECE_BYTES]
