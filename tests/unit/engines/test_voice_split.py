"""A voice is cut where its graph says so, and its parts say what the whole says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgebot.engines.onnx_graph import Graph, GraphError
from edgebot.engines.voice_split import NotSplittableError, Part, split_voice
from edgebot.engines.voice_windows import WindowedVoice, windows

from .tiny_onnx import identity_model
from .tiny_voice import (
    ENCODER,
    FLOW,
    INT64,
    VOCODER,
    model,
    node,
    tensor,
    tiny_voice,
    value,
    weights,
)

POST: dict[str, Sequence[int]] = {"kernel_shape": [3], "dilations": [2], "pads": [2, 2]}
Run = Callable[[Mapping[str, np.ndarray]], list[Any]]


def runner(voice: bytes, folder: Path | None = None, outputs: list[str] | None = None) -> Run:
    options = onnxruntime.SessionOptions()
    if folder:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(folder)
        )
    session = onnxruntime.InferenceSession(voice, options, ["CPUExecutionProvider"])
    return lambda inputs: list(session.run(outputs, dict(inputs)))


def phonemes(count: int) -> dict[str, np.ndarray]:
    """Return the input of a sentence; without noise, so that it always sounds the same."""
    ids = np.random.default_rng(count).integers(-20, 20, (1, count))
    return {
        "input": ids,
        "input_lengths": np.array([count]),
        "scales": np.array([0.0, 1.0, 0.0], dtype=np.float32),
    }


def test_the_cuts_and_the_margins_come_from_the_graph() -> None:
    split = split_voice(tiny_voice())
    assert split.encoder.inputs == ("input", "input_lengths", "scales")
    assert split.encoder.outputs == ("z_p", "mask")
    assert (split.flow.inputs, split.flow.outputs) == (("z_p", "mask"), ("hidden",))
    assert (split.vocoder.inputs, split.vocoder.outputs) == (("hidden",), ("output",))
    assert (split.flow_margin, split.vocoder_margin, split.frame_samples) == (2, 3, 2)


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 48, 100, 1000])
@pytest.mark.parametrize("mapped", [False, True])
def test_windows_say_what_the_whole_voice_says(tmp_path: Path, count: int, mapped: bool) -> None:
    (tmp_path / "voice.onnx").write_bytes(tiny_voice())
    split = split_voice(tiny_voice(), "voice.onnx" if mapped else "")

    def load(part: Part) -> Run:
        return runner(part.model, tmp_path, list(part.outputs))

    pieces = list(WindowedVoice(split, load).run(phonemes(count)))
    whole = runner(tiny_voice())(phonemes(count))[0].reshape(-1)
    assert [len(piece) for piece in pieces] == [2 * (b - a) for a, b in windows(count)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-5)


def test_a_voice_of_several_speakers() -> None:
    """The speaker has a say in every part; it is no row of frames and goes whole."""
    encoder = [
        node("Gather", "people sid", "person"),
        node("Unsqueeze", "person last", "g"),
        *ENCODER,
    ]
    flow = [*FLOW[:-1], node("Add", "pre g", "pre.g"), node("LeakyRelu", "pre.g", "hidden")]
    vocoder = [*VOCODER[:1], node("Conv", "g cond.w", "bias", kernel_shape=[1])]
    vocoder += [node("Add", "up bias", "up.g"), node("Conv", "up.g post.w", "output", **POST)]
    more = [
        tensor("people", weights(4, 600)),
        tensor("last", np.array([2], dtype=np.int64)),
        tensor("cond.w", weights(3, 600, 1)),
        value(11, "sid", INT64),
    ]
    voice = tiny_voice([*more, *encoder], flow, vocoder)
    split = split_voice(voice)
    assert split.encoder.outputs == ("z_p", "mask", "g", "bias")
    assert split.vocoder.inputs == ("hidden", "bias")
    sounds = []
    for person in (0, 3):
        inputs = phonemes(100) | {"sid": np.array([person])}
        windowed = WindowedVoice(split, lambda part: runner(part.model, outputs=list(part.outputs)))
        whole = runner(voice)(inputs)[0].reshape(-1)
        sounds.append(np.concatenate(list(windowed.run(inputs))))
        np.testing.assert_allclose(sounds[-1], whole, rtol=0, atol=1e-5)
    assert np.abs(sounds[0] - sounds[1]).max() > 0.01


def test_mapped_weights_are_not_in_the_parts() -> None:
    small, large = split_voice(tiny_voice(), "voice.onnx"), split_voice(tiny_voice())
    assert len(small.vocoder.model) < 2000 < 600 * 3 * 4 * 4 < len(large.vocoder.model)


def test_a_margin_too_small_would_be_heard() -> None:
    """The comparison above can fail: without margins the windows differ."""
    split = split_voice(tiny_voice())
    bare = type(split)(split.encoder, split.flow, split.vocoder, 0, 0, split.frame_samples)
    voice = WindowedVoice(bare, lambda part: runner(part.model, outputs=list(part.outputs)))
    whole = runner(tiny_voice())(phonemes(100))[0].reshape(-1)
    assert np.abs(np.concatenate(list(voice.run(phonemes(100)))) - whole).max() > 0.01


@pytest.mark.parametrize(
    ("voice", "reason"),
    [
        (identity_model(), "no frames are drawn from a noise"),
        (b"", "the model returns nothing"),
        (b"no model", "the model cannot be read"),
        (tiny_voice()[:-100], "the model cannot be read"),
        (tiny_voice(encoder=ENCODER[:-1]), "no frames are drawn from a noise"),
        (tiny_voice(vocoder=[node("Tanh", "hidden", "output")]), "no layer makes samples"),
        (
            tiny_voice(flow=[*FLOW[:-1], node("Softmax", "pre", "hidden", axis=2)]),
            "the decoder holds a Softmax",
        ),
        (
            tiny_voice(vocoder=[*VOCODER[:-1], node("Add", "post flown", "output")]),
            "the vocoder takes more from the flow",
        ),
        (
            tiny_voice(
                flow=[
                    node("Conv", "z_p flow.w", "bent", kernel_shape=[5], strides=[2]),
                    *FLOW[1:],
                ]
            ),
            "a convolution is not along the frames alone",
        ),
    ],
)
def test_another_graph_is_refused_with_a_reason(voice: bytes, reason: str) -> None:
    with pytest.raises(NotSplittableError, match=reason):
        split_voice(voice)


def test_what_a_branch_takes_from_outside_goes_along() -> None:
    then = model(node("Identity", "a", "b"))
    graph = b"".join(v for n, v in _fields(then) if n == 7)
    branch = node("If", "condition", "out")
    inner = b"".join(v for n, v in _fields(branch) if n == 1)
    from edgebot.engines.onnx_graph import field

    whole = model(
        node("Tanh", "x", "a"),
        node("Tanh", "x", "condition"),
        field(1, inner + field(5, field(1, b"then_branch") + field(6, graph))),
        value(11, "x"),
        value(12, "out"),
    )
    nodes, taken = Graph(whole).needed(["out"], ["x"])
    assert [n.op for n in nodes] == ["Tanh", "Tanh", "If"]
    assert {"a", "condition", "x"} <= taken


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    from edgebot.engines.onnx_graph import fields

    return [(number, bytes(v)) for number, v in fields(message) if not isinstance(v, int)]


def test_what_is_not_given_cannot_be_computed_from() -> None:
    with pytest.raises(GraphError, match="scales is not given"):
        Graph(tiny_voice()).extract(["input"], ["z_p"])


def test_the_windows_of_a_sentence() -> None:
    assert list(windows(0)) == []
    assert list(windows(20)) == [(0, 20)]
    assert list(windows(47)) == [(0, 47)]
    assert list(windows(48)) == [(0, 32), (32, 48)]
    assert list(windows(130)) == [(0, 32), (32, 80), (80, 130)]
    assert list(windows(600)) == [(0, 32), (32, 80), (80, 152), (152, 260), (260, 422), (422, 600)]
    long = list(windows(5000))
    assert max(end - begin for begin, end in long) < 192 * 1.5
    assert [end for _, end in long[:-1]] == [begin for begin, _ in long[1:]]
