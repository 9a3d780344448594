"""One digest for many files."""

import hashlib
import zlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edgebot.models.digest import FileRecord, file_crc32, file_sha256, measure, tree_sha256

RECORDS = st.lists(
    st.builds(
        FileRecord,
        st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1),
        st.integers(0, 1 << 40),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
        st.integers(0, (1 << 32) - 1),
    ),
    unique_by=lambda record: record.path,
)


def test_the_digest_is_what_the_catalogue_says_it_is() -> None:
    records = [FileRecord("b/c", 2, "22" * 32, 0), FileRecord("a", 1, "11" * 32, 0)]
    text = f"a\x001\x00{'11' * 32}\nb/c\x002\x00{'22' * 32}\n"
    assert tree_sha256(records) == hashlib.sha256(text.encode()).hexdigest()


@given(RECORDS, st.randoms())
def test_the_order_of_files_does_not_matter(records: list[FileRecord], random: object) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert tree_sha256(shuffled) == tree_sha256(records)


@given(RECORDS, RECORDS)
def test_other_files_have_another_digest(a: list[FileRecord], b: list[FileRecord]) -> None:
    def said(records: list[FileRecord]) -> set[tuple[str, int, str]]:
        return {(r.path, r.size_bytes, r.sha256) for r in records}

    assert (tree_sha256(a) == tree_sha256(b)) == (said(a) == said(b))


def test_a_folder_is_measured_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.bin").write_bytes(b"x" * 3_000_000)
    (tmp_path / "empty").touch()
    seen: list[int] = []
    records = measure(tmp_path, seen.append)
    assert [record.path for record in records] == ["empty", "sub/a.bin"]
    assert records[1].size_bytes == 3_000_000
    assert records[1].sha256 == file_sha256(tmp_path / "sub" / "a.bin")
    assert (
        records[1].crc32 == file_crc32(tmp_path / "sub" / "a.bin") == zlib.crc32(b"x" * 3_000_000)
    )
    assert seen[-1] == 3_000_000
