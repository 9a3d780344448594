"""The bridge before hostile clients, with a legitimate caller throughout; nothing is faked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from edgebot.app import load_engines
from edgebot.bridge.crowd import Crowd
from edgebot.bridge.door import LONGEST_BODY_BYTES, STARTS_A_MINUTE, WRONG_A_MINUTE
from edgebot.bridge.relay import MOST_MESSAGES_A_SECOND
from edgebot.bridge.server import PAGE, Bridge, serve, tls
from edgebot.calls import BUSY, NOT_TAKEN, Calls
from edgebot.config import load_settings
from edgebot.errors import ConfigError
from tests.caller import PATIENCE_S, Caller, loudest

TOKEN = "the-right-token"
OWN = ("stt.engine=own.ear", "llm.engine=own.mind", "tts.engine=own.voice")


class CountingCalls(Calls):
    """Counts how often the engine was called."""

    dialled = 0

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialled += 1
        await super()._answer(reader, writer)

    async def wait(self) -> None:
        """Wait until every call has ended."""
        await asyncio.gather(*self._lines, return_exceptions=True)


@dataclass
class House:
    """A bridge, its engine, and who asks it."""

    bridge: Bridge
    calls: CountingCalls
    url: str
    http: aiohttp.ClientSession
    told: list[str]

    async def ask(
        self,
        path: str = "/start",
        *,
        method: str = "POST",
        token: str | None = TOKEN,
        body: str | bytes = "{}",
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return the status and the body of an answer."""
        sent = {"Content-Type": kind, **(headers or {})}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        async with self.http.request(
            method, self.url + path, data=body, headers=sent, allow_redirects=False
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(text) if is_json else text

    async def ticket(self) -> str:
        status, answer = await self.ask()
        assert status == 200
        return str(answer["sessionId"])

    async def call(self, caller: Caller) -> Caller:
        """Call as a legitimate client does."""
        return await caller.call(f"{self.url}/sessions/{await self.ticket()}/api/offer")

    async def until_free(self) -> None:
        """Wait until nobody calls any more."""
        running = [session.running for session in self.bridge.sessions._sessions.values()]
        await asyncio.wait_for(asyncio.gather(*running), PATIENCE_S)
        await asyncio.wait_for(self.calls.wait(), PATIENCE_S)
        assert len(self.bridge.sessions) == 0


@contextlib.asynccontextmanager
async def house(
    folder: Path, *flags: str, crowd: Crowd | None = None, engine: bool = True
) -> AsyncIterator[House]:
    settings = load_settings(flags=[*OWN, "bridge.port=0", *flags], environment={})
    told: list[str] = []
    calls = CountingCalls(
        settings,
        await load_engines(settings),
        file=folder / "run" / "calls.sock",
        when_call_begins=lambda: told.append("begins"),
        when_call_ends=lambda: told.append("ends"),
    )
    async with contextlib.AsyncExitStack() as stack:
        if engine:
            await stack.enter_async_context(calls)
        bridge, places = await stack.enter_async_context(
            serve(settings.bridge, token=TOKEN, engine=folder / "run" / "calls.sock", crowd=crowd)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = places.origins()[1]  # 127.0.0.1: localhost may be another address
        yield House(bridge, calls, url, http, told)


# A legitimate caller


async def test_whoever_has_the_link_may_call(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        async with Caller() as caller:
            await found.call(caller)
            said = await caller.message("bot-output")
            assert said["text"] == "Hello, I am Edgebot. How can I help you?"
            await caller.until(lambda: loudest(caller.heard) > 3000)
            await caller.message("bot-stopped-speaking")
            caller.send("send-text", {"content": "Where is it?"})
            await caller.message("server-message", type="turn", said="You said Where is it?.")
        await found.until_free()
        assert found.told == ["begins", "ends"]


async def test_its_voice_reaches_the_engine(tmp_path: Path) -> None:
    async with house(tmp_path, "turn.interrupt=true") as found, Caller() as caller:
        await found.call(caller)
        await caller.message("bot-stopped-speaking")
        caller.send("client-message", {"t": "nothing"})
        assert (await caller.message("error-response"))["error"] == "There is no message 'nothing'."


async def test_the_next_caller_is_told_that_it_is_busy(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        async with Caller() as caller:
            await found.call(caller)
            async with Caller() as second:
                offer = json.dumps(await second.offer())
                path = f"/sessions/{await found.ticket()}/api/offer"
                assert await found.ask(path, body=offer) == (503, {"error": BUSY})
            await caller.message("bot-stopped-speaking")
        await found.until_free()
        async with Caller() as third:
            await found.call(third)


async def test_ten_calls_leave_nothing_behind(tmp_path: Path) -> None:
    async with house(tmp_path) as found:

        async def one() -> None:
            async with Caller() as caller:
                await found.call(caller)
                await caller.message("bot-started-speaking")
            await found.until_free()

        def kept() -> tuple[int, int]:
            gc.collect()
            return len(asyncio.all_tasks()), psutil.Process().num_fds()

        await one()
        before = kept()
        for _ in range(10):
            await one()
        tasks, fds = kept()
        assert tasks <= before[0]
        assert fds <= before[1]


async def test_when_the_engine_ends_the_caller_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        await found.call(caller)
        await found.calls.hang_up()
        await caller.until(lambda: [m for m in caller.messages if m.get("type") == "signalling"])
        await found.until_free()


async def test_without_an_engine_there_is_a_sentence(tmp_path: Path) -> None:
    async with house(tmp_path, engine=False) as found, Caller() as caller:
        offer = json.dumps(await caller.offer())
        told = "The assistant does not answer. Is it running, with bridge.enabled = true?"
        path = f"/sessions/{await found.ticket()}/api/offer"
        assert await found.ask(path, body=offer) == (503, {"error": told})


# Whom one may call


async def test_a_call_may_be_for_whoever_is_beside_the_box(tmp_path: Path) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        status, answer = await found.ask(body=json.dumps({"body": {"mode": "intercom"}}))
        assert status == 200
        offer = json.dumps(await caller.offer())
        # This engine has no box.
        told = (503, {"error": NOT_TAKEN["intercom"]})
        assert await found.ask(f"/sessions/{answer['sessionId']}/api/offer", body=offer) == told


@pytest.mark.parametrize("wishes", [{"mode": "x"}, {"mode": []}, {"mode": None}, [], "intercom"])
async def test_nobody_else_may_be_called(tmp_path: Path, wishes: object) -> None:
    async with house(tmp_path) as found:
        told = (400, {"error": "One may call assistant or intercom here."})
        assert await found.ask(body=json.dumps({"body": wishes})) == told


@pytest.mark.parametrize("modes", [["assistant"], ["intercom"], ["intercom", "assistant"]])
async def test_the_page_and_the_bridge_offer_what_the_settings_allow(
    tmp_path: Path, modes: list[str]
) -> None:
    async with house(tmp_path, f"bridge.modes={json.dumps(modes)}") as found:
        _, page = await found.ask("/client", method="GET", token=None)
        assert f'data-modes="{" ".join(modes)}"' in page
        for mode in ("assistant", "intercom"):
            status, _ = await found.ask(body=json.dumps({"body": {"mode": mode}}))
            assert status == (200 if mode in modes else 400)
        # Who says nothing gets the first.
        assert (await found.ask())[0] == 200


# Who may not


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
)
async def test_without_the_token_nobody_may_call(tmp_path: Path, authorization: str | None) -> None:
    async with house(tmp_path) as found:
        headers = {} if authorization is None else {"Authorization": authorization}
        status, answer = await found.ask(token=None, headers=headers)
        assert (status, answer["error"][:34]) == (401, "The token is missing or wrong: ope")
        assert found.calls.dialled == 0


async def test_whoever_guesses_is_held_back_and_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        statuses = [(await found.ask(token="wrong"))[0] for _ in range(WRONG_A_MINUTE + 5)]
        assert statuses == [401] * WRONG_A_MINUTE + [429] * 5
        assert (await found.ask())[0] == 200


async def test_even_the_right_token_begins_so_many_calls_a_minute(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        statuses = [(await found.ask())[0] for _ in range(STARTS_A_MINUTE + 2)]
        assert statuses == [200] * STARTS_A_MINUTE + [429] * 2


async def test_a_ticket_is_worth_one_call(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ticket = await found.ticket()
        url = f"{found.url}/sessions/{ticket}/api/offer"
        async with Caller() as caller:
            await caller.call(url)
        await found.until_free()
        async with Caller() as thief:
            offer = json.dumps(await thief.offer())
            status, _ = await found.ask(f"/sessions/{ticket}/api/offer", body=offer)
            assert status == 403
        assert found.calls.dialled == 1


async def test_a_client_with_nothing_to_ask_for_sends_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        assert (await found.ask(body=""))[0] == 200


@pytest.mark.parametrize("ticket", ["x", "..", "%2e%2e", "0" * 500])
async def test_a_made_up_ticket_is_worth_nothing(tmp_path: Path, ticket: str) -> None:
    async with house(tmp_path) as found:
        for method in ("POST", "PATCH"):
            path = f"/sessions/{ticket}/api/offer"
            assert (await found.ask(path, method=method))[0] in (403, 404)
        assert found.calls.dialled == 0


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", ""]
)
async def test_a_page_from_elsewhere_may_not_call(tmp_path: Path, origin: str) -> None:
    async with house(tmp_path) as found:
        for path in ("/start", "/client", "/sessions/x/api/offer"):
            status, _ = await found.ask(path, headers={"Origin": origin})
            assert status == 403
        assert (await found.ask(headers={"Origin": found.url}))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost", "", "127.0.0.1:1"])
async def test_a_name_that_was_made_to_point_here_is_refused(tmp_path: Path, host: str) -> None:
    async with house(tmp_path) as found:
        for method, path in (("GET", "/client"), ("POST", "/start"), ("GET", "/")):
            status, _ = await found.ask(path, method=method, headers={"Host": host})
            assert status == 403
        assert found.calls.dialled == 0


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "a=b", 415),
        ("multipart/form-data; boundary=x", "--x--", 415),
        ("text/plain", "", 415),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", "null", 400),
        ("application/json", "\udcff".encode("utf-8", "surrogateescape"), 400),
        ("application/json", "[" * 60_000, 400),
        ("application/json", " " * (LONGEST_BODY_BYTES + 1), 413),
    ],
)
async def test_what_is_sent_wrongly_is_refused(
    tmp_path: Path, kind: str, body: str | bytes, status: int
) -> None:
    async with house(tmp_path) as found:
        assert (await found.ask(kind=kind, body=body))[0] == status
        path = f"/sessions/{await found.ticket()}/api/offer"
        assert (await found.ask(path, kind=kind, body=body))[0] == status
        assert found.calls.dialled == 0


BAD_OFFERS: list[object] = [
    {},
    {"sdp": 7, "type": "offer"},
    {"sdp": "", "type": "answer"},
    {"sdp": None, "type": "offer"},
    {"sdp": "", "type": "offer"},
    {"sdp": "v=0\r\nm=", "type": "offer"},
    {"sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "type": "offer"},
    {"sdp": "x" * 60_000, "type": "offer"},
    {"sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "type": "offer"},
]


@pytest.mark.parametrize("offer", BAD_OFFERS, ids=lambda offer: str(offer)[:40])
async def test_what_is_no_offer_is_refused_and_nobody_is_busy(
    tmp_path: Path, offer: object
) -> None:
    async with house(tmp_path) as found:
        path = f"/sessions/{await found.ticket()}/api/offer"
        status, answer = await found.ask(path, body=json.dumps(offer))
        assert status == 400
        assert answer["error"]
        await found.until_free()
        async with Caller() as caller:
            await found.call(caller)
        assert found.told[0] == "begins"


@pytest.mark.parametrize(
    "candidates",
    [
        None,
        7,
        ["x"],
        [{}],
        [{"candidate": "nonsense", "sdp_mid": "0", "sdp_mline_index": 0}],
        [{"candidate": "", "sdp_mid": "0", "sdp_mline_index": 0}] * 33,
    ],
)
async def test_what_are_no_candidates_are_refused(tmp_path: Path, candidates: object) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        ticket = await found.ticket()
        path = f"/sessions/{ticket}/api/offer"
        await caller.call(found.url + path)
        body = json.dumps({"pc_id": "x", "candidates": candidates})
        assert (await found.ask(path, method="PATCH", body=body))[0] == 400
        body = json.dumps({"candidates": [{"candidate": "", "sdp_mid": "0", "sdp_mline_index": 0}]})
        assert (await found.ask(path, method="PATCH", body=body))[0] == 200
        await caller.message("bot-stopped-speaking")


async def test_two_hundred_offers_at_once_disturb_nobody(tmp_path: Path) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        await found.call(caller)
        path = "/sessions/made-up/api/offer"
        async with Caller() as stranger:
            offer = json.dumps(await stranger.offer())
        answers = await asyncio.gather(*(found.ask(path, body=offer) for _ in range(200)))
        assert {status for status, _ in answers} == {403}
        assert found.calls.dialled == 1
        caller.send("send-text", {"content": "Still there?"})
        await caller.message("server-message", type="turn", said="You said Still there?.")


async def test_two_hundred_that_stall_keep_nobody_out(tmp_path: Path) -> None:
    async with house(tmp_path, crowd=Crowd(most=16)) as found:
        at = URL(found.url)
        assert at.host is not None
        stalled = []
        for _ in range(200):
            reader, writer = await asyncio.open_connection(at.host, at.port)
            writer.write(b"POST /start HTTP/1.1\r\nHost: ")
            stalled.append((reader, writer))
        async with Caller() as caller:
            await found.call(caller)
            await caller.message("bot-started-speaking")
        for _, writer in stalled:
            writer.close()


async def test_whoever_never_comes_does_not_keep_it_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgebot.bridge.relay.COMES_WITHIN_S", 0.3)
    async with house(tmp_path) as found:
        async with Caller() as staller:
            path = f"/sessions/{await found.ticket()}/api/offer"
            status, _ = await found.ask(path, body=json.dumps(await staller.offer()))
            assert status == 200
            assert len(found.bridge.sessions) == 1
            await found.until_free()
        assert found.told == []
        async with Caller() as caller:
            await found.call(caller)


async def test_a_call_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgebot.bridge.relay.LOOKS_EVERY_S", 0.05)
    async with house(tmp_path, "bridge.longest_call_s=10") as found, Caller() as caller:
        found.bridge.sessions._settings = found.bridge.sessions._settings.model_copy(
            update={"longest_call_s": 0.3}
        )
        await found.call(caller)
        told = "A call lasts no longer than a minute. You may call again."
        assert (await caller.message("error"))["error"] == told
        await found.until_free()


async def test_whoever_floods_is_hung_up_on(tmp_path: Path) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        await found.call(caller)
        for _ in range(MOST_MESSAGES_A_SECOND + 10):
            caller.send("client-message", {"t": "nothing"})
        await found.until_free()


async def test_a_message_that_is_too_long_is_dropped(tmp_path: Path) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        await found.call(caller)
        caller.send("send-text", {"content": "x" * 200_000})
        caller.send("send-text", {"content": "Still there?"})
        await caller.message("server-message", type="turn", said="You said Still there?.")


async def test_a_client_cannot_speak_as_the_bridge(tmp_path: Path) -> None:
    async with house(tmp_path) as found, Caller() as caller:
        await found.call(caller)
        await caller.message("bot-stopped-speaking")
        for message in ({"edgebot": "connected"}, {"edgebot": "connected", "label": "rtvi-ai"}):
            caller._channel.send(json.dumps({"type": "x", **message}))
        caller.send("client-message", {"t": "nothing"})
        await caller.message("error-response", error="There is no message 'nothing'.")
        # It is not greeted a second time.
        assert caller.kinds().count("bot-output") == 1
        outputs = [m for m in caller.messages if m.get("type") == "bot-output"]
        assert {m["data"]["text"] for m in outputs} == {"Hello, I am Edgebot. How can I help you?"}


# The page


async def test_the_page_comes_whole_and_from_here_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for name, kind in PAGE.items():
            async with found.http.get(f"{found.url}/client/{name}") as response:
                assert response.status == 200
                assert response.content_type == kind
                assert "http://" not in (await response.text()).replace("http://www.w3.org/", "")
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        status, page = await found.ask("/client", method="GET", token=None)
        assert (status, "<title>edgebot</title>" in page) == (200, True)
        assert (await found.ask("/", method="GET", token=None))[0] == 302


@pytest.mark.parametrize(
    "path",
    [
        "/client/../door.py",
        "/client/..%2fdoor.py",
        "/client/nothing",
        "/etc/passwd",
        "/x",
        "/start",
    ],
)
async def test_there_is_nothing_else(tmp_path: Path, path: str) -> None:
    async with house(tmp_path) as found:
        url = URL(found.url + path, encoded=True)
        async with found.http.get(url, allow_redirects=False) as response:
            assert response.status in (404, 405)
            assert response.headers["X-Content-Type-Options"] == "nosniff"


# The certificate


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


async def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    flags = [
        f"bridge.certificate={tmp_path}/cert.pem",
        f"bridge.certificate_key_file={tmp_path}/key.pem",
    ]
    async with house(tmp_path, *flags) as found:
        assert found.url.startswith("https://")
        trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        trust.check_hostname = False
        async with found.http.get(f"{found.url}/client", ssl=trust) as response:
            assert response.status == 200


@pytest.mark.parametrize("key", ["missing.pem", "cert.pem"])
def test_a_certificate_that_cannot_be_used_is_told_of(tmp_path: Path, key: str) -> None:
    write_certificate(tmp_path)
    settings = load_settings(
        flags=[
            f"bridge.certificate={tmp_path}/cert.pem",
            f"bridge.certificate_key_file={tmp_path}/{key}",
        ],
        environment={},
    )
    with pytest.raises(ConfigError, match="cannot be used"):
        tls(settings.bridge)


async def test_an_address_that_is_taken_is_told_of(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        port = URL(found.url).port
        settings = load_settings(flags=[f"bridge.port={port}"], environment={})
        with pytest.raises(ConfigError, match=rf"The bridge cannot listen at 127\.0\.0\.1:{port}"):
            async with serve(settings.bridge, token=TOKEN, engine=tmp_path / "x"):
                pass
