"""status, logs, report, rollback, serve and config check."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgebot import config
from edgebot.cli import serve, service
from edgebot.cli.status import rows
from edgebot.service.status import Status, write_status
from edgebot.state import AssistantState, Facts

from .conftest import Command


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Status:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    now = time.time()
    made = Status(
        version="1.2.3",
        pid=os.getpid(),
        state=AssistantState.FAULT,
        started_at=now - 3700,
        ready_at=now - 3696.5,
        written_at=now,
        faults={"speaker": "Plug a [b] in."},
        turns=7,
        last_turns=({"transcript": 0.25, "first sound": 1.256}, {}),
        model_set="tiny",
        models={"stt": "auto"},
        memory_mb=300,
        memory_limit_mb=900,
        throttled=("throttled",),
        next_action="Plug a [b] in.",
    )
    write_status(tmp_path / "status.json", made)
    return made


def test_the_status_is_shown_to_a_person(edgebot: Command, running: Status) -> None:
    ran = edgebot("status")
    assert (ran.code, ran.err) == (0, "")
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines == [
        "state fault",
        "fault Plug a [b] in.",
        "up for 1:01:40",
        "ready after 3.5 s",
        "turns 7",
        "transcript 0.25 s, first sound 1.26 s",
        "not understood",
        "memory 300 MB of 900 MB",
        "temperature unknown",
        "slowed by throttled",
        "event loop late by 0 ms at most",
        "models set tiny: stt auto",
        "version 1.2.3",
        "next Plug a [b] in.",
    ]


def test_the_status_is_told_to_a_program(edgebot: Command, running: Status) -> None:
    found = json.loads(edgebot("status", "--json").out)
    assert found["state"] == "fault"
    assert found["last_turns"] == [{"transcript": 0.25, "first sound": 1.256}, {}]


def test_a_service_that_tells_nothing_any_more_hangs(running: Status) -> None:
    late = dict(rows(running, running.written_at + 41))
    assert late["fault"] == "It has told nothing for 41 s: it hangs."
    assert "hangs" not in str(list(rows(running, running.written_at + 39)))


def test_without_a_service_there_is_no_status(
    edgebot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    ran = edgebot("status")
    assert (ran.code, ran.out) == (10, "")
    assert ran.err.startswith("edgebot: edgebot does not run as a service here;")


def test_logs_are_systemds(edgebot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(service.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(service.os, "execv", lambda path, command: called.append(command))
    assert edgebot("logs", "-n", "3").code == 0
    assert edgebot("logs", "-f").code == 0
    units = ["--unit", "edgebot.service", "--user-unit", "edgebot.service"]
    unit = ["/bin/journalctl", *units, "--lines"]
    assert called == [
        [*unit, "3", "--output", "short-iso", "--no-pager"],
        [*unit, "50", "--output", "short-iso", "--follow"],
    ]
    monkeypatch.setattr(service.shutil, "which", lambda name: None)
    ran = edgebot("logs")
    assert (ran.code, ran.out) == (1, "")
    assert "There is no journalctl here" in ran.err


def test_a_rollback_is_the_installers(
    edgebot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.sys, "prefix", str(tmp_path))
    assert "is not installed as a service" in edgebot("rollback").err
    script = tmp_path / "scripts" / "install.sh"
    script.parent.mkdir(parents=True)
    script.write_text("")
    called: list[list[str]] = []
    monkeypatch.setattr(service.os, "execv", lambda path, command: called.append(command))
    assert edgebot("rollback").code == 0
    assert called == [["bash", str(script), "--rollback", "--user"]]


# The report


def test_a_report_holds_no_secret_and_survives_what_is_missing(
    edgebot: Command, running: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*command: str) -> str:
        if command[0] == "journalctl":
            return json.dumps({"MESSAGE": "turn 1", "EDGEBOT_HEARD": "my secret"}) + "\n"
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(service, "_run", run)
    ran = edgebot("--set", "llm.server_key=hush", "report", "-o", "r.tar.gz")
    assert (ran.code, ran.err) == (0, "")
    with tarfile.open(tmp_path / "r.tar.gz") as bundle:
        parts = {m.name: bundle.extractfile(m).read().decode() for m in bundle}  # type: ignore[union-attr]
    assert sorted(name.removeprefix("edgebot-report/") for name in parts) == [
        *("cards.txt", "journal.txt", "machine.json", "models.txt", "security.txt"),
        *("settings.json", "status.json", "unit.txt"),
    ]
    assert parts["edgebot-report/unit.txt"] == "none: systemctl\n"
    assert '"(set)"' in parts["edgebot-report/settings.json"]
    whole = "".join(parts.values())
    assert "hush" not in whole
    assert "my secret" not in whole
    assert json.loads(parts["edgebot-report/journal.txt"])["MESSAGE"] == "turn 1"


def test_a_report_needs_a_place(edgebot: Command) -> None:
    ran = edgebot("report", "-o", "missing/r.tar.gz")
    assert ran.code == 1
    assert "cannot be written: No such file" in ran.err


@pytest.mark.parametrize(
    ("entry", "is_kept"),
    [
        ({"MESSAGE": "turn 1", "_TRANSPORT": "journal"}, True),
        ({"MESSAGE": "Started edgebot.", "_TRANSPORT": "journal", "UNIT": "edgebot"}, True),
        ({"MESSAGE": "DEBUG: heard my secret", "_TRANSPORT": "stdout"}, False),
        ({"MESSAGE": "ValueError: my secret", "_TRANSPORT": "stdout"}, False),
        ({"MESSAGE": '  File "a.py", line 3 in b', "_TRANSPORT": "stdout"}, True),
        ({"MESSAGE": [1, 2], "_TRANSPORT": "journal"}, False),
    ],
)
def test_what_could_hold_speech_is_left_out(entry: dict[str, Any], is_kept: bool) -> None:
    assert len(service.speechless([json.dumps(entry)])) == is_kept


# Settings


def test_settings_are_checked(edgebot: Command) -> None:
    config.MACHINE_FILE.write_text("[tts]\nspeed = 1.5\n")
    ran = edgebot("config", "check")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("The settings are in order: 1 of ")
    config.MACHINE_FILE.write_text("[tts]\nspeed = 'fast'\n")
    ran = edgebot("config", "check")
    assert (ran.code, ran.out) == (3, "")
    assert "tts.speed cannot be 'fast'" in ran.err


# The service, with a conversation that only tells


@pytest.mark.parametrize("broken", [False, True])
def test_the_service_tells_what_the_conversation_does(
    edgebot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    from edgebot.observe.turns import Turn

    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if broken:
        config.MACHINE_FILE.write_text("[tts\n")
    seen: list[Status] = []

    async def talk(settings: Any, **hooks: Any) -> None:
        hooks["when_note"]("A note.")
        hooks["when_ready"]()
        hooks["when_state"](Facts(started=True))
        hooks["when_heard"]("my secret")
        hooks["when_said"](Turn("my secret", "an answer", times_s={"first sound": 1.0}))
        seen.append(serve_status(runtime))
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    talking = ModuleType("edgebot.talking")
    talking.talk = talk  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "edgebot.talking", talking)
    ran = edgebot("serve")
    assert ran.code == 0
    assert ran.out == ""
    assert "secret" not in ran.err
    (found,) = seen
    assert found.turns == 1
    assert found.ready_at is not None
    assert found.state is (AssistantState.FAULT if broken else AssistantState.ASLEEP)
    lines = [line.partition(" (")[0] for line in ran.err.splitlines()]
    assert lines[broken:] == ["A note.", "ready", "turn 1", "stopping"]


def serve_status(folder: Path) -> Status:
    from edgebot.service.status import read_status

    return read_status(folder / "status.json")


def test_a_person_is_told_how_to_wake_it(edgebot: Command, tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    file.write_text("")

    def wake(*flags: str) -> str:
        settings = config.load_settings(file=file, flags=flags, environment={})
        return serve.about(settings).wake

    assert wake("wake.mode=button") == "press the button"
    assert wake("wake.mode=word", 'wake.words=["hey_jarvis"]') == (
        "say “hey jarvis” or press the button"
    )
