"""Taking files out of zip and tar archives that nobody vouches for.

No entry's name, kind, size or number is trusted: absolute paths, "..", links, devices, duplicate
names and more bytes or files than allowed are refused. Nothing is ever written outside the folder
that is given, and modes and owners in the archive are ignored.
"""

from __future__ import annotations

import errno
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from edgebot.errors import DownloadError
from edgebot.models.digest import BLOCK_BYTES

MOST_FILES = 2000
_LONGEST_NAME = 512


class HostileArchiveError(DownloadError):
    """An archive holds an entry that an honest one has not."""


@dataclass
class Unpacking:
    """Where to unpack to, and how much at most.

    Attributes:
        folder: Exists; only files below it are made.
        most_bytes: All files together.
        most_files: In the archive, whether they are taken or not.
        members: Take only this file, or what lies below this folder (with a slash at its end);
            the folder's own name is dropped. Empty takes everything.
        strip: How many leading folders to drop from every name.
        when_written: Called with the bytes written so far.
    """

    folder: Path
    most_bytes: int
    most_files: int = MOST_FILES
    members: str = ""
    strip: int = 0
    when_written: Callable[[int], None] | None = None
    written_bytes: int = 0
    entries: int = 0

    def count(self) -> None:
        """Count one entry of the archive and refuse one too many."""
        self.entries += 1
        if self.entries > self.most_files:
            raise HostileArchiveError(f"it holds more than {self.most_files} files")

    def target(self, name: str) -> Path | None:
        """Return where a file goes, or None if it is not wanted."""
        parts = safe_parts(name)
        path = "/".join(parts)
        if self.members.endswith("/"):
            if not path.startswith(self.members):
                return None
            parts = safe_parts(path.removeprefix(self.members))
        elif self.members:
            if path != self.members:
                return None
            parts = parts[-1:]
        parts = parts[self.strip :]
        return self.folder.joinpath(*parts) if parts else None

    def write(self, source: IO[bytes], target: Path) -> None:
        """Copy one file, and count what is really written, whatever the archive says."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while block := source.read(BLOCK_BYTES):
                self.written_bytes += len(block)
                if self.written_bytes > self.most_bytes:
                    raise HostileArchiveError(f"it unpacks to more than {self.most_bytes} bytes")
                file.write(block)
                if self.when_written:
                    self.when_written(self.written_bytes)


def safe_parts(name: str) -> tuple[str, ...]:
    """Split an entry's name into its folders and its file.

    Raises:
        HostileArchiveError: The name could lead out of the folder, or is no plain name.
    """
    parts = PurePosixPath(name).parts
    if (
        not parts
        or len(name) > _LONGEST_NAME
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or ":" in parts[0]
        or not name.isprintable()
    ):
        raise HostileArchiveError(f"it holds a file with the unsafe name {name[:80]!r}")
    return parts


def unpack_zip(archive: Path, unpacking: Unpacking) -> None:
    """Unpack a zip archive or a wheel.

    Raises:
        DownloadError: It is damaged, or holds what an honest archive does not.
    """
    with _damage_named(archive), zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            unpacking.count()
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise HostileArchiveError(f"{entry.filename!r} in it is a link or a device")
            if entry.flag_bits & 0x1:
                raise HostileArchiveError(f"{entry.filename!r} in it is encrypted")
            target = unpacking.target(entry.filename)
            if target and not entry.is_dir():
                with opened.open(entry) as source:
                    unpacking.write(source, target)


def unpack_tar(archive: Path, unpacking: Unpacking, *, compressed: bool = True) -> None:
    """Unpack a tar archive.

    Args:
        archive: The file.
        unpacking: Where to and how much.
        compressed: Whether gzip, bzip2 and xz are welcome, too.

    Raises:
        DownloadError: It is damaged, or holds what an honest archive does not.
    """
    with _damage_named(archive), tarfile.open(archive, "r:*" if compressed else "r:") as opened:
        for entry in opened:
            unpacking.count()
            if not (entry.isdir() or entry.isreg()) or entry.issparse():
                raise HostileArchiveError(f"{entry.name!r} in it is a link or a device")
            target = unpacking.target(entry.name)
            if hasattr(tarfile, "data_filter"):  # Debian 12's Python has none
                tarfile.data_filter(entry, str(unpacking.folder))
            source = opened.extractfile(entry)
            if target and source:
                unpacking.write(source, target)


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except HostileArchiveError as error:
        raise DownloadError(f"The archive {archive.name} is refused: {error}.") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise DownloadError(
            f"The archive {archive.name} is refused: it holds the same name twice."
        ) from None
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,
        UnicodeError,
        ValueError,
    ) as error:
        raise DownloadError(f"The archive {archive.name} is damaged: {error}.") from error
    except OSError as error:
        # Damaged data: gzip and bz2 raise the one, zipfile the other.
        if error.errno in (None, errno.EINVAL):
            raise DownloadError(f"The archive {archive.name} is damaged: {error}.") from error
        raise
