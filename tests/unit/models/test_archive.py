"""Hostile archives are refused in one sentence, and nothing is written outside the folder."""

import contextlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.errors import DownloadError
from edgebot.models.archive import (
    HostileArchiveError,
    Unpacking,
    safe_parts,
    unpack_tar,
    unpack_zip,
)

from .wheels import tar_of, zip_of

Unpack = Callable[[Path, Unpacking], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "inside" / "target"
    target.mkdir(parents=True)
    return target


def unpack(archive: Path, content: bytes, folder: Path, **limits: object) -> None:
    archive.write_bytes(content)
    unpacking = Unpacking(folder, **({"most_bytes": 10_000} | limits))  # type: ignore[arg-type]
    (unpack_zip if zipfile.is_zipfile(archive) else unpack_tar)(archive, unpacking)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def both(files: dict[str, bytes]) -> list[bytes]:
    return [zip_of(files), tar_of(files)]


@pytest.mark.parametrize("content", both({"m/a": b"1", "m/sub/b": b"22"}))
def test_an_honest_archive_is_unpacked_without_its_first_folder(
    content: bytes, folder: Path, tmp_path: Path
) -> None:
    unpack(tmp_path / "archive", content, folder, strip=1)
    assert files_below(folder) == {"a": b"1", "sub/b": b"22"}


@pytest.mark.parametrize("content", both({"p/data/a": b"1", "p/data/s/b": b"2", "p/code.py": b"3"}))
def test_only_the_wanted_members_are_taken(content: bytes, folder: Path, tmp_path: Path) -> None:
    unpack(tmp_path / "archive", content, folder, members="p/data/")
    assert files_below(folder) == {"a": b"1", "s/b": b"2"}


@pytest.mark.parametrize("content", both({"p/data/a": b"1", "p/data/ab": b"2"}))
def test_one_file_is_taken_by_its_name(content: bytes, folder: Path, tmp_path: Path) -> None:
    unpack(tmp_path / "archive", content, folder, members="p/data/a")
    assert files_below(folder) == {"a": b"1"}


@pytest.mark.parametrize(
    "name", ["/etc/evil", "../evil", "a/../../evil", "a\\..\\evil", "C:/evil", "a\nb", "x" * 600]
)
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_name_that_leads_outside_is_refused(
    name: str, make: Callable[..., bytes], folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match=r"archive archive is refused: .*unsafe name"):
        unpack(tmp_path / "archive", make({name: b"evil"}), folder)
    assert files_below(tmp_path) == {"archive": (tmp_path / "archive").read_bytes()}


@pytest.mark.parametrize("content", both({"../evil": b"evil", "p/data/a": b"1"}))
def test_an_unsafe_name_is_refused_even_where_it_is_not_wanted(
    content: bytes, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="unsafe name"):
        unpack(tmp_path / "archive", content, folder, members="p/data/")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
    ids=["symlink", "hardlink", "character device", "block device", "pipe"],
)
def test_a_link_or_device_in_a_tar_is_refused(kind: bytes, folder: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("m/thing")
        entry.type = kind
        entry.linkname = "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(DownloadError, match="'m/thing' in it is a link or a device"):
        unpack(tmp_path / "archive", buffer.getvalue(), folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_in_a_zip_is_refused(kind: int, folder: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("m/thing")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DownloadError, match="'m/thing' in it is a link or a device"):
        unpack(tmp_path / "archive", buffer.getvalue(), folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", both({"bomb": b"\0" * 5_000_000}))
def test_a_bomb_stops_at_the_limit(content: bytes, folder: Path, tmp_path: Path) -> None:
    assert len(content) < 10_000
    with pytest.raises(DownloadError, match="unpacks to more than 10000 bytes"):
        unpack(tmp_path / "archive", content, folder)
    assert sum(map(len, files_below(folder).values())) <= 10_000


@pytest.mark.parametrize("content", both({f"f{i}": b"" for i in range(11)}))
def test_too_many_files_are_refused(content: bytes, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="holds more than 10 files"):
        unpack(tmp_path / "archive", content, folder, most_files=10)


def twice_in_a_tar(first: str, second: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (first, second):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return buffer.getvalue()


def twice_in_a_zip(first: str, second: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(first, "1")
        archive.writestr(second, "2")
    return buffer.getvalue()


@pytest.mark.parametrize(("first", "second"), [("a", "./a"), ("a", "a/b"), ("a/b", "a")])
@pytest.mark.parametrize("make", [twice_in_a_tar, twice_in_a_zip])
def test_the_same_name_twice_is_refused(
    make: Callable[..., bytes], first: str, second: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="the same name twice"):
        unpack(tmp_path / "archive", make(first, second), folder)


def test_a_sparse_file_is_refused(folder: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("sparse")
        entry.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(entry)
    with pytest.raises(DownloadError, match="archive archive is"):
        unpack(tmp_path / "archive", buffer.getvalue(), folder)


NOISE = bytes(range(256)) * 30


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.7])
def test_a_truncated_tar_is_never_taken_for_whole(
    mode: str, share: float, folder: Path, tmp_path: Path
) -> None:
    content = tar_of({"a": NOISE, "b": NOISE[::-1]}, mode)
    cut = content[: int(len(content) * share)]
    with contextlib.suppress(DownloadError):
        unpack(tmp_path / "archive", cut, folder, most_bytes=100_000)
    assert files_below(folder) != {"a": NOISE, "b": NOISE[::-1]}


@given(st.integers(min_value=0), st.integers(0, 255))
def test_a_damaged_zip_is_refused_or_unpacked_right(
    tmp_path_factory: pytest.TempPathFactory, where: int, value: int
) -> None:
    files = {"a": NOISE, "b/c": NOISE[::-1]}
    content = bytearray(zip_of(files))
    content[where % len(content)] = value
    base = tmp_path_factory.mktemp("zip")
    target = base / "target"
    target.mkdir()
    (base / "archive").write_bytes(content)
    with contextlib.suppress(DownloadError):
        unpack_zip(base / "archive", Unpacking(target, most_bytes=100_000))
    assert set(base.iterdir()) == {target, base / "archive"}
    # the bytes are right wherever a file is whole; names are the digest's business
    assert all(
        c in (NOISE, NOISE[::-1]) or len(c) < len(NOISE) for c in files_below(target).values()
    )


@given(st.text(), st.text())
def test_a_safe_name_stays_inside(tmp_path_factory: pytest.TempPathFactory, a: str, b: str) -> None:
    root = Path("/store/folder")
    for name in (a, f"{a}/{b}", f"../{a}", f"{a}/../{b}"):
        try:
            parts = safe_parts(name)
        except HostileArchiveError:
            continue
        target = root.joinpath(*parts)
        assert target != root
        assert root in target.parents
        assert ".." not in target.parts
