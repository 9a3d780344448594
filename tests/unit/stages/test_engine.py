"""An engine is found by its name, or by the path of somebody's own module."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.errors import ConfigError
from edgebot.stages import engine as engine_room
from edgebot.stages.engine import engines, find_engine

LOAD = "async def load(settings, model):\n    return lambda: None\n"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports from, for this test only."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def refused(role: str, name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        find_engine(role, name)
    return str(caught.value)


def test_the_engines_of_each_role() -> None:
    assert engines("stt") == ["moonshine", "vosk"]
    assert engines("llm") == ["llama_cpp", "openai"]
    assert engines("tts") == ["piper"]
    assert engines("nose") == []


@pytest.mark.parametrize("role", ["stt", "llm", "tts"])
def test_every_engine_can_be_loaded(role: str) -> None:
    for name in engines(role):
        module = find_engine(role, name)
        assert module.__name__ == f"edgebot.stages.{role}_{name}"
        assert callable(module.load)
        assert getattr(module, "NEEDS_MODEL", True) == (name != "openai")


@pytest.mark.parametrize(
    ("role", "name", "hint"),
    [
        ("stt", "voks", "Did you mean 'vosk'?"),
        ("llm", "llama.cpp", "Did you mean 'llama_cpp'?"),
        ("tts", "espeak", "There are: piper."),
        ("stt", "whisper", "There are: moonshine, vosk."),
        ("stt", "", "There are: moonshine, vosk."),
        ("stt", ".vosk", "Did you mean 'vosk'?"),
        ("stt", "edgebot.stages.stt_vosc", "There are: moonshine, vosk."),
        ("stt", "nobodys.own.module", "There are: moonshine, vosk."),
    ],
)
def test_an_unknown_engine_is_refused_with_the_nearest(role: str, name: str, hint: str) -> None:
    assert refused(role, name) == f"There is no engine {name!r} for {role}.engine. {hint}"


def test_a_module_of_ones_own(modules: Path) -> None:
    (modules / "my_ears").mkdir()
    (modules / "my_ears" / "__init__.py").write_text("")
    (modules / "my_ears" / "left.py").write_text(f"NEEDS_MODEL = False\n{LOAD}")
    (modules / "plain_ears.py").write_text(LOAD)
    assert find_engine("stt", "my_ears.left").NEEDS_MODEL is False
    assert find_engine("stt", "plain_ears").__name__ == "plain_ears"


def test_edgebots_own_engine_wins_over_a_module_of_its_name() -> None:
    assert find_engine("stt", "vosk").__name__ == "edgebot.stages.stt_vosk"


def test_a_module_without_load(modules: Path) -> None:
    (modules / "deaf_ears.py").write_text("")
    message = "stt.engine 'deaf_ears' has no function `load(settings, model)`."
    assert refused("stt", "deaf_ears") == message


def test_a_module_that_needs_a_package(modules: Path) -> None:
    (modules / "needy_ears.py").write_text(f"import no_such_package\n{LOAD}")
    assert refused("stt", "needy_ears") == (
        "stt.engine 'needy_ears' needs the Python package 'no_such_package', "
        "which is not installed."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("from json import no_such_name", "cannot import name 'no_such_name'"),
        ("raise OSError('libears.so.2 is missing')", "libears.so.2 is missing"),
        ("def load(", "'(' was never closed"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_module_that_cannot_be_imported(modules: Path, text: str, reason: str) -> None:
    # One name a text: Python keeps what it has imported.
    name = f"broken_ears_{len(text)}"
    (modules / f"{name}.py").write_text(f"{text}\n")
    message = refused("stt", name)
    assert message.startswith(f"stt.engine {name!r} cannot be loaded: ")
    assert reason in message


def test_the_package_of_an_engine_of_edgebots_may_be_missing(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (modules / "stt_lost.py").write_text("import lost_package\n")
    monkeypatch.setattr(engine_room.edgebot.stages, "__path__", [str(modules)])
    assert refused("stt", "lost") == (
        "stt.engine 'lost' needs the Python package 'lost_package', which is not installed."
    )
