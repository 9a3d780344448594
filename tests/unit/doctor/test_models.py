"""Models that are there, missing, damaged, standing in, or somebody's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.config import Settings, load_settings
from edgebot.doctor.models import check_models
from edgebot.models.catalog import Catalog
from edgebot.models.store import Store

CATALOG = Catalog.load()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


def install(store: Store, model_id: str) -> None:
    model = CATALOG.model(model_id)

    def fill(folder: Path) -> None:
        (folder / ("file" if model.main == "." else model.main)).write_bytes(b"weights")

    store.install(model, fill, source="", fingerprint="")


def settings(store: Store, tmp_path: Path, *flags: str) -> Settings:
    file = tmp_path / "none.toml"
    file.touch()
    more = (f"models.dir={store.root}", "models.set=tiny", *flags)
    return load_settings(file=file, flags=more, environment={})


def wanted() -> list[str]:
    return [CATALOG.preferences("tiny", role)[0].id for role in ("stt", "llm", "tts")]


def test_all_models_are_there(store: Store, tmp_path: Path) -> None:
    for model_id in wanted():
        install(store, model_id)
    findings, memory_bytes = check_models(settings(store, tmp_path))
    assert [(f.mark, f.subject) for f in findings] == [
        ("ok", "model stt"),
        ("ok", "model llm"),
        ("ok", "model tts"),
    ]
    assert [f.text.split(",")[0] for f in findings] == wanted()
    assert memory_bytes == sum(CATALOG.model(model_id).memory_bytes for model_id in wanted())


def test_no_model_is_there(store: Store, tmp_path: Path) -> None:
    findings, memory_bytes = check_models(settings(store, tmp_path))
    assert [f.mark for f in findings] == ["fault"] * 3
    assert all("edgebot models pull" in f.text for f in findings)
    assert memory_bytes == 0


def test_a_damaged_model_is_named(store: Store, tmp_path: Path) -> None:
    for model_id in wanted():
        install(store, model_id)
    damaged = store.find(wanted()[1])
    damaged.path.write_bytes(b"weighty")
    findings, _ = check_models(settings(store, tmp_path))
    assert [f.mark for f in findings] == ["ok", "fault", "ok"]
    assert f"The model {wanted()[1]} is damaged" in findings[1].text


def test_a_stand_in_is_told(store: Store, tmp_path: Path) -> None:
    install(store, "smollm2-135m-instruct")
    findings, _ = check_models(settings(store, tmp_path, "models.set=standard"))
    assert findings[1].mark == "warning"
    assert "smollm2-135m-instruct stands in" in findings[1].text


def test_what_is_elsewhere_is_not_looked_for(store: Store, tmp_path: Path) -> None:
    findings, _ = check_models(
        settings(store, tmp_path, "llm.engine=openai", "tts.engine=my_voice")
    )
    assert [f.mark for f in findings] == ["fault", "skipped", "skipped"]
    assert "http://127.0.0.1:8080/v1" in findings[1].text
    assert "'my_voice'" in findings[2].text
