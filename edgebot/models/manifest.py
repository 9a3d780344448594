"""The manifest that lies in every installed model's folder: what it is and what each file holds."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from edgebot.errors import BrokenModelError
from edgebot.models.checked import Sha256
from edgebot.models.digest import FileRecord, tree_sha256
from edgebot.models.model import Model

MANIFEST_NAME = "edgebot-model.json"
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """What an installed model is.

    Attributes:
        format: Of this file.
        serial: Rises by one with every installation of the same model; the highest is in use. A
            clock would not do: a Raspberry Pi has none that survives a power cut.
        model: The catalogue's entry, without its sources.
        source: Where it came from, for a person.
        fingerprint: The source's hash in the catalogue, by which a newer entry is noticed.
        digest: `tree_sha256` of the files; its first 12 digits name the folder.
        installed_at: UTC, ISO 8601.
        files: Every file except this one.
    """

    format: Literal[1]
    serial: Annotated[int, Field(ge=1)]
    model: Model
    source: str
    fingerprint: str
    digest: Sha256
    installed_at: str
    files: tuple[FileRecord, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


_MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into a model's folder and force it to the disk."""
    table = _MANIFEST.dump_python(manifest, mode="json") | {"model": manifest.model.describe()}
    with (folder / MANIFEST_NAME).open("w", encoding="utf-8") as file:
        json.dump(table | {"seal": _seal(table)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a model's folder.

    Raises:
        BrokenModelError: It is missing, damaged, or not of the files that name the folder.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            table = json.loads(file.read(_MOST_BYTES))
        if table.pop("seal") != _seal(table):
            raise damaged_manifest(folder)
        manifest = _MANIFEST.validate_python(table)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        raise damaged_manifest(folder) from None
    digest = tree_sha256(manifest.files)
    name = f"{folder.parent.name}/{folder.name}"
    if manifest.digest != digest or name != f"{manifest.model.id}/{digest[:12]}":
        raise damaged_manifest(folder)
    return manifest


def _seal(table: dict[str, Any]) -> str:
    """Return a hash of the manifest itself, by which a damaged one is noticed."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def damaged_manifest(folder: Path) -> BrokenModelError:
    """Return the fault of a model's folder whose manifest is missing or damaged."""
    model_id = folder.parent.name
    return BrokenModelError(
        f"The model {model_id} is damaged ({folder / MANIFEST_NAME} cannot be trusted); "
        f"`edgebot models pull {model_id}` repairs it."
    )
