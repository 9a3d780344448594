"""What is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.bench import questions
from edgebot.bench.questions import choose, texts
from edgebot.config import load_settings
from edgebot.errors import ConfigError


def test_there_are_enough_and_none_twice() -> None:
    assert len(texts()) >= 20
    assert len(set(texts())) == len(texts())


def test_when_there_are_no_more_they_are_asked_again() -> None:
    every = texts()
    assert choose(2) == every[:2]
    assert choose(len(every) + 1) == [*every, every[0]]


def test_another_language_is_refused(tmp_path: Path) -> None:
    settings = load_settings(flags=["language=ko", f"models.dir={tmp_path}"], environment={})
    with pytest.raises(ConfigError, match="English"):
        questions.speak(settings, ["What is it?"])
