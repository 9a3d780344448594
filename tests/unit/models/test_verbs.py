"""`edgebot models`: each verb, as a person and as a program sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgebot.cli.models import models_app
from edgebot.errors import BrokenModelError, ConfigError, DownloadError, MissingModelError
from edgebot.models.catalog import Catalog
from edgebot.models.store import Store

from .hub import Hub
from .wheels import model, url_source

AWAY = "https://127.0.0.1:1/away"


class Verbs:
    """Runs verbs and hands back what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str], store: Store) -> None:
        self._capsys = capsys
        self.store = store

    def __call__(self, *args: str) -> str:
        self._capsys.readouterr()
        models_app(list(args), standalone_mode=False)
        self.said = self._capsys.readouterr()
        return self.said.out

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "--json"))


@pytest.fixture
def verbs(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Verbs:
    entries = [
        model("ear", role="stt", sources=[url_source(AWAY, b"ear")]),
        model("old-ear", role="stt", sources=[url_source(hub.serve("/e/voice.onnx", b"1"), b"1")]),
        model("brain", role="llm", sources=[url_source(hub.serve("/b/voice.onnx", b"2"), b"2")]),
        model("voice", role="tts", sources=[url_source(hub.serve("/v/voice.onnx", b"3"), b"3")]),
    ]
    wanted = {"about": "a test", "stt": ["ear", "old-ear"], "llm": ["brain"], "tts": ["voice"]}
    sets = Catalog.parse({"model": [e.describe() for e in entries], "sets": {"tiny": wanted}}).sets
    catalog = Catalog({entry.id: entry for entry in entries}, sets)
    monkeypatch.setattr(Catalog, "load", lambda: catalog)
    certificate = tmp_path / "hub.pem"
    certificate.write_bytes(hub.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("EDGEBOT_MODELS__DIR", str(tmp_path / "models"))
    monkeypatch.setenv("EDGEBOT_MODELS__SET", "tiny")
    return Verbs(capsys, Store(tmp_path / "models"))


def test_pull_brings_the_set_and_says_what_stands_in(verbs: Verbs) -> None:
    assert verbs("pull").splitlines() == [
        "old-ear: installed, 0 MB",
        "brain: installed, 0 MB",
        "voice: installed, 0 MB",
    ]
    assert "The model ear could not be had: 127.0.0.1:1 is out of reach" in verbs.said.err
    assert "old-ear stands in for ear" in verbs.said.err
    assert "brain: fetching, 0 MB" in verbs.said.err


def test_pull_tells_a_program(verbs: Verbs) -> None:
    report = verbs.json("pull", "--role", "stt")
    assert (report["set"], report["complete"]) == ("tiny", True)
    (role,) = report["roles"]
    assert (role["role"], role["wanted"], role["got"]) == ("stt", "ear", "old-ear")
    assert Path(role["path"]).read_bytes() == b"1"
    assert [failure["id"] for failure in role["failures"]] == ["ear"]


def test_pull_fails_where_a_role_has_nothing(verbs: Verbs, hub: Hub) -> None:
    hub.pages.clear()
    with pytest.raises(DownloadError, match="There is no model for stt, llm, tts; connect"):
        verbs("pull")


def test_pull_of_named_models(verbs: Verbs) -> None:
    assert verbs("pull", "voice", "brain").splitlines() == [
        "voice: installed, 0 MB",
        "brain: installed, 0 MB",
    ]
    assert [entry["id"] for entry in verbs.json("pull", "voice")] == ["voice"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["voise"], "did you mean 'voice'"),
        (["voice", "--set", "tiny"], "Name either models, or a set"),
        (["--set", "tinny"], "did you mean 'tiny'"),
        (["--role", "sing"], "no role 'sing'; a role is stt, llm, tts"),
    ],
)
def test_pull_refuses_what_it_does_not_know(verbs: Verbs, args: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        verbs("pull", *args)


def test_list_shows_what_is_wanted_and_what_is_here(verbs: Verbs) -> None:
    verbs("pull", "voice")
    lines = verbs("list").splitlines()
    assert lines[0].startswith("ear  wanted  stt")
    assert lines[1].startswith("old-ear  -  stt")
    assert lines[3].startswith("voice  installed  tts")
    assert lines[-1].startswith("The set is tiny (a test); in ")
    rows = {row["id"]: row for row in verbs.json("list")}
    assert rows["voice"]["installed"].endswith("voice.onnx")
    assert (rows["ear"]["installed"], rows["ear"]["wanted"]) == (None, True)


def test_verify_tells_the_sound_from_the_damaged(verbs: Verbs) -> None:
    verbs("pull", "voice", "brain")
    assert verbs("verify") == "brain: sound\nvoice: sound\n"
    verbs.store.find("voice").path.write_bytes(b"4")
    with pytest.raises(BrokenModelError, match="`edgebot models pull voice` repairs it"):
        verbs("verify")
    assert verbs.json("verify", "brain") == [{"id": "brain", "sound": True, "fault": None}]
    verbs("pull", "voice")
    assert verbs("verify", "voice") == "voice: sound\n"


def test_what_a_power_cut_left_empty_is_no_model(verbs: Verbs) -> None:
    verbs("pull", "voice")
    (verbs.store.root / "brain").mkdir()
    assert verbs("verify") == "voice: sound\n"


def test_remove(verbs: Verbs) -> None:
    verbs("pull", "voice")
    assert verbs("remove", "voice").startswith("voice: removed, ")
    with pytest.raises(MissingModelError, match="voice is not installed"):
        verbs("remove", "voice")
    with pytest.raises(ConfigError, match="did you mean 'voice'"):
        verbs("remove", "voic")


def test_export_and_import(verbs: Verbs, tmp_path: Path) -> None:
    verbs("pull", "voice")
    bundle = tmp_path / "stick.tar"
    assert verbs("export", str(bundle), "voice") == f"voice: written to {bundle}\n"
    verbs("remove", "voice")
    assert verbs("import", str(bundle)) == "voice: installed, 0 MB\n"
    assert verbs.store.find("voice").path.read_bytes() == b"3"


def test_every_verb_explains_itself_with_an_example() -> None:
    for command in models_app.registered_commands:
        assert command.callback
        text = command.callback.__doc__ or ""
        assert f"Example: edgebot models {command.name}" in text
