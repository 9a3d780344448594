"""The edgebot processes that run on this machine, and who started them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgebot.doctor.tree import read_text

# The verbs that listen in a room, and the one that has the network.
LISTENING = ("run", "serve")
BRIDGE = "bridge"
UNIT = "edgebot.service"
BRIDGE_UNIT = "edgebot-bridge.service"


@dataclass(frozen=True)
class Running:
    """One process.

    Attributes:
        pid: Its number.
        verb: What it was started for: "run", "serve" or "bridge".
        unit: The unit of systemd that holds it; "" is none of ours.
        is_of_user: Whether that is a user's own systemd.
    """

    pid: int
    verb: str
    unit: str = ""
    is_of_user: bool = False

    def __str__(self) -> str:
        by = f"by {self.unit}" if self.unit else "by hand"
        return f"`edgebot {self.verb}`, process {self.pid}, was started {by}"


def running(root: Path) -> list[Running]:
    """Return the edgebot processes that listen or answer calls, as far as they can be seen."""
    found = []
    for folder in sorted((root / "proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        verb = _verb(read_text(folder / "cmdline") or "")
        if verb:
            groups = (read_text(folder / "cgroup") or "").split("/")
            unit = next((name for name in groups if name in (UNIT, BRIDGE_UNIT)), "")
            is_of_user = any(name.startswith("user@") for name in groups)
            found.append(Running(int(folder.name), verb, unit, is_of_user and bool(unit)))
    return found


def _verb(command_line: str) -> str:
    """Return what an edgebot was started for, or "" where it is another program."""
    words = command_line.split("\0")
    # Python, the way to edgebot or -m edgebot, options with their values, the verb.
    program = [n for n, word in enumerate(words[:4]) if Path(word).name == "edgebot"]
    if not program or "python" not in Path(words[0]).name:
        return ""
    options_with_value = ("--config", "--set")
    rest = iter(words[program[0] + 1 :])
    for word in rest:
        if word in options_with_value:
            next(rest, None)
        elif not word.startswith("-"):
            return word if word in (*LISTENING, BRIDGE) else ""
    return ""


def family(root: Path, pid: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [pid]
    for thread in sorted((root / f"proc/{pid}/task").glob("[0-9]*")):
        for child in (read_text(thread / "children") or "").split():
            found += family(root, int(child))
    return found
