"""edgebot ask in slow motion, for an emulated processor: docs/install.md.

`edgebot ask` goes on in real time, as a conversation does, and an emulator is ten to a hundred
times too slow for that: the voice detector alone falls behind the microphone. Here a second of the
program's time lasts forty.
"""

from __future__ import annotations

import asyncio
import selectors
import sys

from edgebot.__main__ import main

SLOWER = 40.0


class SlowSelector(selectors.DefaultSelector):
    """Waits as many times longer as the loop's clock is slower."""

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, selectors._EventMask]]:
        """Wait for files, in slow motion."""
        return super().select(timeout and timeout * SLOWER)


class SlowLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is slow; whatever waits by it waits longer."""

    def __init__(self) -> None:
        super().__init__(SlowSelector())

    def time(self) -> float:
        """Return the slow clock."""
        return super().time() / SLOWER


class SlowPolicy(asyncio.DefaultEventLoopPolicy):
    """Has every program run in a slow loop."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a slow loop."""
        return SlowLoop()


if __name__ == "__main__":
    asyncio.set_event_loop_policy(SlowPolicy())
    sys.argv[0] = "edgebot"
    main()
