"""Which words there are, how sure a model must be, and what is wrong with a wrong one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pymicro_wakeword
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.engines.open_wakeword import OpenWakeWordEngine
from edgebot.engines.wakeword import BUNDLED, MicroWakeWordEngine, cutoff, load
from edgebot.errors import BrokenModelError, ConfigError, MissingModelError

MODELS = Path(pymicro_wakeword.__file__).parent / "models"


def own_model(folder: Path, name: str) -> Path:
    """Lay a model of one's own into a folder: the bundled one under another name."""
    config = json.loads((MODELS / "hey_jarvis.json").read_text())
    config["wake_word"], config["model"] = name, "mine.tflite"
    (folder / "mine.json").write_text(json.dumps(config))
    return Path(shutil.copy(MODELS / "hey_jarvis.tflite", folder / "mine.tflite"))


def test_several_words_at_once() -> None:
    engine = MicroWakeWordEngine(["hey_jarvis", "alexa"])
    assert engine.names == ("hey Jarvis", "Alexa")


def test_a_word_of_ones_own(tmp_path: Path) -> None:
    file = own_model(tmp_path, "Good Morning Robot")
    assert MicroWakeWordEngine([str(file)]).names == ("good morning Robot",)
    assert MicroWakeWordEngine([str(file.with_suffix(".json"))]).names == ("good morning Robot",)


@pytest.mark.parametrize(
    ("word", "near"), [("hey_jarvi", "hey_jarvis"), ("Hey Mycroft", "hey_mycroft")]
)
def test_a_wrong_word_is_refused_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"no wake word '{word}'.*Did you mean '{near}'"):
        MicroWakeWordEngine([word])


def test_a_word_like_no_other_is_refused_with_all() -> None:
    with pytest.raises(ConfigError) as caught:
        MicroWakeWordEngine(["xyzzy"])
    assert all(repr(word) in str(caught.value) for word in BUNDLED)
    assert "Did you mean" not in str(caught.value)


def test_no_word_at_all_is_refused() -> None:
    for engine in (MicroWakeWordEngine, OpenWakeWordEngine):
        with pytest.raises(ConfigError, match=r"no wake word: set wake\.words"):
            engine([])


@pytest.mark.parametrize("missing", ["mine.json", "mine.tflite"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    file = own_model(tmp_path, "Robot")
    (tmp_path / missing).unlink()
    with pytest.raises(MissingModelError, match=missing):
        load(str(file))


@pytest.mark.parametrize("text", ["{}", "no json", "[]"])
def test_a_broken_description_is_refused(tmp_path: Path, text: str) -> None:
    file = own_model(tmp_path, "Robot")
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(BrokenModelError, match="cannot be loaded"):
        load(str(file))


def test_the_middle_is_the_models_own_cutoff() -> None:
    assert cutoff(0.9, 0.5) == 0.9
    assert cutoff(0.9, 0.0) == pytest.approx(0.99)
    assert cutoff(0.9, 1.0) == pytest.approx(0.3)


@given(st.floats(0.5, 0.97), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_sensitivity_never_asks_for_more(own: float, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert cutoff(own, high) <= cutoff(own, low)


@given(st.floats(0, 1))
def test_a_surest_word_is_heard_at_any_sensitivity(sensitivity: float) -> None:
    assert 0.3 <= cutoff(0.97, sensitivity) < 0.996


def test_silence_is_no_name_and_may_come_in_any_pieces() -> None:
    engine = MicroWakeWordEngine(["hey_jarvis"])
    assert [engine.accept(bytes(size * 2)) for size in (1, 7, 160, 320, 16_000)] == [None] * 5


def test_openwakeword_is_asked_for_by_its_name() -> None:
    with pytest.raises(ConfigError, match="pip install openwakeword"):
        OpenWakeWordEngine(["hey_jarvis"])
