"""Staying up when it cannot work: the fault is shown, and it is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from edgebot.errors import (
    ConfigError,
    DeviceError,
    EdgebotError,
    ModelError,
    NoSpeakerError,
)
from edgebot.state import Fault

_FAULTS: dict[type[EdgebotError], Fault] = {
    NoSpeakerError: Fault.SPEAKER,
    DeviceError: Fault.MICROPHONE,
    ModelError: Fault.MODEL,
    ConfigError: Fault.SETTINGS,
}
# A device that is plugged in is found within so long.
DEVICE_WAIT_S = 3.0
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 60.0


def fault_of(error: EdgebotError) -> Fault:
    """Return what a person is shown for an error."""
    return next((fault for kind, fault in _FAULTS.items() if isinstance(error, kind)), Fault.ENGINE)


async def persist(
    attempt: Callable[[], Awaitable[None]],
    *,
    when_fault: Callable[[Fault, str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Try until it ends by itself; what `edgebot` understands is shown and tried again.

    A crash loop would wear out the card and tell nobody what is wrong.

    Args:
        attempt: Holds the conversation; it says itself when it works.
        when_fault: Called with each fault and its sentence.
        sleep: Waits so many seconds.
    """
    failures = 0
    while True:
        try:
            await attempt()
            return
        except EdgebotError as error:
            fault = fault_of(error)
            when_fault(fault, str(error))
            wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**failures)
            if isinstance(error, DeviceError):
                wait_s = min(wait_s, DEVICE_WAIT_S)
            failures = min(failures + 1, 8)
        await sleep(wait_s)
