"""What the tests with real engines share: models of this machine, and speech to ask them with."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgebot.config import Settings
    from edgebot.models.installed import InstalledModel

# These run in real time: on a machine that others share, a stall of a second can spoil one. It is
# tried again, and the summary names it.
IN_REAL_TIME = {"e2e", "integration", "system"}
TRIES_AGAIN = 2

STT, LLM, TTS = "moonshine-tiny-en", "smollm2-135m-instruct", "piper-en-us-joe-medium"

Spoken = Callable[[str], Path]
Heard = Callable[[Path], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try again what runs in real time and fails."""
    for item in items:
        if IN_REAL_TIME & set(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=TRIES_AGAIN, reruns_delay=3))


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where this machine's models are: as `edgebot` itself would say."""
    from edgebot.config import load_settings

    # What decides which tests run (EDGEBOT_SOAK) is no setting.
    environment = {name: value for name, value in os.environ.items() if "__" in name}
    return load_settings(environment=environment).models.dir


@pytest.fixture(scope="session")
def model(models_dir: Path) -> Callable[[str], InstalledModel]:
    """Return an installed model by its id; without it the test is skipped."""
    from edgebot.errors import MissingModelError
    from edgebot.models.store import Store

    def find(model_id: str) -> InstalledModel:
        try:
            return Store(models_dir).find(model_id)
        except MissingModelError:
            pytest.skip(f"this needs a model: edgebot models pull {model_id}")

    return find


@pytest.fixture(scope="session")
def make_settings(
    models_dir: Path,
    model: Callable[[str], InstalledModel],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Settings]:
    """Return settings of the defaults and some assignments; nobody's own files have a say."""
    from edgebot.config import load_settings

    file = tmp_path_factory.mktemp("settings") / "none.toml"
    file.write_text("")
    for model_id in (STT, LLM, TTS):
        model(model_id)

    def make(*assignments: str) -> Settings:
        return load_settings(
            file=file,
            flags=[
                f"models.dir={models_dir}",
                f"stt.model={STT}",
                f"llm.model={LLM}",
                f"tts.model={TTS}",
                *assignments,
            ],
            environment={},
        )

    return make


@pytest.fixture(scope="session")
def spoken(
    model: Callable[[str], InstalledModel], tmp_path_factory: pytest.TempPathFactory
) -> Spoken:
    """Return a WAV file in which the project's own voice says a text."""
    from edgebot.engines.piper import PiperEngine
    from edgebot.stages.recording import write_wav

    voice = PiperEngine(model(TTS).path)
    folder = tmp_path_factory.mktemp("spoken")

    def speak(text: str) -> Path:
        file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.wav"
        if not file.exists():
            write_wav(file, b"".join(voice.synthesize(text)), voice.rate_hz)
        return file

    return speak


@pytest.fixture(scope="session")
def heard(model: Callable[[str], InstalledModel]) -> Heard:
    """Return what Moonshine alone hears in a recording: a listener to judge speech by."""
    import numpy as np

    from edgebot.stages.recording import RATE_HZ, read_recording
    from edgebot.stages.stt_moonshine import load_transcriber

    transcriber = load_transcriber(model(STT).path, "tiny")

    def transcribe(file: Path) -> str:
        audio = np.frombuffer(read_recording(file, file.name).audio, dtype="<i2") / 32768
        lines = transcriber.transcribe_without_streaming(audio.tolist(), RATE_HZ).lines
        return " ".join(line.text for line in lines)

    return transcribe


def likeness(first: str, second: str) -> float:
    """Return how alike two texts sound, 0.0 to 1.0, by their letters alone.

    A voice that draws its own noise is heard a little differently each time: "Perris" for "Paris".
    """
    letters = ["".join(filter(str.isalnum, text.lower())) for text in (first, second)]
    return difflib.SequenceMatcher(None, *letters, autojunk=False).ratio()
