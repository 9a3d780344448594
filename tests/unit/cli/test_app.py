"""Help, the version, and one line with the right exit code when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer.main
from hw.fake_pyaudio import FakeDevice, FakeLibrary

import edgebot as package
from edgebot.cli.app import app

from .conftest import Command

DOCS = Path(package.__file__).parent.parent / "docs"


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every verb, with the group that it belongs to."""
    commands = getattr(command, "commands", None)
    if commands is None:
        yield path
        return
    for name, inner in commands.items():
        yield from verbs(inner, (*path, name))


VERBS = list(verbs(typer.main.get_command(app)))


def test_the_verbs() -> None:
    assert [" ".join(verb) for verb in VERBS] == [
        "run",
        "ask",
        "demo",
        "chat",
        "say",
        "listen",
        "bench",
        "doctor",
        "devices",
        "config",
        "serve",
        "status",
        "logs",
        "report",
        "rollback",
        "bridge",
        "models list",
        "models pull",
        "models verify",
        "models remove",
        "models export",
        "models import",
    ]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_verb_says_what_it_does(edgebot: Command, verb: tuple[str, ...], flag: str) -> None:
    ran = edgebot(*verb, flag)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.strip() for line in ran.out.splitlines() if line.strip()]
    assert lines[0].startswith(f"Usage: edgebot {' '.join(verb)}")
    assert re.match(r"[A-Z].{20,}", lines[1])
    assert "[bold]" not in ran.out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_that_wants_something_shows_an_example(
    edgebot: Command, verb: tuple[str, ...]
) -> None:
    text = " ".join(edgebot(*verb, "--help").out.split())
    wants_something = " ".join(verb) in ("ask", "say", "listen", "chat", "devices")
    example = rf"edgebot (--set \S+ )?({' '.join(verb)}|run) ?\S"
    after_usage = text.partition("Usage:")[2].partition("[OPTIONS]")[2]
    if wants_something or verb[0] == "models":
        assert re.search(example, after_usage)


def test_the_whole_names_every_verb(edgebot: Command) -> None:
    ran = edgebot("--help")
    assert ran.code == 0
    for verb in VERBS:
        assert re.search(rf"\b{verb[0]}\b", ran.out)


def test_without_a_verb_there_is_help(edgebot: Command) -> None:
    ran = edgebot()
    assert ran.code in (0, 2)
    assert "Usage: edgebot" in ran.out + ran.err


def test_the_version(edgebot: Command) -> None:
    ran = edgebot("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"edgebot {package.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["--loud", "run"], ["run", "away"], ["say"], ["ask"], ["models", "dance"]],
)
def test_a_wrong_command_line(edgebot: Command, arguments: list[str]) -> None:
    ran = edgebot(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert "Usage: edgebot" in ran.err
    assert "Traceback" not in ran.err


def recording(path: Path, samples: np.ndarray) -> str:
    soundfile.write(path, samples, 16_000)
    return path.name


SERVER = ("--set", "llm.engine=openai", "--set", "llm.server_url=http://127.0.0.1:1/v1")


@pytest.mark.parametrize(
    ("code", "line", "arguments"),
    [
        (3, "There is no setting 'stt.modle' (--set stt.modle).", ["--set", "stt.modle=x", "run"]),
        (3, "tts.speed cannot be 'fast' (--set tts.speed)", ["--set", "tts.speed=fast", "config"]),
        (3, "There is no settings file none.toml.", ["--config", "none.toml", "devices"]),
        (3, "There is no engine 'voks' for stt.engine.", ["--set", "stt.engine=voks", "listen"]),
        (4, "There is no file none.wav.", ["ask", "none.wav"]),
        (4, "There is no file [bold]x[/].wav.", ["listen", "[bold]x[/].wav"]),
        (4, r"There is no file a\[b].wav.", ["ask", r"a\[b].wav"]),
        (4, "notes.txt is no recording that can be read", ["ask", "notes.txt"]),
        (4, "silence.wav is silent", ["listen", "silence.wav"]),
        (4, "standard input is empty.", ["ask", "-"]),
        (4, "The folder notes.txt cannot be made: File exists.", ["demo", "-o", "notes.txt"]),
        (5, "", ["listen", "tone.wav"]),
        (5, "", ["ask", "tone.wav"]),
        (5, "", ["chat"]),
        # A device that is missing may come; a model does not.
        (5, "", ["run"]),
        (5, "", ["say", "Hello.", "-o", "a.wav"]),
        (5, "", ["demo"]),
        (5, "", ["models", "remove", "piper-en-us-joe-medium"]),
        (6, "There is no speaker: plug one in", ["devices", "--check"]),
        (6, "There is no speaker: plug one in", ["say", "Hello."]),
        (7, "The language model's server http://127.0.0.1:1/v1", [*SERVER, "chat"]),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(
    edgebot: Command, tmp_path: Path, code: int, line: str, arguments: list[str]
) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary\n")
    recording(tmp_path / "silence.wav", np.zeros(16_000))
    tone = recording(tmp_path / "tone.wav", np.sin(np.arange(16_000) / 9) / 2)
    if arguments[-1] == "listen":
        arguments = [*arguments, tone]
    ran = edgebot(*arguments)
    assert ran.code == code
    assert ran.out == ""
    (said,) = ran.err.splitlines()
    assert said.startswith(f"edgebot: {line}")
    assert said.rstrip()[-1] in ".?"


def test_a_busy_microphone(edgebot: Command, library: FakeLibrary) -> None:
    library.devices = [
        FakeDevice("card", inputs=1, outputs=2),
        FakeDevice("mic", inputs=1, error=OSError(-9985, "Device unavailable")),
    ]
    library.default_output, library.default_input = 0, 1
    ran = edgebot("devices", "--check")
    assert (ran.code, ran.out) == (6, "")
    assert ran.err.startswith("edgebot: The microphone 'mic' is busy or gone: ")
    library.default_input = 0
    ran = edgebot("devices", "--check")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_ctrl_c_is_no_error(edgebot: Command, tmp_path: Path) -> None:
    (tmp_path / "sudden_engine.py").write_text("raise KeyboardInterrupt\n")
    edgebot._monkeypatch.syspath_prepend(str(tmp_path))
    ran = edgebot("--set", "llm.engine=sudden_engine", "chat")
    assert ran.code == 130
    assert "Traceback" not in ran.err


# The documentation


def test_every_exit_code_is_documented() -> None:
    from edgebot import errors

    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.EdgebotError)
    }
    assert documented == {*codes, 0, 2, 130}


def test_every_verb_with_json_is_documented(edgebot: Command) -> None:
    with_json = {" ".join(v) for v in VERBS if "--json" in edgebot(*v, "--help").out}
    text = " ".join((DOCS / "commands.md").read_text(encoding="utf-8").split())
    sentence = re.search(r"([^.]*) take `--json`\.", text)
    assert sentence
    assert set(re.findall(r"`([a-z ]+)`", sentence[1])) == with_json
