"""A model that is on this machine, and how to tell that its files are still what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgebot.errors import BrokenModelError, MissingModelError
from edgebot.models.digest import FileRecord, file_crc32, file_sha256, walk_files
from edgebot.models.manifest import MANIFEST_NAME, Manifest
from edgebot.models.model import Model, Role

LOCAL_LICENCE = "your own"


@dataclass(frozen=True)
class InstalledModel:
    """One model in a store, or a model of the user's own somewhere else.

    Attributes:
        model: The catalogue's entry as it was when the model was installed.
        folder: Where its files are.
        manifest: What each file holds; None for a user's own model.
    """

    model: Model
    folder: Path
    manifest: Manifest | None = None

    @property
    def path(self) -> Path:
        """What the engine loads: a file, or the folder itself."""
        return self.folder / self.model.main

    @property
    def size_bytes(self) -> int:
        """All its files together."""
        return self.manifest.size_bytes if self.manifest else self.model.size_bytes


def local_model(role: Role, engine: str, path: Path, language: str) -> InstalledModel:
    """Return a user's own model, which no manifest describes.

    Raises:
        MissingModelError: There is nothing at `path`.
    """
    path = path.expanduser().absolute()
    if not path.exists():
        raise _no_model_at(path, role)
    size = sum(f.stat().st_size for f in walk_files(path)) if path.is_dir() else path.stat().st_size
    model = Model(
        id="local",
        role=role,
        engine=engine,
        language=language,
        licence=LOCAL_LICENCE,
        size_bytes=size,
        memory_bytes=2 * size,
        main="." if path.is_dir() else path.name,
    )
    return InstalledModel(model, path if path.is_dir() else path.parent)


def check(installed: InstalledModel) -> None:
    """Compare every file's size and CRC-32 with the manifest; cheap enough for every start.

    A CRC-32 finds any flipped bit and any truncation. It is no guard against a person who forges
    a file; `verify` is. Reading the files also brings them into the page cache, where the engine
    finds them.

    Raises:
        BrokenModelError: A file is missing, unreadable or changed; the message names it.
    """
    _compare(installed, lambda path, record: file_crc32(path) == record.crc32)


def verify(installed: InstalledModel) -> None:
    """Compare every file's SHA-256 with the manifest, and refuse files that are not in it.

    Raises:
        BrokenModelError: A file is missing, unreadable, changed or unknown; the message names it.
    """
    _compare(installed, lambda path, record: file_sha256(path) == record.sha256)
    if installed.manifest:
        known = {record.path for record in installed.manifest.files} | {MANIFEST_NAME}
        for path in walk_files(installed.folder):
            if path.relative_to(installed.folder).as_posix() not in known:
                raise _broken(installed, path, "does not belong to it")


def _compare(installed: InstalledModel, is_same: Callable[[Path, FileRecord], bool]) -> None:
    if installed.manifest is None:
        _check_local(installed)
        return
    for record in _largest_last(installed.manifest.files):
        path = installed.folder / record.path
        try:
            size = path.stat().st_size
            if size != record.size_bytes:
                raise _broken(installed, path, f"has {size} bytes and not {record.size_bytes}")
            if not is_same(path, record):
                raise _broken(installed, path, "has changed since it was installed")
        except FileNotFoundError:
            raise _broken(installed, path, "is missing") from None
        except OSError as error:
            raise _broken(installed, path, f"cannot be read: {error.strerror}") from error


def _largest_last(records: Iterable[FileRecord]) -> list[FileRecord]:
    return sorted(records, key=lambda record: record.size_bytes)


def _check_local(installed: InstalledModel) -> None:
    path = installed.path
    if not path.exists():
        raise _no_model_at(path, installed.model.role)
    if path.is_dir():
        if not any(walk_files(path)):
            raise BrokenModelError(f"The model's folder {path} is empty; put the model into it.")
    elif path.stat().st_size == 0:
        raise BrokenModelError(f"The model {path} is an empty file; fetch it again.")


def _no_model_at(path: Path, role: Role) -> MissingModelError:
    return MissingModelError(f"There is no model at {path}; correct {role}.model.")


def _broken(installed: InstalledModel, path: Path, how: str) -> BrokenModelError:
    model_id = installed.model.id
    return BrokenModelError(
        f"The model {model_id} is damaged ({path} {how}); "
        f"`edgebot models pull {model_id}` repairs it."
    )
