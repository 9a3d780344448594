"""The catalogue that edgebot brings is sound, and an unsound one is refused by name."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgebot.errors import ConfigError
from edgebot.models.catalog import Catalog
from edgebot.models.model import ROLES, Model, PackageSource, UrlSource

CATALOG = Catalog.load()
MODELS = list(CATALOG.models.values())


def entry(**changes: Any) -> dict[str, Any]:
    table: dict[str, Any] = {
        "id": "voice",
        "role": "tts",
        "engine": "piper",
        "language": "en",
        "licence": "MIT",
        "size_bytes": 5,
        "memory_bytes": 5,
        "main": "a.onnx",
        "sources": [
            {
                "kind": "package",
                "requirement": "voice==1.0",
                "members": "voice/a.onnx",
                "size_bytes": 5,
                "sha256": "0" * 64,
            }
        ],
    }
    return table | changes


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_model_can_be_fetched_and_loaded(model: Model) -> None:
    engines = {"stt": {"vosk", "moonshine"}, "llm": {"llama_cpp"}, "tts": {"piper"}}
    assert model.engine in engines[model.role]
    assert model.sources
    assert model.licence
    assert model.size_bytes > 0
    assert model.size_bytes / 2 < model.memory_bytes
    if model.engine in ("vosk", "moonshine"):
        assert model.main == "."
    for source in model.sources:
        assert len(source.fingerprint) == 64
        assert source.size_bytes > 0
        if isinstance(source, UrlSource) and all(f.unpack == "none" for f in source.files):
            assert model.size_bytes == source.size_bytes
            assert model.main in [file.name for file in source.files]
        if isinstance(source, PackageSource) and source.sha256:
            assert source.members.endswith("/" + model.main)


def test_no_two_files_share_a_hash_or_an_address() -> None:
    files = [f for m in MODELS for s in m.sources if isinstance(s, UrlSource) for f in s.files]
    assert len({file.sha256 for file in files}) == len(files)
    assert len({file.url for file in files}) == len(files)


def test_no_hash_is_a_filler() -> None:
    text = resources.files("edgebot.models").joinpath("catalog.toml").read_text("utf-8")
    for table in tomllib.loads(text)["model"]:
        for source in table["sources"]:
            for part in (source, *source.get("files", ())):
                for key in ("sha256", "tree_sha256"):
                    if key in part:
                        assert len(set(part[key])) > 8


@pytest.mark.parametrize("name", ["tiny", "small", "standard"])
@pytest.mark.parametrize("role", ROLES)
def test_every_set_can_be_had_from_the_registry_alone(name: str, role: Any) -> None:
    preferences = CATALOG.preferences(name, role, language="en")
    assert preferences
    assert any(isinstance(s, PackageSource) for model in preferences for s in model.sources)


@pytest.mark.parametrize("name", ["tiny", "small", "standard"])
@pytest.mark.parametrize("language", ["de", "es", "fr", "it", "nl", "pl", "pt"])
@pytest.mark.parametrize("role", ROLES)
def test_other_languages_have_a_whole_set(name: str, language: str, role: Any) -> None:
    assert CATALOG.preferences(name, role, language=language)


@pytest.mark.parametrize("name", ["tiny", "small", "standard"])
def test_a_set_lists_models_under_their_role(name: str) -> None:
    for role in ROLES:
        for model_id in CATALOG.model_set(name).ids(role):
            assert CATALOG.model(model_id).role == role


def test_english_is_heard_by_vosk_and_by_moonshine_in_its_place() -> None:
    for name in CATALOG.sets:
        wanted = [model.id for model in CATALOG.preferences(name, "stt", language="en")]
        assert wanted == ["vosk-model-small-en-us-0.15", "moonshine-tiny-en"]


@pytest.mark.parametrize(
    ("spoken", "speaks"), [("en", True), ("en-US", True), ("en_gb", True), ("ko", False)]
)
def test_a_region_does_not_keep_a_model_from_its_language(spoken: str, speaks: bool) -> None:
    assert CATALOG.model("moonshine-tiny-en").speaks(spoken) is speaks


def test_an_unknown_id_is_refused_with_the_nearest_right_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'moonshine-tiny-en'"):
        CATALOG.model("moonshine-tiny-eng")
    with pytest.raises(ConfigError, match="edgebot models list"):
        CATALOG.model("xyzzy")
    with pytest.raises(ConfigError, match="model set called 'smal'; did you mean 'small'"):
        CATALOG.model_set("smal")


PACKAGE = entry()["sources"][0]
FILE = {"url": "https://h/a.onnx", "size_bytes": 1, "sha256": "1" * 64}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../voice"},
        {"id": "Voice"},
        {"id": ""},
        {"role": "sing"},
        {"main": "/etc/passwd"},
        {"main": "../a.onnx"},
        {"size_bytes": -1},
        {"colour": "blue"},
        {"sources": [PACKAGE | {"sha256": ""}]},
        {"sources": [PACKAGE | {"sha256": "g" * 64}]},
        {"sources": [PACKAGE | {"tree_sha256": "0" * 64}]},
        {"sources": [PACKAGE | {"members": "voice/"}]},
        {"sources": [PACKAGE | {"requirement": "voice"}]},
        {"sources": [PACKAGE | {"requirement": "--index-url=https://h/ voice==1"}]},
        {"sources": [PACKAGE | {"kind": "ftp"}]},
        {"sources": [{"kind": "url", "files": []}]},
        {"sources": [{"kind": "url", "files": [FILE | {"url": "http://h/a.onnx"}]}]},
        {"sources": [{"kind": "url", "files": [FILE | {"url": "file:///etc/passwd"}]}]},
        {"sources": [{"kind": "url", "files": [FILE | {"unpack": "rar"}]}]},
    ],
    ids=str,
)
def test_an_unsound_entry_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="In the catalogue, the model"):
        Catalog.parse({"model": [entry(**changes)]})


def test_an_entry_that_comes_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="names the model voice twice"):
        Catalog.parse({"model": [entry(), entry()]})


def test_a_set_of_unknown_models_is_refused() -> None:
    wanted = {"about": "x", "stt": [], "llm": [], "tts": ["voise"]}
    with pytest.raises(ConfigError, match="did you mean 'voice'"):
        Catalog.parse({"model": [entry()], "sets": {"tiny": wanted}})


@pytest.mark.parametrize("name", ["tiny", "small", "standard"])
def test_the_documentation_names_what_each_set_wants(name: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    wanted = [CATALOG.preferences(name, role, language="en")[0].id for role in ROLES]
    assert [cell.strip() for cell in row.split("|")[3:6]] == wanted
