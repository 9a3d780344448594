"""The status that `edgebot status` shows: what it holds, and the file that carries it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgebot.errors import NotRunningError
from edgebot.service.files import write_whole
from edgebot.state import AssistantState, Fault

FORMAT = 1
MACHINE_FOLDER = Path("/run/edgebot")
LAST_TURNS = 5
_NAME = "status.json"
# What is said of a fault whose own sentence nobody has told.
SENTENCES = {
    Fault.ENGINE: "An engine does not work; `edgebot logs` tells why.",
    Fault.MODEL: "A model is missing or damaged; `edgebot models verify` tells which.",
    Fault.MICROPHONE: "The microphone is missing or does not answer; see `edgebot devices`.",
    Fault.SPEAKER: "The speaker is missing or does not answer; see `edgebot devices`.",
    Fault.SETTINGS: "A settings file is broken; `edgebot config check` tells where.",
}


@dataclass(frozen=True)
class Status:
    """All of it; no word that was spoken is in it.

    Attributes:
        version: Of edgebot.
        pid: The process.
        state: What the assistant is doing.
        started_at, ready_at, written_at: Seconds since 1970; `ready_at` is None until it is.
        faults: What is wrong, each with one sentence: what it is and what to do.
        turns: How many there were.
        last_turns: Seconds from the end of a question to each stage's first result, the newest
            last.
        model_set: The set in force.
        models: The model of each role.
        memory_mb, memory_limit_mb: What it keeps, and from when on it is renewed.
        temperature_c: Of the processor; None is unknown.
        throttled: What slows the machine down.
        loop_lag_s: The longest that the event loop was late of late.
        next_action: What a person can do next.
    """

    version: str
    pid: int
    state: AssistantState
    started_at: float
    written_at: float
    ready_at: float | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    turns: int = 0
    last_turns: tuple[Mapping[str, float], ...] = ()
    model_set: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 0
    memory_limit_mb: int = 0
    temperature_c: float | None = None
    throttled: tuple[str, ...] = ()
    loop_lag_s: float = 0.0
    next_action: str = ""
    format: int = FORMAT


def status_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the status lies: a folder in memory, so that no card wears out.

    The machine's service comes before a user's own.
    """
    if folder := environment.get("RUNTIME_DIRECTORY"):
        return Path(folder) / _NAME
    own = environment.get("XDG_RUNTIME_DIR")
    if own and not MACHINE_FOLDER.is_dir():
        return Path(own) / "edgebot" / _NAME
    return MACHINE_FOLDER / _NAME


def write_status(path: Path, status: Status) -> None:
    """Write it in one piece, for everybody on this machine to read."""
    write_whole(path, json.dumps(asdict(status), indent=1) + "\n")


def read_status(path: Path) -> Status:
    """Return the status of the running service.

    Raises:
        NotRunningError: There is none, or its process is gone.
    """
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        status = Status(
            **{**held, "state": AssistantState(held["state"])},
        )
    except (OSError, ValueError, TypeError, KeyError):
        raise _not_running() from None
    if not Path(f"/proc/{status.pid}").exists():
        raise _not_running()
    return status


def _not_running() -> NotRunningError:
    return NotRunningError(
        "edgebot does not run as a service here; `sudo systemctl start edgebot` starts it, "
        "`edgebot logs` tells what happened last."
    )


def next_action(state: AssistantState, faults: Mapping[str, str], wake: str) -> str:
    """Return what a person can do next.

    Args:
        state: What it is doing.
        faults: Each with its sentence.
        wake: How it is woken, for a person.
    """
    if state is AssistantState.MUTED:
        return "It hears nothing until the microphone is opened again with the mute button."
    for text in faults.values():
        return text
    return {
        AssistantState.STARTING: "Wait: it loads its models.",
        AssistantState.ASLEEP: f"{wake[:1].upper()}{wake[1:]} to wake it.",
        AssistantState.LISTENING: "Speak.",
        AssistantState.RINGING: "Tap the talk button to take the call, or hold it to refuse.",
        AssistantState.CALL: "Press the talk button to hang up.",
    }.get(state, "Wait for the answer, or speak to interrupt it.")
