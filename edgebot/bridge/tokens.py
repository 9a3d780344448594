"""Who may call: a token that whoever has it may call with, and tickets for one call each."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from edgebot.errors import ConfigError

TICKET_LASTS_S = 30.0
MOST_TICKETS = 32
_BYTES = 24


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


def is_token(given: str, token: str) -> bool:
    """Compare without telling by the time it takes how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def kept_token(folder: Path, *, renew: bool = False) -> str:
    """Return the token that a folder keeps, so that a link goes on working; make it if need be.

    Args:
        folder: The service's own.
        renew: Make a new one: whoever has the old link cannot call any more.

    Raises:
        ConfigError: The token can be neither read nor written.
    """
    file = folder / "token"
    try:
        if not renew:
            with contextlib.suppress(FileNotFoundError):
                if token := file.read_text(encoding="ascii").strip():
                    return token
        token = new_token()
        fresh = folder / ".token.part"
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as new:
            new.write(token + "\n")
        fresh.replace(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"The token {file} cannot be used: {reason}.") from None
    return token


class Tickets:
    """Tickets for one call each, which are worth nothing when they are used or old."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any.

        Args:
            clock: Seconds.
        """
        self._clock = clock
        self._sold: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def sell(self, mode: str = "assistant") -> str:
        """Return a new ticket; the oldest is forgotten when there are too many.

        Args:
            mode: Whom it is worth a call to.
        """
        ticket = new_token()
        self._sold[ticket] = (self._clock() + TICKET_LASTS_S, mode)
        while len(self._sold) > MOST_TICKETS:
            self._sold.popitem(last=False)
        return ticket

    def use(self, ticket: str) -> str | None:
        """Return whom a ticket may call, None if it is not good; it is not any more."""
        until, mode = self._sold.pop(ticket, (0.0, None))
        return mode if self._clock() < until else None
