"""From start to ready, what it takes while nobody speaks, and whose the memory is.

Each function is run in a process apart, which has loaded nothing before.
"""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import asdict
from typing import Any

from edgebot.app import Engines, load_engine, load_engines
from edgebot.bench.names import ROLES
from edgebot.bench.paced import PacedMicrophone
from edgebot.bench.turns import Questioner, quiet
from edgebot.bench.usage import Memory, Share, memory
from edgebot.config import Settings
from edgebot.stages import wake

_SETTLE_S = 2.0


def idle(settings: Settings, began_s: float, seconds: float) -> dict[str, Any]:
    """Start, and do nothing: asleep, then awake.

    Args:
        settings: All of them.
        began_s: When the process was started, by `time.monotonic`.
        seconds: How long it does nothing each time.
    """
    return asyncio.run(_idle(settings, began_s, seconds))


async def _idle(settings: Settings, began_s: float, seconds: float) -> dict[str, Any]:
    awake = quiet(settings)
    asleep = awake.model_copy(update={"wake": settings.wake})
    if asleep.wake.mode == "always":
        update = {"wake": settings.wake.model_copy(update={"mode": "word"})}
        asleep = awake.model_copy(update=update)
    engines = await load_engines(asleep)
    async with Questioner.start(asleep, engines):
        ready_s = time.monotonic() - began_s
        asleep_cores = await _share(seconds)
        kept = memory()
    async with Questioner.start(awake, engines):
        awake_cores = await _share(seconds)
    return {
        "ready_s": ready_s,
        "asleep_cores": asleep_cores,
        "awake_cores": awake_cores,
        "memory": asdict(kept),
    }


async def _share(seconds: float) -> float:
    await asyncio.sleep(_SETTLE_S)
    with Share() as share:
        await asyncio.sleep(seconds)
    return share.cores


def wake_alone(settings: Settings, seconds: float) -> float | None:
    """Return what the wake word engine takes of a core, beside a microphone and nothing else."""
    engine = wake.load_engine(settings)
    if engine is None:
        return None
    microphone = PacedMicrophone(engine.accept, is_patient=lambda: True)
    microphone.start()
    time.sleep(_SETTLE_S)
    with Share() as share:
        time.sleep(seconds)
    microphone.close()
    return share.cores


def by_engine(settings: Settings) -> dict[str, dict[str, float]]:
    """Return what each engine adds to the memory, its libraries included, one after the other."""
    return asyncio.run(_by_engine(quiet(settings)))


async def _by_engine(settings: Settings) -> dict[str, dict[str, float]]:
    before = memory()
    found, made = {"python and pipecat": asdict(before)}, {}
    for role in ROLES:
        made[role], _ = await load_engine(role, settings)
        before = _note(found, role, before)
    engines = Engines(made["stt"], made["llm"], made["tts"], ())
    async with Questioner.start(settings, engines):
        await asyncio.sleep(_SETTLE_S)
        _note(found, "the rest", before)
    return found


def _note(found: dict[str, dict[str, float]], name: str, before: Memory) -> Memory:
    gc.collect()
    now = memory()
    added = Memory(now.own_mb - before.own_mb, now.mapped_mb - before.mapped_mb)
    found[name] = asdict(added)
    return now
