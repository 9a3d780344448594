"""Waiting for what a slow machine is still computing."""

from __future__ import annotations

import asyncio

import pytest
from fake_time import run_in_fake_time

from edgebot.asking import patiently


async def after(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "heard"


@pytest.mark.parametrize(
    ("comes_after_s", "share", "waits_s"),
    [
        (5.0, 0.0, None),  # in time
        (20.0, 0.5, None),  # late, for it computes
        (20.0, 0.1, 8.0),  # nobody is at it
        (500.0, 1.0, 400.0),  # it computes for ever
    ],
)
def test_who_computes_is_waited_for(
    comes_after_s: float, share: float, waits_s: float | None
) -> None:
    async def wait() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def computed() -> float:
            return (loop.time() - begun) * share

        try:
            found = await patiently(
                after(comes_after_s), patience_s=8.0, longest_s=400.0, computed_s=computed
            )
        except TimeoutError:
            found = ""
        return found, round(loop.time() - begun, 3)

    found, waited_s = run_in_fake_time(wait())
    assert (found, waited_s) == (("heard", comes_after_s) if waits_s is None else ("", waits_s))
