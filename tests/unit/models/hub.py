"""A real https server on the loopback device that can misbehave in every way a hub can."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import re
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Page = Callable[["Request"], None]


def make_certificate() -> tuple[bytes, bytes]:
    """Return a self-made certificate for 127.0.0.1 and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


class Request(http.server.BaseHTTPRequestHandler):
    """One request; pages write the response."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.requests.append((self.path, self.headers.get("Range")))
        self.close_connection = True
        page = self.hub.pages.get(self.path)
        if page is None:
            self.send_error(404, "Not Found")
        else:
            page(self)

    @property
    def offset(self) -> int:
        """Where the client wants the file to begin."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else 0

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the tests."""


class Hub:
    """The server. `pages` maps paths to what answers them; `requests` is what was asked."""

    def __init__(self) -> None:
        certificate, key = make_certificate()
        self.certificate = certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder) / "hub.pem"
            pem.write_bytes(certificate + key)
            context.load_cert_chain(pem)
        self.client_context = ssl.create_default_context(cadata=certificate.decode())
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.release = threading.Event()
        self._server = _Server(("127.0.0.1", 0), type("Bound", (Request,), {"hub": self}))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True, name="hub"
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self._server.server_port}{path}"

    def serve(self, path: str, content: bytes) -> str:
        """Answer with a file, in parts if the client asks for one."""

        def page(request: Request) -> None:
            if begin := request.offset:
                span = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                request.head(206, len(content) - begin, Content_Range=span)
            else:
                request.head(200, len(content))
            request.wfile.write(content[begin:])

        self.pages[path] = page
        return self.url(path)

    def serve_cut(self, path: str, content: bytes, cuts: list[int]) -> str:
        """Answer as `serve`, but break off once at each of `cuts`, counted from the beginning."""
        self.serve(path, content)
        whole = self.pages[path]

        def page(request: Request) -> None:
            if not cuts:
                whole(request)
                return
            begin, end = request.offset, cuts.pop(0)
            span = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            headers = {"Content_Range": span} if begin else {}
            request.head(206 if begin else 200, len(content) - begin, **headers)
            request.wfile.write(content[begin:end])

        self.pages[path] = page
        return self.url(path)
