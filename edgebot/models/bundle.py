"""Models on a stick: carrying them to a machine that has no network.

A bundle is a tar file or a folder. Below it lie the versions of the models as they lie in a store,
``<id>/<first 12 digits of the digest>/``, each with its manifest. Whatever a bundle says of itself
is checked: the files against the manifest, and the manifest against the catalogue.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from edgebot.errors import (
    BrokenModelError,
    DiskFullError,
    DownloadError,
    MissingModelError,
    ModelError,
)
from edgebot.models.archive import Unpacking, unpack_tar
from edgebot.models.catalog import Catalog
from edgebot.models.digest import BLOCK_BYTES, walk_files
from edgebot.models.installed import InstalledModel, verify
from edgebot.models.manifest import MANIFEST_NAME, read_manifest
from edgebot.models.room import FreeBytes, disk_faults_named, free_bytes, require_room
from edgebot.models.store import Store

INDEX_NAME = "edgebot-bundle.json"
_PART = ".part"
_VERSION = r"^[a-z0-9][a-z0-9._-]{0,79}/[0-9a-f]{12}$"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _Index:
    """What a bundle holds, so that one that was cut short is noticed."""

    format: Literal[1]
    models: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=_VERSION)], ...], Field(min_length=1)
    ]


_INDEX: TypeAdapter[_Index] = TypeAdapter(_Index)


def export(store: Store, ids: Sequence[str], path: Path) -> list[InstalledModel]:
    """Write installed models into a bundle, each verified before it is written.

    Args:
        store: Where they are.
        ids: Which; none is all.
        path: A name that ends in ``.tar`` for one file, else a folder, which is made.

    Returns:
        What the bundle holds.

    Raises:
        MissingModelError: One is not installed.
        BrokenModelError: One is damaged.
        DiskFullError: The bundle does not fit; none is left.
        ModelError: The bundle cannot be written, or is there already.
    """
    models = [store.find(i) for i in ids] if ids else store.installed()
    if not models:
        raise ModelError("No model is installed, so there is nothing to export.")
    for installed in models:
        verify(installed)
    if path.exists() and (path.suffix == ".tar" or not path.is_dir() or any(path.iterdir())):
        raise ModelError(f"{path} is there already; name a new file or folder.")
    part = path.with_name(path.name + _PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        (_write_tar if path.suffix == ".tar" else _write_folder)(part, models)
        if path.is_dir():
            path.rmdir()
        part.rename(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        elif part.exists():
            part.unlink()
    return models


def import_(
    store: Store, catalog: Catalog, path: Path, *, free: FreeBytes = free_bytes
) -> list[InstalledModel]:
    """Install every model of a bundle. Nothing is installed before all of it is verified.

    A model that is installed already, sound and the same, is left as it is.

    Args:
        store: Where they go.
        catalog: The models that may come in.
        path: A bundle that `export` wrote.
        free: Tells how much room there is.

    Returns:
        The bundle's models, as they are installed now.

    Raises:
        DownloadError: The bundle is damaged, or holds what an honest one does not.
        DiskFullError: There is not enough room.
        ModelError: There is no bundle, or the store cannot be written to.
    """
    if not path.exists():
        raise ModelError(f"There is no bundle at {path}.")
    with store.locked(), disk_faults_named(f"the bundle {path}"):
        store.downloads.mkdir(exist_ok=True)
        require_room(store.root, _size(path), f"The bundle {path}", free=free)
        with TemporaryDirectory(dir=store.downloads) as workshop:
            folder = Path(workshop)
            (_unpack_folder if path.is_dir() else _unpack_tar)(path, folder)
            versions = _index_of(path if path.is_dir() else folder, path)
            arrived = [_checked(folder / version, catalog, path) for version in versions]
            return [_install(store, catalog, installed) for installed in arrived]


def _unwritable(path: Path, error: OSError) -> ModelError:
    if error.errno == errno.ENOSPC:
        return DiskFullError(f"The bundle {path} does not fit on its disk; export fewer models.")
    if error.errno == errno.EFBIG:
        return ModelError(
            f"The bundle {path} is too long for one file on its disk; export to a folder."
        )
    return ModelError(f"The bundle {path} cannot be written: {error.strerror or error}.")


def _write_tar(part: Path, models: Sequence[InstalledModel]) -> None:
    with part.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            index = _index(models)
            _add(tar, INDEX_NAME, len(index), BytesIO(index))
            for installed in models:
                for path in walk_files(installed.folder):
                    with path.open("rb") as source:
                        _add(tar, _name(installed, path), path.stat().st_size, source)
        file.flush()
        os.fsync(file.fileno())


def _add(tar: tarfile.TarFile, name: str, size: int, source: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    tar.addfile(entry, source)


def _write_folder(part: Path, models: Sequence[InstalledModel]) -> None:
    part.mkdir()
    (part / INDEX_NAME).write_bytes(_index(models))
    for installed in models:
        for path in walk_files(installed.folder):
            target = part / _name(installed, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, BLOCK_BYTES)
                file.flush()
                os.fsync(file.fileno())


def _name(installed: InstalledModel, path: Path) -> str:
    """Return where a model's file lies in a bundle."""
    return path.relative_to(installed.folder.parent.parent).as_posix()


def _index(models: Sequence[InstalledModel]) -> bytes:
    versions = [f"{installed.model.id}/{installed.folder.name}" for installed in models]
    return json.dumps({"format": 1, "models": versions}, indent=1).encode()


def _unpack_tar(bundle: Path, folder: Path) -> None:
    unpack_tar(bundle, Unpacking(folder, most_bytes=_size(bundle)), compressed=False)


def _unpack_folder(bundle: Path, folder: Path) -> None:
    """Copy what the index names, and nothing else that may lie on the same stick."""
    unpacking = Unpacking(folder, most_bytes=_size(bundle))
    for version in _index_of(bundle, bundle):
        for path in walk_files(bundle / version):
            if path.is_symlink() or not path.is_file():
                raise DownloadError(
                    f"The bundle {bundle} is refused: {path} is a link or a device."
                )
            unpacking.count()
            with path.open("rb") as file:
                unpacking.write(file, folder / path.relative_to(bundle))


def _index_of(folder: Path, bundle: Path) -> tuple[str, ...]:
    """Return the models that a bundle says it holds, as ``<id>/<version>``."""
    path = folder / INDEX_NAME
    try:
        with path.open("rb") if path.is_file() else BytesIO() as file:
            return _INDEX.validate_json(file.read(1 << 20)).models
    except (OSError, ValidationError):
        raise DownloadError(f"{bundle} is no bundle of edgebot models, or is damaged.") from None


def _size(bundle: Path) -> int:
    """Return how much a bundle can unpack to."""
    if not bundle.is_dir():
        return bundle.stat().st_size
    versions = _index_of(bundle, bundle)
    return sum(path.lstat().st_size for v in versions for path in walk_files(bundle / v))


def _checked(version: Path, catalog: Catalog, bundle: Path) -> InstalledModel:
    """Return an unpacked model after comparing its files with its manifest and the catalogue."""
    try:
        manifest = read_manifest(version)
        arrived = InstalledModel(manifest.model, version, manifest)
        verify(arrived)
    except BrokenModelError:
        raise DownloadError(
            f"The bundle {bundle} is damaged at the model {version.parent.name}; export it again."
        ) from None
    model = catalog.models.get(manifest.model.id)
    sources = [s for s in model.sources if s.fingerprint == manifest.fingerprint] if model else []
    if not any(source.vouches_for(manifest.files) is not False for source in sources):
        raise DownloadError(
            f"The bundle {bundle} is refused: its {manifest.model.id} is not the one that the "
            "catalogue names."
        )
    return arrived


def _install(store: Store, catalog: Catalog, arrived: InstalledModel) -> InstalledModel:
    model = catalog.model(arrived.model.id)
    manifest = arrived.manifest
    assert manifest is not None
    try:
        present = store.find(model.id)
        if present.manifest and present.manifest.digest == manifest.digest:
            store.check(present)
            return present
    except (MissingModelError, BrokenModelError):
        pass

    def move(folder: Path) -> None:
        (arrived.folder / MANIFEST_NAME).unlink()
        for path in arrived.folder.iterdir():
            path.rename(folder / path.name)

    return store.install(model, move, source=manifest.source, fingerprint=manifest.fingerprint)
