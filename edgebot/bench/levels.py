"""Where a sound begins and ends, by its level: 10 ms count as loud or not."""

from __future__ import annotations

from collections.abc import Iterable

from edgebot.engines.level import level

PIECE_S = 0.01
# RMS of 16-bit samples: well below the softest end of a voice, well above what its silence holds.
LOUD_RMS = 150.0
# A click is no voice: so many pieces in a row are.
RUN = 3


def last_loud_s(audio: bytes, rate_hz: int, *, loud_rms: float = LOUD_RMS) -> float:
    """Return where the last loud piece of 16-bit mono PCM ends, in seconds from its beginning.

    0.0 is nowhere.
    """
    size = 2 * int(rate_hz * PIECE_S)
    end = 0
    for start in range(0, len(audio), size):
        if level(audio[start : start + size]) > loud_rms:
            end = start + size
    return min(end, len(audio)) / (2 * rate_hz)


def first_loud_s(
    levels: Iterable[tuple[float, float]], after_s: float, *, loud_rms: float = LOUD_RMS
) -> float | None:
    """Return when the first sound began that is no click, or None.

    Args:
        levels: The time and the level of each piece of 10 ms, in their order.
        after_s: What came before is not looked at.
        loud_rms: From where on a piece is loud.
    """
    run: list[float] = []
    for came_s, rms in levels:
        if came_s <= after_s:
            continue
        run = [*run, came_s] if rms > loud_rms else []
        if len(run) == RUN:
            return run[0]
    return None
