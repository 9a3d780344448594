"""The whole way of a turn with real engines, from a recording to a recording, without a device."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import soxr

from edgebot.asking import Answer, ask_recordings
from edgebot.cli.app import run
from edgebot.config import Settings
from edgebot.observe.turns import STAGES
from edgebot.stages.recording import read_recording, write_wav
from tests.conftest import LLM, STT, TTS, Heard, Spoken, likeness
from tests.integration.conftest import noise

FRANCE = "What is the capital of France?"
SPIDER = "How many legs does a spider have?"
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def answers(make_settings: Callable[..., Settings], spoken: Spoken) -> list[Answer]:
    """The answers to two questions of one conversation."""
    recordings = [read_recording(spoken(text), text) for text in (FRANCE, SPIDER)]
    return asyncio.run(ask_recordings(make_settings(), recordings))


@pytest.fixture
def command(models_dir: Path, make_settings: Callable[..., Settings], tmp_path: Path) -> list[str]:
    """The arguments before a verb: the models of this machine, and no settings of its own."""
    make_settings()
    (tmp_path / "none.toml").touch()
    assignments = [f"models.dir={models_dir}", f"stt.model={STT}", f"llm.model={LLM}"]
    flags = [part for text in [*assignments, f"tts.model={TTS}"] for part in ("--set", text)]
    return ["--config", str(tmp_path / "none.toml"), *flags]


def edgebot(
    arguments: Sequence[str], *, before: Sequence[str] = (), stdin: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `edgebot` as a program."""
    with (stdin or Path(os.devnull)).open("rb") as source:
        return subprocess.run(
            [*before, sys.executable, "-m", "edgebot", *arguments],
            stdin=source,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


def test_a_question_is_heard_and_answered(answers: list[Answer]) -> None:
    turn = answers[0].turn
    assert "France" in turn.heard
    assert "Paris" in turn.said
    assert not turn.interrupted


def test_a_second_question_belongs_to_the_same_conversation(answers: list[Answer]) -> None:
    turn = answers[1].turn
    assert "spider" in turn.heard.lower()
    assert turn.said
    assert "Paris" not in turn.said


def test_the_answers_sound_says_what_is_printed(
    answers: list[Answer], heard: Heard, tmp_path: Path
) -> None:
    for number, answer in enumerate(answers):
        file = tmp_path / f"{number}.wav"
        write_wav(file, answer.audio, answer.rate_hz)
        assert likeness(heard(file), answer.turn.said) > 0.6


def test_every_stage_has_its_time_and_they_come_in_order(answers: list[Answer]) -> None:
    for answer in answers:
        times = [answer.turn.times_s[stage] for stage in STAGES]
        print(answer.describe()["times_s"])
        assert times == sorted(times)
        assert times[0] > 0


def test_the_program_answers_several_recordings_of_any_format(
    command: list[str], spoken: Spoken, heard: Heard, tmp_path: Path
) -> None:
    voice, rate_hz = soundfile.read(spoken(FRANCE), dtype="float32")
    telephone, studio = tmp_path / "telephone.wav", tmp_path / "studio.flac"
    soundfile.write(telephone, soxr.resample(voice, rate_hz, 8000), 8000)
    left = soxr.resample(voice, rate_hz, 44_100)
    soundfile.write(studio, np.stack([left, left / 2], axis=1), 44_100)
    soundfile.write(tmp_path / "small.mp3", left, 44_100)
    output = tmp_path / "answer.wav"
    recordings = [str(telephone), str(studio), "-"]
    done = edgebot(
        [*command, "ask", "--json", "-o", str(output), *recordings], stdin=tmp_path / "small.mp3"
    )
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(turns) == 3
    for turn in turns:
        assert turn.keys() == {"heard", "said", "answer_s", "times_s"}
        assert "France" in turn["heard"]
        assert list(turn["times_s"]) == list(STAGES)
    assert "Paris" in turns[0]["said"]
    assert "Traceback" not in done.stderr
    info = soundfile.info(output)
    assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
    assert info.duration == pytest.approx(sum(turn["answer_s"] for turn in turns), abs=0.01)
    assert likeness(heard(output), " ".join(turn["said"] for turn in turns)) > 0.6


def namespace() -> list[str]:
    """Return what runs a command in a network namespace that holds nothing."""
    for unshare in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        try:
            if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
                return unshare
        except FileNotFoundError:
            break
    pytest.skip("this machine does not let a test make a network namespace")


def test_a_whole_turn_works_where_there_is_no_network(command: list[str], spoken: Spoken) -> None:
    done = edgebot([*command, "ask", str(spoken(FRANCE))], before=namespace())
    assert done.returncode == 0, done.stderr
    you, answer, times = done.stdout.splitlines()
    assert you.split(maxsplit=1)[0] == "you"
    assert "France" in you
    assert answer.split(maxsplit=1)[0] == "edgebot"
    assert "Paris" in answer
    assert all(stage in times for stage in STAGES)


def test_it_opens_no_ip_socket(command: list[str], spoken: Spoken, tmp_path: Path) -> None:
    # Python's own sockets are caught by its audit hook, those of native libraries by their file.
    program = (
        "import socket, sys\n"
        "def hook(event, args):\n"
        "    if event == 'socket.__new__' and args[1] in (socket.AF_INET, socket.AF_INET6):\n"
        "        print('an IP socket', file=sys.stderr)\n"
        "sys.addaudithook(hook)\n"
        "from edgebot.cli.app import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    log = tmp_path / "stderr"
    found: list[object] = []
    with log.open("wb") as stderr:
        process = psutil.Popen(
            [sys.executable, "-c", program, *command, "ask", str(spoken(FRANCE))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        while process.poll() is None:
            with_children = [process]
            try:
                with_children += process.children(recursive=True)
                for one in with_children:
                    found += one.net_connections("inet")
            except (psutil.NoSuchProcess, psutil.AccessDenied):  # it is ending
                pass
            try:
                process.wait(0.05)
            except psutil.TimeoutExpired:
                continue
        output = process.stdout.read().decode()
        process.stdout.close()
    assert found == []
    assert log.read_text() == ""
    assert process.returncode == 0
    assert "Paris" in output


class TestErrors:
    """One sentence, no traceback, and the exit code of the fault."""

    def fails(self, arguments: list[str], capsys: pytest.CaptureFixture[str], *, code: int) -> str:
        assert run(arguments) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("edgebot: ")
        assert line[-1] in ".?"
        return line

    def test_no_such_file(self, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert "There is no file nothing.wav." in self.fails(
            [*command, "ask", "nothing.wav"], capsys, code=4
        )

    def test_no_sound(
        self, command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        for name, content, sentence in [
            ("empty.wav", b"", "is empty"),
            ("letter.wav", b"Dear Sir or Madam", "is no recording that can be read"),
            ("half.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "is no recording that can be read"),
        ]:
            (tmp_path / name).write_bytes(content)
            arguments = [*command, "ask", str(tmp_path / name)]
            assert sentence in self.fails(arguments, capsys, code=4)

    def test_a_folder_is_no_recording(
        self, command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert "cannot be read" in self.fails([*command, "ask", str(tmp_path)], capsys, code=4)

    def test_silence(
        self, command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        write_wav(tmp_path / "silence.wav", bytes(32_000), 16_000)
        arguments = [*command, "ask", str(tmp_path / "silence.wav")]
        assert "is silent: it holds 1.0 s of nothing" in self.fails(arguments, capsys, code=4)

    def test_noise_in_which_nobody_speaks(
        self,
        command: list[str],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("edgebot.asking._PATIENCE_S", 2.0)
        write_wav(tmp_path / "noise.wav", noise(1.5), 16_000)
        arguments = [*command, "ask", str(tmp_path / "noise.wav")]
        assert "Nobody is heard to speak in" in self.fails(arguments, capsys, code=4)

    def test_a_file_that_cannot_be_written(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = [*command, "say", "-o", "/nowhere/tea.wav", "Tea."]
        assert "/nowhere/tea.wav cannot be written" in self.fails(arguments, capsys, code=4)

    def test_a_missing_model(
        self, command: list[str], capsys: pytest.CaptureFixture[str], spoken: Spoken, tmp_path: Path
    ) -> None:
        empty = ["--set", f"models.dir={tmp_path / 'models'}"]
        line = self.fails([*command, *empty, "ask", str(spoken(FRANCE))], capsys, code=5)
        assert "edgebot models pull" in line

    def test_a_setting_that_does_not_exist(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = self.fails([*command, "--set", "tts.sped=2", "ask", "a.wav"], capsys, code=3)
        assert "Did you mean 'tts.speed'?" in line


def test_notes_and_words_are_heard_in_recordings(
    command: list[str], spoken: Spoken, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(spoken(FRANCE)), str(spoken(SPIDER))]
    assert run([*command, "listen", "--json", *files]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == files
    assert "France" in lines[0]["heard"]
    assert "spider" in lines[1]["heard"].lower()


def test_a_text_is_spoken_into_a_file(command: list[str], heard: Heard, tmp_path: Path) -> None:
    output = tmp_path / "tea.wav"
    text = "Your tea is ready in the kitchen."
    assert run([*command, "say", "-o", str(output), text]) == 0
    assert likeness(heard(output), text) > 0.6


def test_questions_by_the_keyboard(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "questions").write_text(f"{FRANCE}\n\n{SPIDER}\n")
    done = edgebot([*command, "chat", "--plain"], stdin=tmp_path / "questions")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert "Paris" in lines[0]
    assert done.stderr == ""
