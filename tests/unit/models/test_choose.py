"""What a role uses, of all that is installed."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.errors import ConfigError, MissingModelError
from edgebot.machine import is_fast, memory_bytes
from edgebot.models.catalog import Catalog
from edgebot.models.choose import (
    choose,
    choose_set,
    stand_in_note,
)
from edgebot.models.store import Store

CATALOG = Catalog.load()
GIGA = 1_000_000_000


def install(store: Store, *ids: str) -> None:
    for model_id in ids:
        model = CATALOG.model(model_id)

        def fill(folder: Path, main: str = model.main) -> None:
            (folder / ("file" if main == "." else main)).write_bytes(b"weights")

        store.install(model, fill, source="", fingerprint="")


def chosen(store: Store, role: Any, **settings: Any) -> str:
    return choose(store, CATALOG, role, **settings).model.id


@pytest.mark.parametrize(
    ("memory_bytes", "name"),
    [
        (0.5 * GIGA, "tiny"),
        (1.0 * GIGA, "tiny"),
        (1.9 * GIGA, "small"),
        (3.9 * GIGA, "standard"),
        (8.2 * GIGA, "standard"),
    ],
)
def test_the_set_follows_the_memory(memory_bytes: float, name: str) -> None:
    assert choose_set(int(memory_bytes)) == name


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_more_memory_never_means_a_smaller_set(a: int, b: int) -> None:
    order = ["tiny", "small", "standard"]
    less, more = sorted((a, b))
    assert order.index(choose_set(less)) <= order.index(choose_set(more))


def test_this_machine_has_a_set() -> None:
    assert choose_set(memory_bytes()) in CATALOG.sets


def test_the_first_of_the_set_wins(store: Store) -> None:
    install(store, "smollm2-135m-instruct", "qwen2.5-0.5b-instruct", "llama-3.2-1b-instruct")
    assert chosen(store, "llm", model_set="tiny") == "smollm2-135m-instruct"
    assert chosen(store, "llm", model_set="small") == "qwen2.5-0.5b-instruct"
    assert chosen(store, "llm", model_set="standard") == "llama-3.2-1b-instruct"


def test_a_stand_in_is_told_in_one_line(store: Store) -> None:
    install(store, "moonshine-tiny-en")
    found = choose(store, CATALOG, "stt", model_set="tiny")
    assert found.model.id == "moonshine-tiny-en"
    assert stand_in_note(CATALOG, "stt", found, model_set="tiny") == (
        "vosk-model-small-en-us-0.15 is not installed; moonshine-tiny-en stands in. "
        "`edgebot models pull` gets it when the network is there."
    )
    for asked in ({"engine": "moonshine"}, {"model": "moonshine-tiny-en"}):
        assert stand_in_note(CATALOG, "stt", found, model_set="tiny", **asked) is None


def test_what_was_wanted_needs_no_note(store: Store) -> None:
    install(store, "vosk-model-small-en-us-0.15", "moonshine-tiny-en")
    found = choose(store, CATALOG, "stt", model_set="tiny")
    assert found.model.id == "vosk-model-small-en-us-0.15"
    assert stand_in_note(CATALOG, "stt", found, model_set="tiny") is None


def test_the_engine_and_the_language_narrow_the_choice(store: Store) -> None:
    install(store, "vosk-model-small-en-us-0.15", "moonshine-tiny-en", "vosk-model-small-ko")
    assert chosen(store, "stt", engine="moonshine") == "moonshine-tiny-en"
    assert chosen(store, "stt", language="ko") == "vosk-model-small-ko"
    assert chosen(store, "stt", language="en-GB") == "vosk-model-small-en-us-0.15"


def test_a_model_outside_the_set_is_better_than_none(store: Store) -> None:
    install(store, "gemma-3-1b-it")
    found = choose(store, CATALOG, "llm", model_set="tiny", language="de")
    assert found.model.id == "gemma-3-1b-it"
    note = stand_in_note(CATALOG, "llm", found, model_set="tiny", language="de")
    assert note
    assert note.startswith("qwen2.5-0.5b-instruct is not installed; gemma-3-1b-it stands in.")


def test_a_named_model_wins(store: Store) -> None:
    install(store, "vosk-model-small-en-us-0.15", "moonshine-tiny-en")
    assert chosen(store, "stt", model="moonshine-tiny-en") == "moonshine-tiny-en"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {},
            "No stt model for the language 'en' is installed; "
            "run `edgebot models pull --role stt`.",
        ),
        (
            {"engine": "moonshine"},
            "No stt model of the engine moonshine for the language 'en' is installed; "
            "run `edgebot models pull moonshine-tiny-en`.",
        ),
        (
            {"language": "fi"},
            "The catalogue has no stt model for the language 'fi'; "
            "set stt.model to a model of your own.",
        ),
        (
            {"model": "moonshine-tiny-en"},
            "The model moonshine-tiny-en is not installed; "
            "run `edgebot models pull moonshine-tiny-en`.",
        ),
        (
            {"model": "/no/where", "engine": "vosk"},
            "There is no model at /no/where; correct stt.model.",
        ),
    ],
    ids=["none", "engine", "language", "id", "path"],
)
def test_what_is_missing_is_named_with_its_remedy(
    store: Store, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(MissingModelError) as caught:
        choose(store, CATALOG, "stt", **settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "moonshine-tiny-eng"}, "did you mean 'moonshine-tiny-en'"),
        ({"model": "piper-en-us-joe-medium"}, "is for tts; correct stt.model"),
        ({"model": "moonshine-tiny-en", "engine": "vosk"}, "is for the engine 'moonshine' and not"),
        ({"model_set": "large"}, "no model set called 'large'"),
    ],
    ids=["typo", "role", "engine", "set"],
)
def test_what_is_wrong_is_named(store: Store, settings: dict[str, str], message: str) -> None:
    install(store, "moonshine-tiny-en", "piper-en-us-joe-medium")
    with pytest.raises(ConfigError, match=message):
        choose(store, CATALOG, "stt", **settings)


def test_a_path_is_the_user_s_own_model(store: Store, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "conf").mkdir(parents=True)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    (tmp_path / "mine.onnx").write_bytes(b"onnx")
    shine = tmp_path / "shine"
    shine.mkdir()
    (shine / "encoder.ort").touch()
    for role, path, engine in (
        ("stt", own, "vosk"),
        ("stt", shine, "moonshine"),
        ("llm", tmp_path / "mine.gguf", "llama_cpp"),
        ("tts", tmp_path / "mine.onnx", "piper"),
    ):
        found = choose(store, CATALOG, role, model=str(path), language="de")  # type: ignore[arg-type]
        assert found.path == path
        assert (found.model.engine, found.model.language) == (engine, "de")
        assert choose(store, CATALOG, role, model=str(path), engine="x").model.engine == "x"  # type: ignore[arg-type]


def test_a_path_whose_engine_nobody_knows_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine.bin").write_bytes(b"?")
    with pytest.raises(ConfigError, match="No engine is known for"):
        choose(store, CATALOG, "llm", model=str(tmp_path / "mine.bin"))


@pytest.mark.parametrize(
    ("cpu_info", "fast"),
    [
        ("Features\t: fp asimd evtstrm crc32 cpuid\n", False),
        ("Features\t: fp asimd aes crc32 asimdrdm asimddp\n", True),
        ("flags\t\t: fpu sse2 avx2\n", True),
        ("", True),
    ],
    ids=["Pi 4", "Pi 5", "a PC", "unknown"],
)
def test_a_slow_processor_gets_no_more_than_the_small_set(cpu_info: str, fast: bool) -> None:
    assert is_fast(cpu_info) is fast
    assert choose_set(8_000_000_000, fast=is_fast(cpu_info)) == ("standard" if fast else "small")
