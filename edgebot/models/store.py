"""The store: the folder where models live, and where they come and go in one piece.

Every model has a folder of versions, ``<root>/<id>/<first 12 digits of its digest>/``. A version
is built beside it under a name that ends in ``.part``, forced to the disk and then renamed, so a
power cut at any moment leaves the old version or the new one. Whatever still ends in ``.part``
afterwards is swept away by the next change to the store.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from edgebot.errors import BrokenModelError, MissingModelError, ModelError
from edgebot.models import installed as _installed
from edgebot.models.digest import FileRecord, measure, tree_sha256
from edgebot.models.installed import InstalledModel
from edgebot.models.manifest import (
    MANIFEST_NAME,
    Manifest,
    damaged_manifest,
    read_manifest,
    write_manifest,
)
from edgebot.models.model import Model
from edgebot.models.room import disk_faults_named

_VERSION = re.compile(r"[0-9a-f]{12}")
_PART = ".part"
_RESUMABLE_S = 7 * 24 * 3600


class Store:
    """Models below one folder.

    Args:
        root: The folder; it is made by the first installation.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._holds_lock = False

    @property
    def downloads(self) -> Path:
        """Where unfinished downloads lie, on the same file system as the models."""
        return self.root / ".downloads"

    def find(self, model_id: str) -> InstalledModel:
        """Return an installed model.

        Raises:
            MissingModelError: It is not installed.
            BrokenModelError: Its manifest is damaged.
        """
        before: list[Path] | None = None
        versions = self._versions(model_id)
        while versions != before:  # another program may replace a version while this one looks
            if sound := [installed for f in versions if (installed := _sound(f))]:
                return max(sound, key=_serial)
            before, versions = versions, self._versions(model_id)
        if versions:
            raise damaged_manifest(versions[0])
        raise MissingModelError(
            f"The model {model_id} is not installed; run `edgebot models pull {model_id}`."
        )

    def installed(self) -> list[InstalledModel]:
        """Return every installed model whose manifest is sound, by id."""
        if not self.root.is_dir():
            return []
        models = []
        for folder in sorted(self.root.iterdir()):
            try:
                models.append(self.find(folder.name))
            except (MissingModelError, BrokenModelError):
                continue
        return models

    def check(self, installed: InstalledModel) -> None:
        """Compare sizes and CRC-32s; see `edgebot.models.installed.check`."""
        _installed.check(installed)

    def verify(self, installed: InstalledModel) -> None:
        """Compare SHA-256s; see `edgebot.models.installed.verify`."""
        _installed.verify(installed)

    def install(
        self,
        model: Model,
        fill: Callable[[Path], None],
        *,
        source: str,
        fingerprint: str,
        accept: Callable[[Sequence[FileRecord]], None] = lambda records: None,
        when_read: Callable[[int], None] | None = None,
    ) -> InstalledModel:
        """Install a model in one piece, and remove its older versions.

        Args:
            model: What is installed.
            fill: Puts the model's files into the empty folder that it is given.
            source: Where they come from, for the manifest.
            fingerprint: The source's hash in the catalogue.
            accept: Raises if the files are not what they should be.
            when_read: Called with the bytes hashed so far.

        Raises:
            DiskFullError: There is not enough room. Nothing has changed.
            ModelError: Another program changes the store at this moment.
        """
        with self.locked(), disk_faults_named(f"the model {model.id}"):
            home = self.root / model.id
            home.mkdir(exist_ok=True)
            _sync(self.root)
            staged = home / f"incoming{_PART}"
            try:
                staged.mkdir()
                fill(staged)
                records = measure(staged, when_read)
                accept(records)
                return self._commit(model, staged, records, source, fingerprint)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
                if not any(home.iterdir()):
                    home.rmdir()

    def remove(self, model_id: str) -> int:
        """Remove a model in one piece and return the bytes that its folder held.

        Raises:
            MissingModelError: It is not installed.
        """
        with self.locked():
            versions = self._versions(model_id)
            if not versions:
                raise MissingModelError(f"The model {model_id} is not installed.")
            size = sum(f.stat().st_size for v in versions for f in v.rglob("*") if f.is_file())
            for version in versions:
                _discard(version)
            (self.root / model_id).rmdir()
            return size

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other programs from changing the store, and sweep away what was left half done.

        The lock goes with the process, so a crash leaves none behind. Readers need none. Within it,
        the same store may be locked again.

        Raises:
            ModelError: Another program holds the lock, or the folder cannot be written to.
        """
        if self._holds_lock:
            yield
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / ".lock").open("w")
        except OSError as error:
            raise ModelError(
                f"Models cannot be written to {self.root} ({error.strerror}); "
                "use sudo, or set models.dir to a folder of your own."
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ModelError(
                    f"Another edgebot command is changing {self.root}; wait until it is done."
                ) from None
            self._holds_lock = True
            try:
                self._sweep()
                yield
            finally:
                self._holds_lock = False

    def has_begun(self, model_id: str) -> bool:
        """Tell whether there is a version of a model, sound or damaged.

        An installation that was cut leaves a folder without any.
        """
        return bool(self._versions(model_id))

    def _versions(self, model_id: str) -> list[Path]:
        home = self.root / model_id
        if model_id.startswith(".") or "/" in model_id or not home.is_dir():
            return []
        return sorted(f for f in home.iterdir() if _VERSION.fullmatch(f.name) and f.is_dir())

    def _commit(
        self,
        model: Model,
        staged: Path,
        records: list[FileRecord],
        source: str,
        fingerprint: str,
    ) -> InstalledModel:
        digest = tree_sha256(records)
        older = self._versions(model.id)
        manifest = Manifest(
            format=1,
            serial=1 + max((_serial(i) for i in map(_sound, older) if i), default=0),
            model=model,
            source=source,
            fingerprint=fingerprint,
            digest=digest,
            installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=tuple(records),
        )
        write_manifest(staged, manifest)
        for folder in (*(f for f in staged.rglob("*") if f.is_dir()), staged):
            _sync(folder)
        version = staged.parent / digest[:12]
        if version in older and _is_whole(version):  # the same files, perhaps of another source
            (staged / MANIFEST_NAME).replace(version / MANIFEST_NAME)
            _sync(version)
        else:
            if version in older:
                _discard(version)
            staged.rename(version)
            _sync(version.parent)
        for folder in older:
            if folder != version:
                _discard(folder)
        manifest = read_manifest(version)
        return InstalledModel(manifest.model, version, manifest)

    def _sweep(self) -> None:
        for part in self.root.glob(f"*/*{_PART}"):
            if part.parent != self.downloads:
                shutil.rmtree(part, ignore_errors=True)
        for home in self.root.iterdir():
            if home.is_dir() and home != self.downloads:
                self._sweep_home(home)
        if self.downloads.is_dir():
            for left in self.downloads.iterdir():
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                elif time.time() - left.stat().st_mtime > _RESUMABLE_S:
                    left.unlink()

    def _sweep_home(self, home: Path) -> None:
        """Remove versions that a crash left beside their successor, and a folder that is empty."""
        sound = sorted(filter(None, map(_sound, self._versions(home.name))), key=_serial)
        for superseded in sound[:-1]:
            _discard(superseded.folder)
        if not any(home.iterdir()):
            home.rmdir()


def _sound(version: Path) -> InstalledModel | None:
    """Return a version whose manifest can be trusted, or None."""
    try:
        manifest = read_manifest(version)
    except BrokenModelError:
        return None
    return InstalledModel(manifest.model, version, manifest)


def _is_whole(version: Path) -> bool:
    """Tell whether a version's files are still what its manifest says."""
    installed = _sound(version)
    try:
        if installed:
            _installed.check(installed)
    except BrokenModelError:
        return False
    return installed is not None


def _serial(installed: InstalledModel) -> int:
    return installed.manifest.serial if installed.manifest else 0


def _discard(version: Path) -> None:
    """Take a version away in one piece: first its name, then its files."""
    condemned = version.with_name(version.name + _PART)
    shutil.rmtree(condemned, ignore_errors=True)
    version.rename(condemned)
    _sync(version.parent)
    shutil.rmtree(condemned)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
