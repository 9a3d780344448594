"""The sockets that a process holds, as the kernel tells of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from edgebot.doctor.tree import read_text

# Whoever has a table of its own under /proc/PID/net, with the place of the socket's number in it.
_IP_TABLES = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6")
_IP_INODE, _UNIX_INODE = 9, 6
# What the kernel calls the protocol of a socket that stays on this machine.
_LOCAL = ("UNIX", "UNIX-STREAM")
_PROTOCOL = "system.sockprotoname"

Protocol = Callable[[Path], str]


@dataclass(frozen=True)
class Socket:
    """One socket of a process.

    Attributes:
        protocol: As the kernel calls it, such as "UNIX" or "TCP"; "" is unknown.
        place: A local socket's path, or an IP socket's two addresses; "" is none.
        reach: How far it reaches: this machine's programs; this machine by its network; further.
    """

    protocol: str
    place: str = ""
    reach: str = "local"


def protocol_of(descriptor: Path) -> str:
    """Return what the kernel calls the protocol of a process's open socket, or ""."""
    try:
        return os.getxattr(descriptor, _PROTOCOL).rstrip(b"\0").decode("ascii")
    except OSError:
        return ""


def sockets_of(root: Path, pid: int, protocol: Protocol = protocol_of) -> list[Socket]:
    """Return the sockets that a process holds.

    Args:
        root: The tree's root.
        pid: The process.
        protocol: Tells the protocol of an open socket.

    Raises:
        PermissionError: This user may not look at that process.
        FileNotFoundError: There is no such process.
    """
    folder = root / f"proc/{pid}"
    places = dict(_places(folder / "net"))
    # A socket may have been made in another network than the one that the process has now.
    others = {**dict(_places(root / "proc/self/net")), **dict(_places(root / "proc/1/net"))}
    found = []
    for descriptor in sorted((folder / "fd").iterdir(), key=lambda path: int(path.name)):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inode = target[len("socket:[") : -1]
                found.append(_socket(protocol(descriptor), places.get(inode, others.get(inode))))
    return found


def _socket(protocol: str, place: Socket | None) -> Socket:
    if place is not None:
        return Socket(protocol or place.protocol, place.place, place.reach)
    return Socket(protocol, "", "local" if protocol in _LOCAL else "unknown")


def _places(net: Path) -> Iterator[tuple[str, Socket]]:
    """Yield each socket's number and what a network's tables tell of it."""
    for columns in _rows(net / "unix"):
        if len(columns) > _UNIX_INODE:
            yield columns[_UNIX_INODE], Socket("UNIX", "".join(columns[_UNIX_INODE + 1 :]))
    for table in _IP_TABLES:
        for columns in _rows(net / table):
            if len(columns) > _IP_INODE:
                yield columns[_IP_INODE], _ip_socket(table, columns[1], columns[2])


def _rows(table: Path) -> Iterator[list[str]]:
    for line in (read_text(table) or "").splitlines()[1:]:
        yield line.split()


def _ip_socket(table: str, local: str, remote: str) -> Socket:
    here, there = _address(local), _address(remote)
    # A socket that waits for everybody can be reached from everywhere.
    is_inside = all(ip.is_loopback or ip.is_unspecified for ip, _ in (here, there)) and (
        here[0].is_loopback
    )
    text = f"{_shown(here)} to {_shown(there)}" if there[1] else f"{_shown(here)}, waiting"
    return Socket(table.upper(), text, "machine" if is_inside else "network")


def _address(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Read an address as the kernel writes it: words of four bytes in the machine's own order."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8)]
    return ip_address(b"".join(words)), int(port, 16)


def _shown(address: tuple[IPv4Address | IPv6Address, int]) -> str:
    ip, port = address
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


@dataclass(frozen=True)
class Interface:
    """One network interface, and what has passed through it.

    Attributes:
        name: "lo" is the machine itself.
        received_bytes, sent_bytes: Since it was made.
    """

    name: str
    received_bytes: int
    sent_bytes: int


def interfaces_of(root: Path, pid: int | str) -> list[Interface] | None:
    """Return the network interfaces that a process can see, or None where that is not told."""
    text = read_text(root / f"proc/{pid}/net/dev")
    if text is None:
        return None
    found = []
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        columns = numbers.split()
        found.append(Interface(name.strip(), int(columns[0]), int(columns[8])))
    return found
