"""How long the installed service takes until it is ready, and what it is doing."""

from __future__ import annotations

import json
import os
import statistics
import time
from typing import Any

import pytest

from .tree import Machine

UNIT = "edgebot.service"

on_request = pytest.mark.skipif(
    not os.environ.get("EDGEBOT_SYSTEM"), reason="EDGEBOT_SYSTEM=1 asks for it"
)


def pid(machine: Machine) -> int:
    """Return the service's process."""
    return int(machine.shows("MainPID"))


def status(machine: Machine) -> dict[str, Any]:
    """Return what the service tells."""
    held = json.loads(machine.says("edgebot status --json"))
    assert isinstance(held, dict)
    return held


def ready_again(machine: Machine, before: int, *, within_s: float) -> float:
    """Wait until another process than before is ready, and return how long that took."""
    begun = time.monotonic()
    while True:
        shown = machine.says(f"systemctl show -P MainPID -P ActiveState {UNIT}").split()
        if len(shown) == 2 and "active" in shown and str(before) not in shown and "0" not in shown:
            return time.monotonic() - begun
        waited = time.monotonic() - begun
        assert waited < within_s, f"not ready within {within_s} s: {shown}"
        time.sleep(0.1)


def figures(name: str, seconds: list[float]) -> None:
    """Print what was measured."""
    print(
        f"\n{name}: {len(seconds)} times ready, median {statistics.median(seconds):.1f} s, "
        f"worst {max(seconds):.1f} s"
    )
