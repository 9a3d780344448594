"""The bridge's server: the page, and what begins a call, as Pipecat's own clients ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path

from aiohttp import web

from edgebot.bridge.crowd import Crowd
from edgebot.bridge.door import LONGEST_BODY_BYTES, Door, read_json, refusal
from edgebot.bridge.places import Places
from edgebot.bridge.sessions import BadOfferError, BusyError, NoEngineError, Sessions
from edgebot.bridge.tokens import Tickets
from edgebot.config import BridgeSettings
from edgebot.errors import ConfigError

PAGE = {
    "index.html": "text/html",
    "page.js": "text/javascript",
    "call.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}
MOST_CANDIDATES = 32
# Stands in the page for whom one may call.
MODES = "{modes}"


class Bridge:
    """Serves the page and begins calls; see `serve`."""

    def __init__(
        self, settings: BridgeSettings, *, places: Places, token: str, engine: Path
    ) -> None:
        """Build the server.

        Args:
            settings: Its own section.
            places: By what names it may be reached.
            token: Whoever has it may call.
            engine: The engine's socket.
        """
        self._modes = settings.modes
        self._door = Door(places, token)
        self._tickets = Tickets()
        self.sessions = Sessions(settings, engine)
        self.app = web.Application(
            client_max_size=LONGEST_BODY_BYTES, middlewares=[self._door.middleware()]
        )
        self.app.router.add_get("/", self._root)
        self.app.router.add_get("/client", self._page)
        self.app.router.add_get("/client/{name}", self._page)
        self.app.router.add_post("/start", self._start)
        self.app.router.add_post("/sessions/{ticket}/api/offer", self._offer)
        self.app.router.add_patch("/sessions/{ticket}/api/offer", self._candidates)

    async def _root(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/client")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name") or "index.html"
        if name not in PAGE:
            raise web.HTTPNotFound
        file = resources.files("edgebot.bridge").joinpath("page", name)
        text = await asyncio.to_thread(file.read_text, encoding="utf-8")
        text = text.replace(MODES, " ".join(self._modes))
        return web.Response(text=text, content_type=PAGE[name], charset="utf-8")

    async def _start(self, request: web.Request) -> web.StreamResponse:
        """Sell a ticket for one call to whoever has the token."""
        if stranger := self._door.refuse_stranger(request):
            return stranger
        # Where Pipecat's clients put what the bot is to know.
        wishes = (await read_json(request)).get("body", {})
        mode = wishes.get("mode", self._modes[0]) if isinstance(wishes, dict) else None
        if mode not in self._modes:
            raise web.HTTPBadRequest(reason=f"One may call {' or '.join(self._modes)} here.")
        return web.json_response({"sessionId": self._tickets.sell(mode)})

    async def _offer(self, request: web.Request) -> web.StreamResponse:
        """Answer an offer: the first one of a ticket begins a call."""
        ticket = request.match_info["ticket"]
        is_new = ticket not in self.sessions
        mode = self._tickets.use(ticket) if is_new else None
        if is_new and mode is None:
            return refusal(403, "This ticket is used, old or wrong: begin with /start.")
        asked = await read_json(request)
        sdp = asked.get("sdp")
        if not isinstance(sdp, str) or asked.get("type") != "offer":
            raise web.HTTPBadRequest(reason="This is no offer.")
        try:
            if mode is not None:
                return web.json_response(await self.sessions.begin(ticket, sdp, mode))
            return web.json_response(await self.sessions.change(ticket, sdp))
        except BadOfferError as error:
            return refusal(400, str(error))
        except (BusyError, NoEngineError) as error:
            return refusal(503, str(error), **{"Retry-After": "10"})

    async def _candidates(self, request: web.Request) -> web.StreamResponse:
        """Take further ways to a client that is calling."""
        ticket = request.match_info["ticket"]
        if ticket not in self.sessions:
            return refusal(403, "There is no such call.")
        candidates = (await read_json(request)).get("candidates")
        if not isinstance(candidates, list) or len(candidates) > MOST_CANDIDATES:
            raise web.HTTPBadRequest(reason="These are no candidates.")
        try:
            await self.sessions.add_candidates(ticket, candidates)
        except BadOfferError:
            raise web.HTTPBadRequest(reason="These are no candidates.") from None
        return web.json_response({"status": "success"})


@contextlib.asynccontextmanager
async def serve(
    settings: BridgeSettings, *, token: str, engine: Path, crowd: Crowd | None = None
) -> AsyncIterator[tuple[Bridge, Places]]:
    """Serve while the block lasts; yield the bridge, and where it is.

    Raises:
        ConfigError: The address or the certificate cannot be used.
    """
    secure = tls(settings)
    loop = asyncio.get_running_loop()
    inside: list[Callable[[], asyncio.Protocol]] = []
    try:
        server = await loop.create_server(
            lambda: inside[0](), settings.host, settings.port, ssl=secure, start_serving=False
        )
    except OSError as error:
        raise ConfigError(
            f"The bridge cannot listen at {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another bridge.host or bridge.port."
        ) from None
    # Only now is it known which port it is, when any will do.
    places = Places(settings, server.sockets[0].getsockname()[1])
    bridge = Bridge(settings, places=places, token=token, engine=engine)
    runner = web.AppRunner(bridge.app, access_log=None, handle_signals=False)
    await runner.setup()
    assert runner.server is not None
    inside.append((crowd or Crowd()).admit(runner.server))
    await server.start_serving()
    try:
        yield bridge, places
    finally:
        server.close()
        await bridge.sessions.close()
        await runner.cleanup()


def tls(settings: BridgeSettings) -> ssl.SSLContext | None:
    """Return what makes the bridge speak https, or None where there is no certificate.

    Raises:
        ConfigError: The certificate or its key cannot be used.
    """
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(
            Path(settings.certificate).expanduser(),
            Path(settings.certificate_key_file).expanduser()
            if settings.certificate_key_file
            else None,
        )
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "unknown"
        raise ConfigError(
            f"The certificate {settings.certificate} cannot be used: {reason}. It is a PEM file, "
            "and bridge.certificate_key_file names the PEM file of its key."
        ) from None
    return context
