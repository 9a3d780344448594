"""say and listen, with engines of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from own.voice import Voice

from .conftest import Command

EAR = ("--set", "stt.engine=own.ear")
VOICE = ("--set", "tts.engine=own.voice")


def recording(seconds: float, path: Path) -> str:
    soundfile.write(path, np.sin(np.arange(int(16_000 * seconds)) / 9) / 2, 16_000)
    return path.name


def test_one_recording_is_one_line(edgebot: Command, tmp_path: Path) -> None:
    ran = edgebot(*EAR, "listen", recording(2, tmp_path / "a.wav"))
    assert (ran.code, ran.out, ran.err) == (0, "one two\n", "")


def test_several_recordings_have_their_names(edgebot: Command, tmp_path: Path) -> None:
    names = [recording(2, tmp_path / "a.wav"), recording(1, tmp_path / "[b].wav")]
    assert edgebot(*EAR, "listen", *names).out == "a.wav: one two\n[b].wav: one\n"


def test_a_program_gets_an_object_a_line(edgebot: Command, tmp_path: Path) -> None:
    names = [recording(2, tmp_path / "a.wav"), recording(0.1, tmp_path / "b.wav")]
    lines = edgebot(*EAR, "listen", "--json", *names).out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"file": "a.wav", "heard": "one two"},
        {"file": "b.wav", "heard": ""},
    ]


def test_a_recording_may_come_from_standard_input(edgebot: Command, tmp_path: Path) -> None:
    data = (tmp_path / recording(3, tmp_path / "a.wav")).read_bytes()
    ran = edgebot(*EAR, "listen", "-", stdin=data)
    assert (ran.code, ran.out, ran.err) == (0, "one two three\n", "")


@pytest.mark.parametrize(("text", "stdin"), [("Four by four", b""), ("-", b"Four by four")])
def test_a_text_is_said_into_a_file(
    edgebot: Command, tmp_path: Path, text: str, stdin: bytes
) -> None:
    ran = edgebot(*VOICE, "say", text, "-o", "a.wav", stdin=stdin)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    samples, rate_hz = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert rate_hz == Voice.rate_hz
    assert samples.tobytes() == b"".join(Voice().synthesize("Four by four"))


@pytest.mark.parametrize(("text", "stdin"), [("", b""), (" \n", b""), ("-", b"\n")])
def test_nothing_to_say_is_a_wrong_command_line(edgebot: Command, text: str, stdin: bytes) -> None:
    ran = edgebot(*VOICE, "say", text, "-o", "a.wav", stdin=stdin)
    assert ran.code == 2
    assert "there is nothing to say" in ran.err


def test_an_answer_needs_a_place(edgebot: Command) -> None:
    ran = edgebot(*VOICE, "say", "Four", "-o", "none/a.wav")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "edgebot: none/a.wav cannot be written: No such file or directory.\n"
