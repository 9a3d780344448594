"""Downloads from a real https server on this machine that misbehaves."""

import errno
import os
import socket
import time
from pathlib import Path
from typing import IO, Any

import pytest

from edgebot.errors import DiskFullError, DownloadError
from edgebot.models.download import Network, download
from edgebot.models.model import RemoteFile

from .hub import Hub, Request
from .wheels import sha256

CONTENT = bytes(range(256)) * 4000  # about 1 MB


def remote(url: str, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile(url=url, size_bytes=len(content), sha256=sha256(content))


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.part"


def test_a_whole_file(hub: Hub, network: Network, part: Path) -> None:
    seen: list[int] = []
    download(remote(hub.serve("/a.bin", CONTENT)), part, network, seen.append)
    assert part.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert hub.requests == [("/a.bin", None)]


def test_a_transfer_that_breaks_goes_on_where_it_broke(
    hub: Hub, network: Network, part: Path
) -> None:
    url = hub.serve_cut("/a.bin", CONTENT, [300_000, 600_000])
    download(remote(url), part, network)
    assert part.read_bytes() == CONTENT
    assert [asked for _, asked in hub.requests] == [None, "bytes=300000-", "bytes=600000-"]


def test_a_broken_transfer_is_kept_for_the_next_pull(
    hub: Hub, network: Network, part: Path
) -> None:
    file = remote(hub.serve_cut("/a.bin", CONTENT, [300_000, 300_000, 300_000, 300_000]))
    with pytest.raises(
        DownloadError, match=r"127.0.0.1:\d+ broke off the transfer of a.bin: .*\.$"
    ):
        download(file, part, network)
    assert part.stat().st_size == 300_000
    download(remote(hub.serve("/a.bin", CONTENT)), part, network)
    assert part.read_bytes() == CONTENT
    assert hub.requests[-1] == ("/a.bin", "bytes=300000-")


def test_a_server_without_ranges_begins_anew(hub: Hub, network: Network, part: Path) -> None:
    def page(request: Request) -> None:
        request.head(200, len(CONTENT))
        request.wfile.write(CONTENT)

    hub.pages["/a.bin"] = page
    part.write_bytes(b"old" * 1000)
    download(remote(hub.url("/a.bin")), part, network)
    assert part.read_bytes() == CONTENT
    assert len(hub.requests) == 1


def test_a_piece_of_another_edition_is_fetched_anew(hub: Hub, network: Network, part: Path) -> None:
    part.write_bytes(b"another edition")
    download(remote(hub.serve("/a.bin", CONTENT)), part, network)
    assert part.read_bytes() == CONTENT
    assert [asked for _, asked in hub.requests] == ["bytes=15-", None]


def test_a_piece_that_is_too_long_is_fetched_anew(hub: Hub, network: Network, part: Path) -> None:
    part.write_bytes(CONTENT + b"more")
    download(remote(hub.serve("/a.bin", CONTENT)), part, network)
    assert part.read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_leaves_nothing(hub: Hub, network: Network, part: Path) -> None:
    url = hub.serve("/a.bin", CONTENT[::-1])
    with pytest.raises(DownloadError, match=r"a\.bin .* does not have the hash"):
        download(remote(url), part, network)
    assert not part.exists()


@pytest.mark.parametrize("by", [-1, 1, 10**12])
def test_a_server_that_announces_another_size_is_refused(
    hub: Hub, network: Network, part: Path, by: int
) -> None:
    def page(request: Request) -> None:
        request.head(200, len(CONTENT) + by)
        request.wfile.write(CONTENT)

    hub.pages["/a.bin"] = page
    with pytest.raises(DownloadError, match="and the catalogue names 1024000"):
        download(remote(hub.url("/a.bin")), part, network)
    assert not part.exists()


def test_a_server_that_sends_less_than_it_says_is_given_up(
    hub: Hub, network: Network, part: Path
) -> None:
    def page(request: Request) -> None:
        request.head(200, len(CONTENT))
        request.wfile.write(CONTENT[:1000])

    hub.pages["/a.bin"] = page
    with pytest.raises(DownloadError, match="broke off the transfer"):
        download(remote(hub.url("/a.bin")), part, network)
    assert len(hub.requests) < 10


def test_a_server_that_never_stops_is_cut_at_the_size(
    hub: Hub, network: Network, part: Path
) -> None:
    def page(request: Request) -> None:
        request.head(200, None)
        for _ in range(10):
            request.wfile.write(CONTENT)

    hub.pages["/a.bin"] = page
    download(remote(hub.url("/a.bin")), part, network)
    assert part.read_bytes() == CONTENT


def test_another_part_than_was_asked_for_is_refused(hub: Hub, network: Network, part: Path) -> None:
    def page(request: Request) -> None:
        request.head(206, 5, Content_Range=f"bytes 7-11/{len(CONTENT)}")
        request.wfile.write(CONTENT[7:12])

    hub.pages["/a.bin"] = page
    part.write_bytes(CONTENT[:100])
    with pytest.raises(DownloadError, match="another part"):
        download(remote(hub.url("/a.bin")), part, network)


def test_a_redirect_to_https_is_followed(hub: Hub, network: Network, part: Path) -> None:
    target = hub.serve("/b.bin", CONTENT)
    hub.pages["/a.bin"] = lambda request: request.head(302, 0, Location=target)
    download(remote(hub.url("/a.bin")), part, network)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/b.bin", "ftp://127.0.0.1/b", "file:///etc"])
def test_a_redirect_to_anything_else_is_refused(
    hub: Hub, network: Network, part: Path, target: str
) -> None:
    hub.pages["/a.bin"] = lambda request: request.head(302, 0, Location=target)
    with pytest.raises(DownloadError, match=r"which is not https|is not allowed"):
        download(remote(hub.url("/a.bin")), part, network)
    assert not part.exists()


def test_a_missing_file_is_named(hub: Hub, network: Network, part: Path) -> None:
    with pytest.raises(DownloadError, match=r"answers 404 \(Not Found\) for no.bin"):
        download(remote(hub.url("/no.bin")), part, network)
    assert network.unreachable == {}


def test_a_server_with_an_unknown_certificate_is_refused(hub: Hub, part: Path) -> None:
    url = hub.serve("/a.bin", CONTENT)
    with pytest.raises(DownloadError, match="its certificate is refused: self-signed certificate"):
        download(remote(url), part, Network())
    assert hub.requests == []


def test_a_stalled_transfer_is_given_up_and_kept(hub: Hub, network: Network, part: Path) -> None:
    def page(request: Request) -> None:
        request.head(200, len(CONTENT))
        request.wfile.write(CONTENT[:5000])
        request.wfile.flush()
        hub.release.wait(10)

    hub.pages["/a.bin"] = page
    begun = time.monotonic()
    with pytest.raises(DownloadError, match=r"sent nothing of a.bin for 0.5 seconds"):
        download(remote(hub.url("/a.bin")), part, network)
    assert time.monotonic() - begun < 3
    assert part.stat().st_size == 5000


def test_a_trickle_counts_as_a_stall(hub: Hub, network: Network, part: Path) -> None:
    def page(request: Request) -> None:
        request.head(200, len(CONTENT))
        while not hub.release.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()

    hub.pages["/a.bin"] = page
    begun = time.monotonic()
    with pytest.raises(DownloadError, match="sent nothing"):
        download(remote(hub.url("/a.bin")), part, network)
    assert time.monotonic() - begun < 3


def test_a_closed_port_is_known_at_once(part: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    network = Network()
    begun = time.monotonic()
    file = remote(f"https://127.0.0.1:{port}/a.bin")
    with pytest.raises(DownloadError, match=r"is out of reach \(Connection refused\)"):
        download(file, part, network)
    assert time.monotonic() - begun < 1
    assert list(network.unreachable) == [f"127.0.0.1:{port}"]


def test_a_server_that_says_nothing_is_given_up_and_not_asked_again(part: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = remote(f"https://127.0.0.1:{silent.getsockname()[1]}/a.bin")
        network = Network(connect_s=0.3, stall_s=0.5)
        begun = time.monotonic()
        for _ in range(10):
            with pytest.raises(DownloadError, match=r"out of reach \(no answer in 0.3 seconds\)"):
                download(file, part, network)
        assert time.monotonic() - begun < 1


class FullFile:
    """A real file on a disk that has room for 100,000 bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> "FullFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, block: bytes) -> int:
        if self._file.tell() + len(block) > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(block)


def test_a_disk_that_fills_up_is_named_and_given_back(
    hub: Hub, network: Network, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = Path.open

    def open_full(path: Path, mode: str = "r", *more: Any, **most: Any) -> Any:
        file = real_open(path, mode, *more, **most)
        return FullFile(file) if path == part and mode in ("wb", "r+b") else file

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(DiskFullError, match=r"^The disk is full: a\.bin did not fit; .*\.$"):
        download(remote(hub.serve("/a.bin", CONTENT)), part, network)
    assert not part.exists()


def test_a_real_disk_that_fills_up(hub: Hub, network: Network, small_disk: Path) -> None:
    part = small_disk / "a.part"
    with pytest.raises(DiskFullError, match="The disk is full"):
        download(remote(hub.serve("/a.bin", CONTENT)), part, network)
    assert list(small_disk.iterdir()) == []
