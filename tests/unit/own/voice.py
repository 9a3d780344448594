"""Says 10 ms for each character, as loud as its code."""

from collections.abc import Callable, Iterator

import numpy as np

from edgebot.config import Settings
from edgebot.engines.thread import EngineThread
from edgebot.models.installed import InstalledModel
from edgebot.stages.tts_piper import PiperTTSService

NEEDS_MODEL = False


class Voice:
    """A synthesizer without a model."""

    rate_hz = 24_000

    def synthesize(self, text: str) -> Iterator[bytes]:
        samples = np.repeat(np.frombuffer(text.encode(), dtype=np.uint8), self.rate_hz // 100)
        yield (samples.astype("<i2") * 100).tobytes()

    def stop(self) -> None:
        """It is never slow."""


async def load(settings: Settings, model: InstalledModel | None) -> Callable[[], PiperTTSService]:
    assert model is None
    thread = EngineThread("own voice")
    return lambda: PiperTTSService(engine=Voice(), thread=thread)
