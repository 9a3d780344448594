"""The language model on a server that speaks OpenAI's protocol, for homes with a bigger machine.

llama.cpp's server, vLLM and others speak it. Words then leave this device, and edgebot says so.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

import openai
from pipecat.services.openai.llm import OpenAILLMService

from edgebot.config import Settings
from edgebot.errors import ServerError
from edgebot.models.installed import InstalledModel

# The server loads its own model.
NEEDS_MODEL = False
_PROBE_TIMEOUT_S = 5.0


def notice(settings: Settings) -> str | None:
    """Return where words go, as a sentence, or None when the server is this machine."""
    host = urlsplit(settings.llm.server_url).hostname or ""
    if host == "localhost" or is_loopback(host):
        return None
    return f"What you say is sent to the language model at {host}: words leave this device."


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's own address; a name never is."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def load(settings: Settings, model: InstalledModel | None) -> Callable[[], OpenAILLMService]:
    """Ask the server for its models and return what makes a stage of it.

    Raises:
        ServerError: The server does not answer, refuses the key, or has no such model.
    """
    chosen = settings.llm
    names = await server_models(chosen.server_url, chosen.server_key or "none")
    name = chosen.model if chosen.model != "auto" else next(iter(names), None)
    if name is None or (names and name not in names):
        raise ServerError(
            f"The server {chosen.server_url} has no model {name!r}; it has: "
            f"{', '.join(names) or 'none'}. Set llm.model to one of them."
        )
    return lambda: OpenAILLMService(
        api_key=chosen.server_key or "none",
        base_url=chosen.server_url,
        settings=OpenAILLMService.Settings(
            model=name,
            system_instruction=settings.assistant.instruction,
            temperature=chosen.temperature,
            top_p=chosen.top_p,
            max_tokens=chosen.max_tokens,
        ),
    )


async def server_models(url: str, key: str) -> list[str]:
    """Return the names of a server's models.

    Raises:
        ServerError: The server does not answer, or refuses the key.
    """
    try:
        async with openai.AsyncOpenAI(
            base_url=url, api_key=key, timeout=_PROBE_TIMEOUT_S, max_retries=0
        ) as client:
            return [model.id async for model in client.models.list()]
    except openai.AuthenticationError:
        raise ServerError(f"The server {url} refuses the key in llm.server_key.") from None
    # The client trusts that a list is a list.
    except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
        raise ServerError(
            f"The language model's server {url} does not answer as one: {error} "
            'Start it, or correct llm.server_url, or set llm.engine = "llama_cpp".'
        ) from None
