"""Models on a stick: a round trip, and every bundle that is not what it says."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebot.errors import (
    BrokenModelError,
    DiskFullError,
    DownloadError,
    MissingModelError,
    ModelError,
)
from edgebot.models.bundle import INDEX_NAME, export, import_
from edgebot.models.catalog import Catalog
from edgebot.models.manifest import MANIFEST_NAME
from edgebot.models.store import Store

from .wheels import model, package_source

VOICE = {"voice.onnx": b"weights" * 500, "sub/a": b"1"}
BRAIN = {"voice.onnx": b"thoughts" * 500}
CATALOG = Catalog(
    {
        "voice": model("voice", sources=[package_source("voice", VOICE)]),
        "brain": model("brain", role="llm", sources=[package_source("brain", BRAIN)]),
    },
    {},
)


def put(store: Store, model_id: str, files: dict[str, bytes]) -> None:
    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    entry = CATALOG.models.get(model_id) or model(model_id)
    fingerprint = entry.sources[0].fingerprint if entry.sources else ""
    store.install(entry, fill, source="a test", fingerprint=fingerprint)


@pytest.fixture
def full(tmp_path: Path) -> Store:
    store = Store(tmp_path / "full")
    put(store, "voice", VOICE)
    put(store, "brain", BRAIN)
    return store


def snapshot(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def rewrite(bundle: Path, change: Callable[[dict[str, bytes]], Any]) -> None:
    """Change a tar bundle's files."""
    with tarfile.open(bundle) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    change(files)
    with tarfile.open(bundle, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("name", ["models.tar", "models"])
def test_a_round_trip(full: Store, store: Store, tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "stick" / name
    assert [m.model.id for m in export(full, [], bundle)] == ["brain", "voice"]
    assert [path.name for path in bundle.parent.iterdir()] == [name]
    arrived = import_(store, CATALOG, bundle)
    assert [m.model.id for m in arrived] == ["brain", "voice"]
    for installed in arrived:
        store.verify(installed)
        assert installed == store.find(installed.model.id)
    before = snapshot(store.root)
    assert import_(store, CATALOG, bundle) == arrived
    assert snapshot(store.root) == before


def test_only_the_named_models_go_along(full: Store, store: Store, tmp_path: Path) -> None:
    export(full, ["voice"], tmp_path / "voice.tar")
    assert [m.model.id for m in import_(store, CATALOG, tmp_path / "voice.tar")] == ["voice"]


def test_other_things_on_the_stick_do_not_matter(full: Store, store: Store, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    export(full, [], stick)
    (stick / "holiday.jpg").write_bytes(b"jpg")
    (stick / "link").symlink_to("/etc")
    assert len(import_(store, CATALOG, stick)) == 2
    assert not list(store.root.rglob("holiday.jpg"))


def test_a_bundle_is_not_written_over_anything(full: Store, tmp_path: Path) -> None:
    (tmp_path / "there.tar").write_bytes(b"precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    for name in ("there.tar", "folder"):
        with pytest.raises(ModelError, match="is there already"):
            export(full, [], tmp_path / name)
    assert (tmp_path / "there.tar").read_bytes() == b"precious"


def test_what_is_damaged_or_missing_is_not_exported(full: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingModelError):
        export(full, ["nothing"], tmp_path / "b.tar")
    with pytest.raises(ModelError, match="nothing to export"):
        export(Store(tmp_path / "empty"), [], tmp_path / "b.tar")
    full.find("voice").path.write_bytes(b"rotten")
    with pytest.raises(BrokenModelError):
        export(full, [], tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_a_folder_that_cannot_be_written_to_is_named(full: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"cannot be written: "):
        export(full, [], tmp_path / "file" / "b.tar")


@pytest.mark.parametrize("name", ["b.tar", "b"])
def test_a_stick_that_is_full_keeps_nothing(full: Store, small_disk: Path, name: str) -> None:
    put(full, "voice", {"voice.onnx": bytes(600_000)})
    with pytest.raises(DiskFullError, match="does not fit on its disk; export fewer models"):
        export(full, ["voice"], small_disk / name)
    assert list(small_disk.iterdir()) == []


def test_too_little_room_changes_nothing(full: Store, store: Store, tmp_path: Path) -> None:
    export(full, [], tmp_path / "b.tar")
    with pytest.raises(DiskFullError, match="make room"):
        import_(store, CATALOG, tmp_path / "b.tar", free=lambda folder: 1000)
    assert store.installed() == []


def test_no_bundle_at_all(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no bundle at"):
        import_(store, CATALOG, tmp_path / "no.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DownloadError, match="is no bundle of edgebot models"):
        import_(store, CATALOG, tmp_path / "empty")


def voice_file(files: dict[str, bytes], ending: str) -> str:
    return next(name for name in files if name.startswith("voice/") and name.endswith(ending))


def flip(files: dict[str, bytes]) -> None:
    name = voice_file(files, "voice.onnx")
    files[name] = b"W" + files[name][1:]


def drop(files: dict[str, bytes]) -> None:
    del files[voice_file(files, "sub/a")]


def add(files: dict[str, bytes]) -> None:
    files[voice_file(files, "sub/a") + "b"] = b"stowaway"


def no_manifest(files: dict[str, bytes]) -> None:
    del files[voice_file(files, MANIFEST_NAME)]


def no_index(files: dict[str, bytes]) -> None:
    del files[INDEX_NAME]


def wild_index(files: dict[str, bytes]) -> None:
    files[INDEX_NAME] = json.dumps({"format": 1, "models": ["../../x/0123456789ab"]}).encode()


def absolute(files: dict[str, bytes]) -> None:
    files["/tmp/evil"] = b"evil"


def upwards(files: dict[str, bytes]) -> None:
    files["voice/../../../evil"] = b"evil"


CHANGES = [flip, drop, add, no_manifest, no_index, wild_index, absolute, upwards]


@pytest.mark.parametrize("change", CHANGES)
def test_a_forged_bundle_is_refused_and_changes_nothing(
    full: Store, store: Store, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    put(store, "brain", {"voice.onnx": b"what was there before"})
    bundle = tmp_path / "b.tar"
    export(full, [], bundle)
    rewrite(bundle, change)
    before = snapshot(store.root)
    with pytest.raises(DownloadError) as caught:
        import_(store, CATALOG, bundle)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert snapshot(store.root) == before


def test_a_bundle_with_a_whole_forged_model_is_refused(store: Store, tmp_path: Path) -> None:
    forger = Store(tmp_path / "forger")
    put(forger, "voice", {"voice.onnx": b"forged"})
    export(forger, [], tmp_path / "b.tar")
    with pytest.raises(DownloadError, match="voice is not the one that the catalogue names"):
        import_(store, CATALOG, tmp_path / "b.tar")
    put(forger, "stranger", {"voice.onnx": b"strange"})
    export(forger, ["stranger"], tmp_path / "c.tar")
    with pytest.raises(DownloadError, match="stranger is not the one that the catalogue names"):
        import_(store, CATALOG, tmp_path / "c.tar")
    assert store.installed() == []


def test_links_in_a_bundle_are_refused(full: Store, store: Store, tmp_path: Path) -> None:
    export(full, [], tmp_path / "folder")
    weights = next((tmp_path / "folder").rglob("voice.onnx"))
    weights.unlink()
    weights.symlink_to("/etc/passwd")
    with pytest.raises(DownloadError, match="is a link or a device"):
        import_(store, CATALOG, tmp_path / "folder")
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        entry = tarfile.TarInfo(INDEX_NAME)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(DownloadError, match="is a link or a device"):
        import_(store, CATALOG, tmp_path / "link.tar")
    assert store.installed() == []


def test_a_compressed_bundle_is_refused(store: Store, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b.tar", "w:gz") as tar:
        entry = tarfile.TarInfo("bomb")
        entry.size = 1_000_000
        tar.addfile(entry, io.BytesIO(bytes(1_000_000)))
    with pytest.raises(DownloadError, match="is damaged"):
        import_(store, CATALOG, tmp_path / "b.tar")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.999))
def test_a_truncated_bundle_installs_all_or_nothing(
    full: Store, store: Store, tmp_path: Path, share: float
) -> None:
    bundle, cut = tmp_path / "b.tar", tmp_path / "cut.tar"
    if not bundle.exists():
        export(full, [], bundle)
    cut.write_bytes(bundle.read_bytes()[: int(bundle.stat().st_size * share)])
    try:
        assert len(import_(store, CATALOG, cut)) == 2  # only padding was cut
        store.remove("voice")
        store.remove("brain")
    except DownloadError as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert store.installed() == []


def test_importing_needs_no_network(
    full: Store, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.__init__", no_socket)
    export(full, [], tmp_path / "b.tar")
    import_(store, CATALOG, tmp_path / "b.tar")
    assert list(store.downloads.iterdir()) == []
