"""A set comes whole where it can, with stand-ins where it cannot."""

from pathlib import Path
from typing import Any

import pytest

from edgebot.errors import ConfigError
from edgebot.models.catalog import Catalog
from edgebot.models.download import Network
from edgebot.models.sets import pull_set
from edgebot.models.store import Store

from .hub import Hub
from .wheels import url_source

AWAY = "https://127.0.0.1:1"


def entry(model_id: str, role: str, url: str, language: str = "en") -> dict[str, Any]:
    return {
        "id": model_id,
        "role": role,
        "engine": "piper",
        "language": language,
        "licence": "MIT",
        "size_bytes": len(model_id),
        "memory_bytes": 1,
        "main": Path(url).name,
        "sources": [url_source(url, model_id.encode())],
    }


@pytest.fixture
def catalog(hub: Hub) -> Catalog:
    served = {name: hub.serve(f"/{name}", name.encode()) for name in ("ear", "brain", "voice")}
    models = [
        entry("good-ear", "stt", f"{AWAY}/good-ear"),
        entry("ear", "stt", served["ear"]),
        entry("brain", "llm", served["brain"], "any"),
        entry("good-voice", "tts", f"{AWAY}/good-voice"),
        entry("voice", "tts", served["voice"]),
        entry("stimme", "tts", f"{AWAY}/stimme", "de"),
    ]
    wanted = {
        "about": "a test",
        "stt": ["good-ear", "ear"],
        "llm": ["brain"],
        "tts": ["good-voice", "voice", "stimme"],
    }
    return Catalog.parse({"model": models, "sets": {"tiny": wanted}})


def test_stand_ins_come_where_the_wanted_cannot_be_had(
    catalog: Catalog, store: Store, network: Network
) -> None:
    report = pull_set(store, catalog, "tiny", network=network)
    assert report.is_complete
    assert {m.model.id for m in store.installed()} == {"ear", "brain", "voice"}
    away = "127.0.0.1:1 is out of reach (Connection refused)."
    assert report.lines() == [
        f"The model good-ear could not be had: {away}",
        "ear stands in for good-ear; `edgebot models pull` gets it when the network is there.",
        f"The model good-voice could not be had: {away}",
        "voice stands in for good-voice; `edgebot models pull` gets it when the network is there.",
    ]


def test_a_later_pull_gets_the_better_one(
    catalog: Catalog, hub: Hub, store: Store, network: Network
) -> None:
    pull_set(store, catalog, "tiny", network=network)
    url = hub.serve("/good-ear", b"good-ear")
    reachable = catalog.models | {
        "good-ear": Catalog.parse({"model": [entry("good-ear", "stt", url)]}).model("good-ear")
    }
    hub.requests.clear()
    report = pull_set(store, Catalog(reachable, catalog.sets), "tiny", ["stt"], network=network)
    assert [r.got.model.id for r in report.roles if r.got] == ["good-ear"]
    assert report.lines() == []
    assert hub.requests == [("/good-ear", None)]


def test_what_is_there_costs_no_network(
    catalog: Catalog, hub: Hub, store: Store, network: Network
) -> None:
    pull_set(store, catalog, "tiny", ["llm"], network=network)
    hub.requests.clear()
    assert pull_set(store, catalog, "tiny", ["llm"], network=network).lines() == []
    assert hub.requests == []


def test_a_role_that_cannot_be_had_is_told(
    catalog: Catalog, store: Store, network: Network
) -> None:
    report = pull_set(store, catalog, "tiny", ["tts"], "de", network=network)
    assert not report.is_complete
    assert report.lines()[-1] == "There is no tts model now."
    report = pull_set(store, catalog, "tiny", ["tts"], "fi", network=network)
    assert report.lines() == [
        "The catalogue has no tts model for the language 'fi'.",
        "There is no tts model now.",
    ]


def test_a_disk_too_small_for_the_wanted_may_do_for_the_stand_in(
    catalog: Catalog, hub: Hub, store: Store, network: Network
) -> None:
    url = hub.serve("/good-ear", b"good-ear")
    better = Catalog.parse({"model": [entry("good-ear", "stt", url)]}).model("good-ear")
    reachable = Catalog(catalog.models | {"good-ear": better}, catalog.sets)
    free = 64_000_000 + len("ear")
    report = pull_set(store, reachable, "tiny", ["stt"], network=network, free=lambda _: free)
    assert [r.got.model.id for r in report.roles if r.got] == ["ear"]
    assert "The model good-ear needs" in report.lines()[0]


def test_an_unknown_set_is_refused(catalog: Catalog, store: Store) -> None:
    with pytest.raises(ConfigError, match="did you mean 'tiny'"):
        pull_set(store, catalog, "tinny")
