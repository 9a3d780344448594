"""Who is let in: host, origin, kind and size of what is sent, token; each refused by its status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from edgebot.bridge.crowd import Rate
from edgebot.bridge.places import Places
from edgebot.bridge.tokens import is_token

LONGEST_BODY_BYTES = 64 * 1024
BODY_WITHIN_S = 5.0
# Wrong tokens: beyond this rate they are not looked at any more. A right one always is.
WRONG_A_MINUTE = 30
STARTS_A_MINUTE = 60

# Nothing is loaded from, sent to or shown within any other place than this server.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(status: int, text: str, **headers: str) -> web.Response:
    """Return a refusal in words."""
    return web.json_response({"error": text}, status=status, headers=headers)


class Door:
    """The checks that every request passes before anything is done for it."""

    def __init__(self, places: Places, token: str) -> None:
        """Take note of what is right.

        Args:
            places: What hosts and origins are.
            token: Whoever has it may call.
        """
        self._places, self._token = places, token
        self._wrong = Rate(WRONG_A_MINUTE, 60.0)
        self._starts = Rate(STARTS_A_MINUTE, 60.0)

    def middleware(self) -> Any:
        """Return what aiohttp passes every request through."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = self.refuse(request)
            if response is None:
                try:
                    response = await handler(request)
                except web.HTTPException as error:
                    response = refusal(error.status, error.reason)
                    if isinstance(error, web.HTTPRedirection):
                        response.headers["Location"] = error.headers["Location"]
            response.headers.update(HEADERS)
            return response

        return guard

    def refuse(self, request: web.Request) -> web.StreamResponse | None:
        """Return a refusal where a request comes by a wrong name or from a wrong place."""
        host = request.headers.get("Host", "").lower()
        if host not in self._places.hosts():
            return refusal(
                403,
                f"This bridge is not called {host[:100]!r}: use the link that it shows, "
                "or add the name to bridge.names.",
            )
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in self._places.origins():
            return refusal(403, "A page from elsewhere may not call.")
        return None

    def refuse_stranger(self, request: web.Request) -> web.Response | None:
        """Return a refusal where the token is missing or wrong, or where it is used too often."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and is_token(given.strip(), self._token):
            if self._starts.takes():
                return None
            return refusal(429, "Too many calls: wait a minute.", **{"Retry-After": "60"})
        if not self._wrong.takes():
            return refusal(429, "Too many wrong tokens: wait a minute.", **{"Retry-After": "60"})
        return refusal(
            401,
            "The token is missing or wrong: open the link that `edgebot bridge` shows.",
            **{"WWW-Authenticate": "Bearer"},
        )


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the object that a request holds.

    Raises:
        HTTPException: It is too long, too slow, of another kind, or no object.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="Only application/json is taken.")
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason="The request came too slowly.") from None
    try:
        # A client with nothing to ask for sends nothing.
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(reason="This is no JSON.") from None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(reason="This is no JSON object.")
    return found
