"""What a folder of files holds, file by file, and one digest over all of it."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebot.models.checked import Bytes, Crc32, InsidePath, Sha256

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, order=True)
class FileRecord:
    """One file of a model.

    Attributes:
        path: Relative to the model's folder, with forward slashes.
        size_bytes: The file's length.
        sha256: Of the whole file, in lower-case hex.
        crc32: Of the whole file; the cheap check at every start uses it.
    """

    path: InsidePath
    size_bytes: Bytes
    sha256: Sha256
    crc32: Crc32


def tree_sha256(records: Iterable[FileRecord]) -> str:
    """Return one SHA-256 for many files.

    It is taken over the lines ``relative/path NUL size NUL sha256 LF``, UTF-8, sorted by their
    bytes. Two folders with the same files have the same digest, whatever brought them.
    """
    lines = (f"{record.path}\0{record.size_bytes}\0{record.sha256}\n" for record in records)
    return hashlib.sha256(b"".join(sorted(line.encode() for line in lines))).hexdigest()


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_crc32(path: Path) -> int:
    """Return a file's CRC-32 and leave the file in the page cache for the engine that loads it."""
    crc = 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(BLOCK_BYTES)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            crc = zlib.crc32(view[:count], crc)
    return crc


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield every entry below `folder` that is no real directory, links included, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path


def measure(folder: Path, when_read: Callable[[int], None] | None = None) -> list[FileRecord]:
    """Hash every file below `folder`, force it to the disk, and return the records.

    Args:
        folder: A folder that holds only regular files and folders.
        when_read: Called with the bytes read so far.
    """
    records = []
    total = 0
    for path in walk_files(folder):
        sha, crc, size = hashlib.sha256(), 0, 0
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                sha.update(block)
                crc = zlib.crc32(block, crc)
                size += len(block)
                total += len(block)
                if when_read:
                    when_read(total)
            os.fsync(file.fileno())
        name = path.relative_to(folder).as_posix()
        records.append(FileRecord(name, size, sha.hexdigest(), crc))
    return records
