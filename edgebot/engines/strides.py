"""Hands on what an engine writes in fewer, larger pieces where nobody waits for each one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

# An answer's first words are spoken as soon as they are there, and what is said next lies behind
# those: nobody waits for its single words.
AT_ONCE_CHARS = 100
# A hundred tokens a second that go through the pipeline one by one are written a twentieth slower.
STRIDE_S = 0.05


def strides(
    pieces: Iterator[str], *, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[str]]:
    """Yield pieces of a text as they come; later on, those together that come within a stride.

    Args:
        pieces: What is written, piece by piece; where one takes longer than a stride, each is
            yielded on its own.
        clock: Tells seconds.
    """
    waiting: list[str] = []
    written, yielded_s = 0, clock()
    for piece in pieces:
        waiting.append(piece)
        written += len(piece)
        if written <= AT_ONCE_CHARS or clock() - yielded_s >= STRIDE_S:
            yield waiting
            waiting, yielded_s = [], clock()
    if waiting:
        yield waiting
