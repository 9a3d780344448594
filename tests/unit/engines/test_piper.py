"""A voice's inference can be ended; what is no voice is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgebot.engines.piper import PiperEngine, StoppableSession
from edgebot.errors import BrokenModelError

from .tiny_onnx import identity_model

INPUT = {"x": np.array([1.0, 2.0], dtype=np.float32)}


@pytest.fixture
def session() -> StoppableSession:
    options = onnxruntime.SessionOptions()
    # Being stopped is no news.
    options.log_severity_level = 4
    return StoppableSession(
        onnxruntime.InferenceSession(identity_model(), options, ["CPUExecutionProvider"])
    )


def test_it_runs_as_the_session_does(session: StoppableSession) -> None:
    for outputs in (None, ["y"]):
        (result,) = session.run(outputs, INPUT)
        assert result.tolist() == [1.0, 2.0]
    assert not session.stopped


def test_a_stopped_session_ends_every_run_until_it_is_resumed(session: StoppableSession) -> None:
    session.stop()
    assert session.stopped
    for _ in range(2):
        with pytest.raises(Exception, match="terminate flag"):
            session.run(None, INPUT)
    session.resume()
    assert not session.stopped
    assert session.run(None, INPUT)[0].tolist() == [1.0, 2.0]


def test_stopping_twice_is_stopping(session: StoppableSession) -> None:
    session.stop()
    session.stop()
    assert session.stopped


def refused(path: Path) -> str:
    with pytest.raises(BrokenModelError) as caught:
        PiperEngine(path)
    return str(caught.value)


CONFIG = {
    "audio": {"sample_rate": 22050},
    "num_symbols": 1,
    "num_speakers": 1,
    "espeak": {"voice": "en-us"},
    "phoneme_id_map": {"_": [0]},
    "inference": {},
}


@pytest.mark.parametrize(
    ("config", "voice"),
    [
        (None, identity_model()),
        ("{", identity_model()),
        ("{}", identity_model()),
        (json.dumps(CONFIG), None),
        (json.dumps(CONFIG), b"no model"),
        (json.dumps(CONFIG), b""),
    ],
)
def test_what_is_no_voice_is_refused(
    tmp_path: Path, config: str | None, voice: bytes | None
) -> None:
    path = tmp_path / "voice.onnx"
    if voice is not None:
        path.write_bytes(voice)
    if config is not None:
        (tmp_path / "voice.onnx.json").write_text(config)
    assert refused(path).startswith(f"Piper cannot load the voice {path}: ")


def test_the_rate_is_the_voices(tmp_path: Path) -> None:
    path = tmp_path / "voice.onnx"
    path.write_bytes(identity_model())
    (tmp_path / "voice.onnx.json").write_text(json.dumps(CONFIG))
    assert PiperEngine(path).rate_hz == 22_050
