"""`edgebot` as a program of its own, at a virtual microphone and a virtual speaker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import LLM, STT, TTS
from tests.e2e.harness import VirtualSound, missing_programs


@pytest.fixture(scope="module")
def sound() -> Iterator[VirtualSound]:
    """A sound server that nobody else uses; without PulseAudio the test is skipped."""
    if missing := missing_programs():
        pytest.skip(
            f"{', '.join(missing)} missing: "
            "apt-get install pulseaudio pulseaudio-utils libasound2-plugins"
        )
    with VirtualSound() as sound:
        yield sound


@pytest.fixture(scope="session")
def command(
    models_dir: Path,
    make_settings: Callable[..., object],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[str]:
    """The program and its options before the verb."""
    make_settings()
    none = tmp_path_factory.mktemp("settings") / "none.toml"
    none.touch()
    assignments = (
        f"models.dir={models_dir}",
        f"stt.model={STT}",
        f"llm.model={LLM}",
        f"tts.model={TTS}",
    )
    flags = [part for text in assignments for part in ("--set", text)]
    return [sys.executable, "-u", "-m", "edgebot", "--config", str(none), *flags]
