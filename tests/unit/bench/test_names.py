"""What the models are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.bench.bare import is_comparable
from edgebot.bench.names import model_name
from edgebot.config import Settings, load_settings
from edgebot.errors import MissingModelError


def settings(tmp_path: Path, *flags: str) -> Settings:
    return load_settings(flags=[f"models.dir={tmp_path}", *flags], environment={})


def test_an_engine_without_a_model_has_its_own_name(tmp_path: Path) -> None:
    made = settings(tmp_path, "tts.engine=own.voice", "llm.engine=openai")
    assert model_name("tts", made) == "own.voice"
    assert model_name("llm", made) == "openai"


def test_a_model_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError):
        model_name("stt", settings(tmp_path))


@pytest.mark.parametrize(
    "flag", ["llm.engine=openai", "tts.engine=own.voice", "stt.engine=own.ear"]
)
def test_only_engines_with_a_library_are_compared(tmp_path: Path, flag: str) -> None:
    assert not is_comparable(settings(tmp_path, flag))
