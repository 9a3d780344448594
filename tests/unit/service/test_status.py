"""The status and its file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgebot.errors import NotRunningError
from edgebot.service.status import (
    Status,
    next_action,
    read_status,
    status_file,
    write_status,
)
from edgebot.state import AssistantState

STATUS = Status(
    version="1.2.3",
    pid=os.getpid(),
    state=AssistantState.FAULT,
    started_at=1.0,
    written_at=2.0,
    faults={"speaker": "Plug it in."},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_status(file, STATUS)
    assert file.stat().st_mode & 0o777 == 0o644
    found = read_status(file)
    assert found.state is AssistantState.FAULT
    assert found.faults == {"speaker": "Plug it in."}
    assert found.turns == 0


@pytest.mark.parametrize("text", [None, "", "{}", '{"state": "dancing"}', "[1]"])
def test_what_is_no_status_is_no_service(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "status.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(NotRunningError):
        read_status(file)


def test_a_process_that_is_gone_is_no_service(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    file = tmp_path / "status.json"
    write_status(file, Status("1", gone.pid, AssistantState.ASLEEP, 1.0, 1.0))
    with pytest.raises(NotRunningError, match="sudo systemctl start edgebot"):
        read_status(file)


def test_the_file_is_where_systemd_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = tmp_path / "run"
    monkeypatch.setattr("edgebot.service.status.MACHINE_FOLDER", machine)
    own = {"XDG_RUNTIME_DIR": str(tmp_path / "own")}
    assert status_file({}) == machine / "status.json"
    assert status_file(own) == tmp_path / "own" / "edgebot" / "status.json"
    machine.mkdir()
    assert status_file(own) == machine / "status.json"
    assert status_file({"RUNTIME_DIRECTORY": "/run/other"}) == Path("/run/other/status.json")


@pytest.mark.parametrize("state", AssistantState)
def test_there_is_always_something_to_do(state: AssistantState) -> None:
    said = next_action(state, {}, "say its name")
    assert said.endswith(".")
    assert ("Say its name" in said) == (state is AssistantState.ASLEEP)
    with_fault = next_action(state, {"speaker": "Plug it in."}, "say its name")
    assert (with_fault == "Plug it in.") == (state is not AssistantState.MUTED)
