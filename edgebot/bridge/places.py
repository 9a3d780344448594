"""By what names the bridge may be reached: exact lists of hosts and origins, and a link."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable

import ifaddr

from edgebot.config import BridgeSettings

_DEFAULT_PORT = {"http": 80, "https": 443}


def own_addresses() -> list[str]:
    """Return this machine's addresses, without those that only hold on one link."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not address.is_link_local:
                found.append(str(address))
    return found


def own_names() -> list[str]:
    """Return what other machines on a LAN call this one."""
    name = socket.gethostname().lower()
    return [name, f"{name.partition('.')[0]}.local"]


class Places:
    """Where the bridge is: what a `Host` and an `Origin` may say, compared as a whole.

    A web page elsewhere that has its own name point to this machine is refused by that, and so is a
    page that posts from another origin.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        port: int,
        *,
        addresses: Callable[[], Iterable[str]] = own_addresses,
        names: Callable[[], Iterable[str]] = own_names,
    ) -> None:
        """Take note of the settings.

        Args:
            settings: Name the address, further names, and the certificate.
            port: Where it listens in fact.
            addresses: Returns this machine's addresses.
            names: Returns this machine's names.
        """
        self._settings, self._port = settings, port
        self._addresses, self._names = addresses, names
        self.scheme = "https" if settings.certificate else "http"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        host = self._settings.host
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def hosts(self) -> list[str]:
        """Return every `Host` that is let in; the first is the best to show."""
        host = self._settings.host
        if self.is_local:
            named = ["localhost", "127.0.0.1", "::1", host]
        elif is_any(host):
            addresses = list(self._addresses())
            outer = [text for text in addresses if not ipaddress.ip_address(text).is_loopback]
            # A telephone knows numbers; few routers know names.
            outer.sort(key=lambda text: ipaddress.ip_address(text).version)
            named = [*outer, *self._names(), "localhost", "127.0.0.1", "::1"]
        else:
            named = [host]
        named = [*self._settings.names, *named]
        return list(dict.fromkeys(self._with_port(name.lower()) for name in named))

    def origins(self) -> list[str]:
        """Return every `Origin` that is let in."""
        return [f"{self.scheme}://{host}" for host in self.hosts()]

    def link(self, token: str) -> str:
        """Return what opens the page; a browser does not send what follows the `#`."""
        return f"{self.origins()[0]}/client#token={token}"

    def _with_port(self, name: str) -> str:
        name = f"[{name}]" if ":" in name else name
        return name if self._port == _DEFAULT_PORT[self.scheme] else f"{name}:{self._port}"


def is_any(host: str) -> bool:
    """Tell whether an address means all of this machine's."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
