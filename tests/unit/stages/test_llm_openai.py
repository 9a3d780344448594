"""The language model on a server: which model, and what is said when there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edgebot.config import Settings, load_settings
from edgebot.errors import ServerError
from edgebot.stages.llm_openai import load, notice


class FakeServer(ThreadingHTTPServer):
    """Answers `GET /v1/models` with what it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = ["big", "small"]
        self.key = ""
        self.body: bytes | None = None
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        server = self.server
        key = self.headers["Authorization"]
        server.keys.append(key)
        data = [{"id": name, "object": "model", "created": 0} for name in server.models]
        body = json.dumps({"object": "list", "data": data}).encode()
        body = body if server.body is None else server.body
        self.send_response(401 if server.key and key != f"Bearer {server.key}" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def settings_of(url: str, *flags: str) -> Settings:
    return load_settings(
        flags=["llm.engine=openai", f"llm.server_url={url}", *flags], environment={}
    )


async def refused(settings: Settings) -> str:
    with pytest.raises(ServerError) as caught:
        await load(settings, None)
    return str(caught.value)


@pytest.mark.parametrize(("model", "taken"), [("auto", "big"), ("small", "small")])
async def test_the_first_model_is_taken_or_the_one_that_is_named(
    server: FakeServer, model: str, taken: str
) -> None:
    settings = settings_of(server.url, f"llm.model={model}", "llm.max_tokens=7", "llm.top_p=0.5")
    stage = (await load(settings, None))()
    chosen = stage._settings
    assert (chosen.model, chosen.max_tokens, chosen.top_p) == (taken, 7, 0.5)
    assert chosen.system_instruction == settings.assistant.instruction
    await stage._client.close()


async def test_a_server_that_lists_nothing_takes_any_name(server: FakeServer) -> None:
    server.models = []
    stage = (await load(settings_of(server.url, "llm.model=mine"), None))()
    assert stage._settings.model == "mine"
    await stage._client.close()


async def test_a_model_that_is_not_there(server: FakeServer) -> None:
    assert await refused(settings_of(server.url, "llm.model=huge")) == (
        f"The server {server.url} has no model 'huge'; it has: big, small. "
        "Set llm.model to one of them."
    )
    server.models = []
    assert "it has: none" in await refused(settings_of(server.url))


async def test_the_key_is_sent(server: FakeServer) -> None:
    server.key = "hush"
    stage = (await load(settings_of(server.url, "llm.server_key=hush"), None))()
    assert server.keys == ["Bearer hush"]
    await stage._client.close()


async def test_a_wrong_key(server: FakeServer) -> None:
    server.key = "hush"
    message = await refused(settings_of(server.url, "llm.server_key=wrong"))
    assert message == f"The server {server.url} refuses the key in llm.server_key."


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"{", b"[]", b'{"data": 7}'])
async def test_what_is_no_such_server(server: FakeServer, body: bytes) -> None:
    server.body = body
    message = await refused(settings_of(server.url))
    assert message.startswith(f"The language model's server {server.url} does not answer as one: ")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "nonsense", "http://", ""])
async def test_no_server(url: str) -> None:
    message = await refused(settings_of(url))
    assert message.startswith(f"The language model's server {url} does not answer as one: ")
    assert message.endswith('Start it, or correct llm.server_url, or set llm.engine = "llama_cpp".')


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8080/v1", None),
        ("http://127.1.2.3/v1", None),
        ("http://localhost/v1", None),
        ("http://[::1]:8080/v1", None),
        ("http://192.168.1.7:8080/v1", "192.168.1.7"),
        ("https://api.example.com/v1", "api.example.com"),
        ("http://127.example.com/v1", "127.example.com"),
        ("http://localhost.example.com/v1", "localhost.example.com"),
    ],
)
def test_words_that_leave_the_device_are_announced(url: str, host: str | None) -> None:
    found = notice(settings_of(url))
    expected = f"What you say is sent to the language model at {host}: words leave this device."
    assert found == (expected if host else None)
