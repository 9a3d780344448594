"""What systemd keeps from a unit, and an attempt to get out from inside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Run = Callable[[Sequence[str]], str | None]

# What decides whether a unit reaches the network, and what it is told by.
NETWORK = ("PrivateNetwork", "RestrictAddressFamilies", "IPAddressDeny")
_SHOWN = (*NETWORK, "LoadState", "ActiveState", "NeedDaemonReload", "DropInPaths", "User")
_TIMEOUT_S = 30.0
# Every user may run it, wherever edgebot itself lies.
_PYTHON = Path("/usr/bin/python3")
# Addresses that belong to nobody: they are kept for documentation (RFC 5737, RFC 3849).
ATTEMPT = """
import json, socket, sys
told = []
for name, family, address in (
    ("IPv4", socket.AF_INET, "192.0.2.1"), ("IPv6", socket.AF_INET6, "2001:db8::1")
):
    for kind, number in (("TCP", socket.SOCK_STREAM), ("UDP", socket.SOCK_DGRAM)):
        step, why = "socket", None
        try:
            with socket.socket(family, number) as made:
                step = "connection"
                if "only sockets" in sys.argv:
                    continue
                made.settimeout(2.0)
                made.connect((address, 9))
                made.send(b"edgebot")
        except OSError as error:
            why = error.strerror or str(error)
        finally:
            told.append([f"{name} {kind}", step, why])
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Attempt:
    """What came of asking for one kind of connection.

    Attributes:
        kind: Such as "IPv4 TCP".
        step: What was refused: the "socket" itself or the "connection".
        why: The system's word for it; None is not refused.
    """

    kind: str
    step: str
    why: str | None


def run(command: Sequence[str]) -> str | None:
    """Return what a program of systemd prints, or None where it fails or there is none."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def properties(unit: str, *, of_user: bool, run: Run = run) -> dict[str, str] | None:
    """Return what systemd says of a unit, or None where there is no such unit."""
    said = run(("systemctl", *_manager(of_user), "show", f"--property={','.join(_SHOWN)}", unit))
    if said is None:
        return None
    shown = dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)
    return shown if shown.get("LoadState") == "loaded" else None


def attempt(
    unit: str, shown: Mapping[str, str], *, of_user: bool, run: Run = run
) -> list[Attempt] | None:
    """Ask for sockets and connections from within a unit's sandbox.

    A program of its own is held by the same limits, in the very network of the unit that runs.

    Args:
        unit: Its name.
        shown: From `properties`.
        of_user: Whether it is a user's own.
        run: Starts a program.

    Returns:
        What came of each, or None where it could not be tried.
    """
    limits = [f"--property={name}={shown[name]}" for name in NETWORK if shown.get(name)]
    if shown.get("PrivateNetwork") == "yes":
        limits.append(f"--property=JoinsNamespaceOf={unit}")
    if user := shown.get("User"):
        limits.append(f"--property=User={user}")
    said = run(
        (
            *("systemd-run", *_manager(of_user), "--quiet", "--wait", "--pipe", "--collect"),
            *("--property=NoNewPrivileges=yes", *limits),
            *(_python(), "-I", "-c", ATTEMPT),
        )
    )
    return read_attempts(said)


def sockets_outside(run: Run = run) -> int:
    """Return how many of the same sockets are given without a sandbox; nothing is sent.

    It shows that the attempt is a real one.
    """
    told = read_attempts(run((_python(), "-I", "-c", ATTEMPT, "only sockets")))
    return sum(one.why is None for one in told or ())


def read_attempts(said: str | None) -> list[Attempt] | None:
    """Read what the attempt has printed."""
    try:
        told: list[Any] = json.loads(said or "")
        return [Attempt(*one) for one in told]
    except (ValueError, TypeError):
        return None


def _python() -> str:
    return str(_PYTHON) if _PYTHON.exists() else sys.executable


def _manager(of_user: bool) -> tuple[str, ...]:
    return ("--user",) if of_user else ()
