"""Models come into the store and leave it in one piece."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebot.errors import BrokenModelError, DiskFullError, MissingModelError, ModelError
from edgebot.models.installed import InstalledModel
from edgebot.models.manifest import MANIFEST_NAME, write_manifest
from edgebot.models.store import Store

from .wheels import model, tree

FILES = {"voice.onnx": b"weights" * 100, "sub/voice.json": b"{}"}


def install(
    store: Store, files: dict[str, bytes] = FILES, model_id: str = "voice"
) -> InstalledModel:
    def fill(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    return store.install(model(model_id), fill, source="a test", fingerprint="f" * 64)


def contents(installed: InstalledModel) -> dict[str, bytes]:
    return {name: (installed.folder / name).read_bytes() for name in FILES}


def test_an_installed_model_is_found_again(store: Store) -> None:
    installed = install(store)
    found = store.find("voice")
    assert found == installed
    assert found.folder == store.root / "voice" / tree(FILES)[:12]
    assert found.path == found.folder / "voice.onnx"
    assert found.model == model()
    assert found.manifest
    assert found.manifest.source == "a test"
    assert found.size_bytes == sum(map(len, FILES.values()))
    assert contents(found) == FILES
    assert [m.model.id for m in store.installed()] == ["voice"]
    store.check(found)
    store.verify(found)


def test_a_missing_model_is_named_with_the_command_that_gets_it(store: Store) -> None:
    with pytest.raises(MissingModelError, match="`edgebot models pull voice`"):
        store.find("voice")
    assert store.installed() == []
    assert not store.root.exists()


@pytest.mark.parametrize("name", [".downloads", "..", "a/../b", "/etc", ""])
def test_a_name_that_is_no_id_finds_nothing(store: Store, name: str) -> None:
    install(store)
    with pytest.raises(MissingModelError):
        store.find(name)


def test_a_new_version_takes_the_place_of_the_old(store: Store) -> None:
    old = install(store)
    new = install(store, FILES | {"voice.onnx": b"better"})
    assert store.find("voice") == new
    assert not old.folder.exists()
    assert sorted(f.name for f in (store.root / "voice").iterdir()) == [new.folder.name]
    assert new.manifest
    assert new.manifest.serial == 2


def test_two_versions_side_by_side_are_settled_by_serial_and_then_tidied(store: Store) -> None:
    old = install(store)
    kept = store.root / "kept"
    old.folder.rename(kept)
    new = install(store, FILES | {"voice.onnx": b"better"})
    assert new.manifest
    write_manifest(new.folder, replace(new.manifest, serial=7))
    kept.rename(old.folder)
    assert store.find("voice").folder == new.folder
    install(store, model_id="another")
    assert not old.folder.exists()
    assert store.find("voice").folder == new.folder


def test_the_same_files_again_stay_where_they_are(store: Store) -> None:
    first = install(store)
    inode = first.path.stat().st_ino
    second = install(store)
    assert second.folder == first.folder
    assert second.path.stat().st_ino == inode
    assert second.manifest
    assert second.manifest.serial == 2
    store.verify(store.find("voice"))


def test_installing_a_damaged_model_again_repairs_it(store: Store) -> None:
    installed = install(store)
    installed.path.write_bytes(b"rotten" * 100)
    with pytest.raises(BrokenModelError, match="`edgebot models pull voice` repairs it"):
        store.check(installed)
    store.check(install(store))


def test_a_failure_while_filling_changes_nothing(store: Store) -> None:
    old = install(store)

    def fill(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise ValueError("broke off")

    for model_id in ("voice", "other"):
        with pytest.raises(ValueError, match="broke off"):
            store.install(model(model_id), fill, source="", fingerprint="")
    assert store.find("voice") == old
    assert sorted(f.name for f in store.root.iterdir()) == [".lock", "voice"]
    assert [f.name for f in (store.root / "voice").iterdir()] == [old.folder.name]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_changes_nothing(store: Store, number: int) -> None:
    old = install(store)

    def fill(folder: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(
        DiskFullError, match=r"^The disk is full: the model voice did not fit; .*\.$"
    ):
        store.install(model(), fill, source="", fingerprint="")
    assert store.find("voice") == old


def test_a_disk_that_fails_is_one_sentence(store: Store) -> None:
    def fill(folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "weights")

    with pytest.raises(ModelError, match=r"^The disk failed at weights .*: Input/output error\.$"):
        store.install(model(), fill, source="", fingerprint="")
    assert store.installed() == []


def test_leftovers_of_a_crash_are_swept_away(store: Store) -> None:
    installed = install(store)
    for left in ("voice/incoming.part", "voice/0123456789ab.part", "gone/incoming.part"):
        (store.root / left).mkdir(parents=True)
        (store.root / left / "file").touch()
    (store.downloads / "tmpabc").mkdir(parents=True)
    fresh, stale = store.downloads / "a.part", store.downloads / "b.part"
    for part in (fresh, stale):
        part.touch()
    os.utime(stale, (0, 0))
    install(store, model_id="other")
    assert sorted(f.name for f in store.root.iterdir()) == [".downloads", ".lock", "other", "voice"]
    assert [f.name for f in (store.root / "voice").iterdir()] == [installed.folder.name]
    assert list(store.downloads.iterdir()) == [fresh]


def test_a_removed_model_is_gone(store: Store) -> None:
    installed = install(store)
    assert store.remove("voice") > sum(map(len, FILES.values()))
    assert not installed.folder.parent.exists()
    with pytest.raises(MissingModelError):
        store.remove("voice")


def test_only_one_program_changes_the_store_at_a_time(store: Store) -> None:
    install(store)
    with store.locked(), pytest.raises(ModelError, match="Another edgebot command"):
        install(Store(store.root))
    install(Store(store.root))


def test_a_store_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"set models\.dir to a folder of your own"):
        install(Store(tmp_path / "file" / "models"))


def test_a_missing_file_is_named(store: Store) -> None:
    installed = install(store)
    (installed.folder / "sub/voice.json").unlink()
    for compare in (store.check, store.verify):
        with pytest.raises(BrokenModelError, match=r"sub/voice.json is missing"):
            compare(installed)


def test_a_file_that_does_not_belong_is_found_by_verify(store: Store) -> None:
    installed = install(store)
    (installed.folder / "extra").touch()
    store.check(installed)
    with pytest.raises(BrokenModelError, match="extra does not belong to it"):
        store.verify(installed)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        None,
    ],
)
def test_a_damaged_manifest_is_named(store: Store, damage: bytes | None) -> None:
    manifest = install(store).folder / MANIFEST_NAME
    if damage is None:
        manifest.unlink()
    else:
        manifest.write_bytes(damage)
    with pytest.raises(BrokenModelError, match="`edgebot models pull voice` repairs it"):
        store.find("voice")
    assert store.installed() == []
    install(store)
    store.verify(store.find("voice"))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*FILES, MANIFEST_NAME]), st.integers(min_value=0))
def test_any_flipped_bit_is_noticed(store: Store, name: str, where: int) -> None:
    installed = install(store) if not store.installed() else store.find("voice")
    path = installed.folder / name
    sound = path.read_bytes()
    bit = where % (8 * len(sound))
    damaged = bytearray(sound)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    with pytest.raises(BrokenModelError, match="edgebot models pull voice"):
        store.check(store.find("voice"))
    path.write_bytes(sound)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(FILES)), st.integers(min_value=0))
def test_any_truncation_is_noticed(store: Store, name: str, size: int) -> None:
    installed = install(store) if not store.installed() else store.find("voice")
    path = installed.folder / name
    sound = path.read_bytes()
    path.write_bytes(sound[: size % len(sound)])
    with pytest.raises(BrokenModelError, match="bytes and not"):
        store.check(installed)
    path.write_bytes(sound)


def test_everything_is_on_the_disk_before_it_gets_its_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        steps.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(store.root)))
        real_sync(descriptor)

    def rename(path: Path, target: Path) -> Path:
        steps.append(f"rename {path.relative_to(store.root)}")
        return real_rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    install(store)
    named = steps.index("rename voice/incoming.part")
    part = "voice/incoming.part"
    written = {f"{part}/{name}" for name in (*FILES, MANIFEST_NAME, "sub")} | {part, "."}
    assert set(steps[:named]) == written
    assert steps[named + 1 :] == ["voice"]
