"""One file over https: bounded, resumable, and hashed when it is whole."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from edgebot import __version__
from edgebot.errors import DownloadError, ModelError
from edgebot.models.digest import file_sha256
from edgebot.models.model import RemoteFile
from edgebot.models.room import disk_faults_named

_BLOCK_BYTES = 1 << 16


@dataclass
class Network:
    """How long to wait for servers, and what is known of them.

    Attributes:
        connect_s: For a name, a connection and the first answer together.
        stall_s: For the next bytes of a file that is on its way.
        attempts: How often in a row a transfer may break without bringing anything.
        slowest_bytes_per_s: Below it for `stall_s` on end, a server counts as stalled.
        ssl_context: Whom to trust; None is the machine's own certificates.
        unreachable: Servers that did not answer, and why; they are not asked again.
    """

    connect_s: float = 8.0
    stall_s: float = 20.0
    attempts: int = 3
    slowest_bytes_per_s: int = 256
    ssl_context: ssl.SSLContext | None = None
    unreachable: dict[str, str] = field(default_factory=dict)


class _BrokenTransferError(Exception):
    """A transfer ended early; what came so far is kept."""


class _StalledTransferError(Exception):
    """A transfer brings nothing, or next to nothing; what came so far is kept."""


def download(
    file: RemoteFile,
    part: Path,
    network: Network,
    when_received: Callable[[int], None] = lambda done: None,
) -> None:
    """Bring a file to `part`, going on where an earlier attempt ended.

    A broken transfer leaves `part` for the next attempt. Anything else that goes wrong removes it.

    Raises:
        DownloadError: The server is out of reach, or what it sends is not what was promised.
        DiskFullError: The disk ran full; `part` is gone.
    """
    host = file.host
    if host in network.unreachable:
        raise DownloadError(network.unreachable[host])
    resumed = part.exists()
    _receive_all(file, part, network, when_received)
    if file_sha256(part) == file.sha256:
        return
    part.unlink()
    if resumed:  # the earlier piece may be of another edition; the whole may still be right
        _receive_all(file, part, network, when_received)
        if file_sha256(part) == file.sha256:
            return
        part.unlink()
    raise DownloadError(f"{file.name} from {host} does not have the hash that the catalogue names.")


def _receive_all(
    file: RemoteFile, part: Path, network: Network, when_received: Callable[[int], None]
) -> None:
    failures = 0
    while (had := _size(part)) < file.size_bytes:
        try:
            with disk_faults_named(file.name):
                _receive(file, part, network, when_received)
        except _BrokenTransferError as error:
            failures = 0 if _size(part) > had else failures + 1
            if failures >= network.attempts:
                raise DownloadError(
                    f"{file.host} broke off the transfer of {file.name}: {error}."
                ) from error
        except _StalledTransferError:
            raise DownloadError(
                f"{file.host} sent nothing of {file.name} for {network.stall_s:g} seconds."
            ) from None
        except ModelError as error:
            if not isinstance(error, DownloadError):  # no half file on a disk that is full
                part.unlink(missing_ok=True)
            raise


def _receive(
    file: RemoteFile, part: Path, network: Network, when_received: Callable[[int], None]
) -> None:
    """Ask for what is missing and append it to `part`."""
    done = _size(part)
    with _open(file, done, network) as response:
        done = _agreed_offset(file, response, done)
        with part.open("r+b" if part.exists() else "wb") as out:
            out.truncate(done)
            out.seek(done)
            window_start, window_bytes = time.monotonic(), done
            while done < file.size_bytes:
                block = _next_block(response, file.size_bytes - done)
                out.write(block)
                done += len(block)
                when_received(done)
                now = time.monotonic()
                if now - window_start > network.stall_s:
                    if done - window_bytes < network.slowest_bytes_per_s * (now - window_start):
                        raise _StalledTransferError
                    window_start, window_bytes = now, done


def _next_block(response: Any, most: int) -> bytes:
    try:
        block: bytes = response.read1(min(most, _BLOCK_BYTES))
    except TimeoutError:
        raise _StalledTransferError from None
    except (http.client.HTTPException, OSError) as error:
        raise _BrokenTransferError(_reason(error)) from error
    if not block:
        raise _BrokenTransferError("the file ended too early")
    return block


def _agreed_offset(file: RemoteFile, response: Any, asked: int) -> int:
    """Return where the server's bytes begin, after holding it to the promised size."""
    begins = 0
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not span or int(span[1]) != asked:
            raise DownloadError(f"{file.host} sent another part of {file.name} than was asked for.")
        begins = asked
        announced = span[2]
    else:
        announced = response.headers.get("Content-Length", "*")
    if announced.isdecimal() and int(announced) != file.size_bytes:
        raise DownloadError(
            f"{file.name} at {file.host} has {announced} bytes, and the catalogue names "
            f"{file.size_bytes}."
        )
    return begins


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follow redirects to https and to nothing else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise DownloadError(f"{req.host} redirects to {newurl[:80]}, which is not https.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(file: RemoteFile, offset: int, network: Network) -> Any:
    """Send the request and return the open response within `connect_s`.

    Neither looking up a name nor trying each of its addresses knows one deadline for all, so the
    request is made in a thread that is given up when it takes too long.
    """
    host = file.host
    request = urllib.request.Request(file.url, headers={"User-Agent": f"edgebot/{__version__}"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=network.ssl_context), _HttpsOnly
    )
    reply: Future[Any] = Future()

    def ask() -> None:
        try:
            reply.set_result(opener.open(request, timeout=network.stall_s))
        except BaseException as error:
            reply.set_exception(error)

    threading.Thread(target=ask, daemon=True, name="edgebot-download").start()
    try:
        return reply.result(timeout=network.connect_s)
    except urllib.error.HTTPError as error:
        with error:
            raise DownloadError(
                f"{host} answers {error.code} ({error.reason}) for {file.name}."
            ) from None
    except DownloadError:
        raise
    except Exception as error:
        why = _reason(error)
        if not reply.done():
            why = f"no answer in {network.connect_s:g} seconds"
            reply.add_done_callback(_close)
        network.unreachable[host] = f"{host} is out of reach ({why})."
        raise DownloadError(network.unreachable[host]) from error


def _close(reply: Future[Any]) -> None:
    """Close a response that came too late."""
    if reply.exception() is None:
        reply.result().close()


def _reason(error: BaseException) -> str:
    """Say in a few words what a network error means."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {cause.verify_message}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
