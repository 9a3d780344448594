"""doctor: what is printed, asked, written, and the exit code."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edgebot.cli import doctor as verb
from edgebot.config import user_file
from edgebot.doctor import examine as examining
from edgebot.doctor.finding import Change, Finding

from .conftest import Command

WELL = Finding("ok", "disk", "9 GB [free].")
FAULT = Finding(
    "fault",
    "microphone",
    "There is no microphone 'x' (audio.microphone), though that is what the settings ask for.",
    "Set audio.microphone to 'USB'.",
    (Change("audio.microphone", "USB"),),
)


class Checks:
    """Stands for all checks; finds what it is told."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.asked: dict[str, Any] = {}

    def __call__(self, **options: Any) -> Iterator[Finding]:
        self.asked = options
        yield from self.findings


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    made = Checks(WELL)
    monkeypatch.setattr(examining, "examine", made)
    return made


def test_all_is_well(edgebot: Command, checks: Checks) -> None:
    ran = edgebot("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split() == ["ok", "disk", "9", "GB", "[free]."]


def test_a_warning_is_no_fault(edgebot: Command, checks: Checks) -> None:
    checks.findings = (Finding("warning", "disk", "Little.", "Make room."),)
    ran = edgebot("doctor")
    assert ran.code == 0
    assert ran.out.split() == ["warning", "disk", "Little.", "Make", "room."]


def test_a_fault_has_its_code_and_its_advice_and_nothing_is_written(
    edgebot: Command, checks: Checks
) -> None:
    checks.findings = (WELL, FAULT)
    ran = edgebot("doctor")
    assert ran.code == 12
    assert "Set audio.microphone to 'USB'." in ran.out
    assert 'audio.microphone = "USB"' in ran.out
    assert "`edgebot doctor --write` writes them." in ran.out
    assert ran.err == (
        "edgebot: Something is at fault: microphone. Do what the lines above advise.\n"
    )
    assert not user_file().exists()


def test_no_line_is_wider_than_a_terminal(edgebot: Command, checks: Checks) -> None:
    checks.findings = (WELL, FAULT)
    lines = edgebot("doctor").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "There is no microphone" in lines[1]


def test_settings_are_written_when_asked_for(edgebot: Command, checks: Checks) -> None:
    checks.findings = (FAULT,)
    user_file().parent.mkdir(parents=True)
    user_file().write_text("# mine\n")
    ran = edgebot("doctor", "--write")
    assert ran.code == 12
    assert user_file().read_text() == '# mine\n\n[audio]\nmicrophone = "USB"\n'


def test_they_go_into_the_file_that_was_named(
    edgebot: Command, checks: Checks, tmp_path: Path
) -> None:
    checks.findings = (FAULT,)
    file = tmp_path / "other.toml"
    edgebot("--config", str(file), "doctor", "--write")
    assert tomllib.loads(file.read_text()) == {"audio": {"microphone": "USB"}}
    assert not user_file().exists()


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_a_person_is_asked(
    edgebot: Command, checks: Checks, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    checks.findings = (FAULT,)
    asked: list[str] = []

    def confirm(text: str, *, default: bool) -> bool:
        assert default is False
        asked.append(text)
        return answer

    monkeypatch.setattr(verb, "is_terminal", lambda: True)
    monkeypatch.setattr(typer, "confirm", confirm)
    edgebot("doctor")
    assert asked == [f"Write them to {user_file()}?"]
    assert user_file().exists() == answer


def test_a_program_reads_json(edgebot: Command, checks: Checks) -> None:
    checks.findings = (WELL, FAULT)
    ran = edgebot("doctor", "--json")
    assert ran.code == 12
    assert json.loads(ran.out) == {
        "findings": [
            {
                "mark": "ok",
                "subject": "disk",
                "text": "9 GB [free].",
                "advice": "",
                "changes": [],
            },
            {
                "mark": "fault",
                "subject": "microphone",
                "text": FAULT.text,
                "advice": FAULT.advice,
                "changes": [{"key": "audio.microphone", "value": "USB"}],
            },
        ],
        "written": None,
    }
    assert not user_file().exists()


def test_its_options_reach_the_checks(edgebot: Command, checks: Checks, tmp_path: Path) -> None:
    edgebot("--set", "board=gpio", "doctor", "--no-sound")
    assert checks.asked.pop("when_listening")
    assert checks.asked == {"file": None, "flags": ("board=gpio",), "sound": False}
    edgebot("--config", str(tmp_path / "x.toml"), "doctor")
    assert checks.asked.pop("when_listening")
    assert checks.asked == {"file": tmp_path / "x.toml", "flags": (), "sound": True}


def test_a_person_is_asked_to_be_quiet(
    edgebot: Command, checks: Checks, capsys: pytest.CaptureFixture[str]
) -> None:
    edgebot("doctor")
    checks.asked["when_listening"]()
    assert "be quiet, please" in capsys.readouterr().err


def test_nothing_is_written_where_the_settings_are_not_understood(
    edgebot: Command, checks: Checks
) -> None:
    checks.findings = (Finding("fault", "settings", "Unknown."), FAULT)
    ran = edgebot("doctor", "--write")
    assert ran.code == 12
    assert not user_file().exists()


def test_a_machine_without_anything_is_looked_through(edgebot: Command) -> None:
    ran = edgebot("doctor")
    assert ran.code == 12
    assert "There is no microphone" in ran.out
    assert "Nothing to try without a microphone." in ran.out
    assert "Traceback" not in ran.err
