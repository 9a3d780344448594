"""A voice's inference can be ended; what is no voice is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgebot.engines.piper import Brake, PiperEngine
from edgebot.errors import BrokenModelError

from .tiny_onnx import identity_model
from .tiny_voice import VOCODER, node, tiny_voice

# A decoder that cannot be cut.
WHOLE = [*VOCODER[:-1], node("Softmax", "post", "output", axis=1)]
INPUT = {"x": np.array([1.0, 2.0], dtype=np.float32)}


@pytest.fixture
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Being stopped is no news.
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(identity_model(), options, ["CPUExecutionProvider"])


def test_it_runs_as_the_session_does(session: onnxruntime.InferenceSession) -> None:
    brake = Brake()
    for outputs in (None, ["y"]):
        (result,) = brake.run(session, INPUT, outputs)
        assert result.tolist() == [1.0, 2.0]
    assert not brake.on


def test_the_brake_ends_every_run_until_it_is_released(
    session: onnxruntime.InferenceSession,
) -> None:
    brake = Brake()
    brake.stop()
    assert brake.on
    for _ in range(2):
        with pytest.raises(Exception, match="terminate flag"):
            brake.run(session, INPUT)
    brake.release()
    assert not brake.on
    assert brake.run(session, INPUT)[0].tolist() == [1.0, 2.0]


def test_stopping_twice_is_stopping() -> None:
    brake = Brake()
    brake.stop()
    brake.stop()
    assert brake.on


def refused(path: Path) -> str:
    with pytest.raises(BrokenModelError) as caught:
        PiperEngine(path)
    return str(caught.value)


CONFIG = {
    "audio": {"sample_rate": 22050},
    "num_symbols": 128,
    "num_speakers": 1,
    "espeak": {"voice": "en-us"},
    # Each letter is a sound of its own.
    "phoneme_type": "text",
    "phoneme_id_map": {chr(code): [code] for code in range(128)},
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


def voice(folder: Path, model: bytes) -> PiperEngine:
    path = folder / "voice.onnx"
    path.write_bytes(model)
    (folder / "voice.onnx.json").write_text(json.dumps(CONFIG))
    return PiperEngine(path)


def test_the_rate_is_the_voices(tmp_path: Path) -> None:
    assert voice(tmp_path, identity_model()).rate_hz == 22_050


def test_a_voice_comes_in_windows_where_its_graph_allows_it(tmp_path: Path) -> None:
    assert voice(tmp_path, tiny_voice()).whole_because is None
    assert voice(tmp_path, identity_model()).whole_because == "no frames are drawn from a noise"


def test_a_voice_behind_a_link_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    voice(tmp_path / "elsewhere", tiny_voice())
    for name in ("voice.onnx", "voice.onnx.json"):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / name)
    assert PiperEngine(tmp_path / "voice.onnx").whole_because is None


def test_what_is_spoken_comes_in_pieces_of_16_bit(tmp_path: Path) -> None:
    engine = voice(tmp_path, tiny_voice())
    pieces = list(engine.synthesize("A long line of words that are all one sound to this voice."))
    assert len(pieces) > 1
    assert all(len(piece) % 4 == 0 for piece in pieces)
    assert list(engine.synthesize("")) == []


@pytest.mark.parametrize("model", [tiny_voice(), tiny_voice(vocoder=WHOLE)])
def test_stopped_between_two_pieces_nothing_more_comes(tmp_path: Path, model: bytes) -> None:
    engine = voice(tmp_path, model)
    spoken = engine.synthesize("One is a long, long sentence here. Two is a longer sentence there.")
    assert next(spoken)
    engine.stop()
    assert list(spoken) == []
    assert list(engine.synthesize("Again."))


def test_it_begins_with_its_first_sound_however_long_it_draws_its_breath(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = voice(tmp_path, tiny_voice())
    silence, sound = np.zeros(500, np.float32), np.full(500, 0.5, np.float32)
    late = np.concatenate([silence, sound])
    monkeypatch.setattr(engine, "_gain", 1.0)

    def spoken(*pieces: np.ndarray) -> list[int]:
        monkeypatch.setattr(engine, "_speak", lambda phonemes: iter(pieces))
        return [len(piece) // 2 for piece in engine.synthesize("one")]

    kept = engine.rate_hz // 100
    assert spoken(silence, silence, late, silence, sound) == [500 + kept, 500, 500]
    assert spoken(silence, silence) == []
