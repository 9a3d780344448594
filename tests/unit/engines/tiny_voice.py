"""A voice of a few numbers with the graph of a real one: VITS, as Piper exports it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgebot.engines.onnx_graph import field

FLOAT, INT64 = 1, 7
IR_VERSION, OPSET = 8, 15
_INT, _INTS = 2, 7


def node(op: str, inputs: str, output: str, **attributes: int | Sequence[int]) -> bytes:
    """Return a NodeProto; `inputs` are names with spaces between."""
    message = b"".join(field(1, name.encode()) for name in inputs.split())
    message += field(2, output.encode()) + field(4, op.encode())
    for name, value in attributes.items():
        kind, numbers = (_INT, [value]) if isinstance(value, int) else (_INTS, list(value))
        entries = b"".join(field(3 if kind == _INT else 8, number) for number in numbers)
        message += field(5, field(1, name.encode()) + entries + field(20, kind))
    return field(1, message)


def tensor(name: str, values: np.ndarray) -> bytes:
    """Return an initialiser."""
    message = b"".join(field(1, size) for size in values.shape)
    message += field(2, INT64 if values.dtype == np.int64 else FLOAT)
    return field(5, message + field(8, name.encode()) + field(9, values.tobytes()))


def value(number: int, name: str, kind: int = FLOAT) -> bytes:
    """Return an input (11), an output (12) or a value in between (13), of any shape."""
    return field(number, field(1, name.encode()) + field(2, field(1, field(1, kind))))


def model(*parts: bytes) -> bytes:
    """Return a ModelProto of the parts of a graph."""
    graph = b"".join(parts) + field(2, b"g")
    return field(1, IR_VERSION) + field(7, graph) + field(8, field(2, OPSET))


def weights(*shape: int) -> np.ndarray:
    """Return numbers that differ, the same each time, and too small to leave tanh's slope."""
    return np.random.default_rng(sum(shape)).normal(0, 0.1, shape).astype(np.float32)


# One frame for each phoneme, two samples for each frame.
CONSTANTS = [
    tensor("axis", np.array([1], dtype=np.int64)),
    tensor("first", np.array(0, dtype=np.int64)),
    tensor("small", np.array(0.1, dtype=np.float32)),
    tensor("none", np.array(0.0, dtype=np.float32)),
    tensor("one", np.array(1.0, dtype=np.float32)),
    tensor("flow.w", weights(3, 1, 5)),
    tensor("pre.w", weights(600, 3, 1)),
    tensor("up.w", weights(600, 3, 4)),
    tensor("post.w", weights(1, 3, 3)),
]
INPUTS = [value(11, "input", INT64), value(11, "input_lengths", INT64), value(11, "scales")]
ENCODER = [
    node("Cast", "input", "cast", to=FLOAT),
    node("Unsqueeze", "cast axis", "row"),
    node("Mul", "row small", "mean"),
    node("Mul", "row none", "zeros"),
    node("Add", "zeros one", "mask"),
    node("RandomNormalLike", "mean", "other_noise"),
    node("Mul", "other_noise none", "durations"),
    node("Sub", "durations mean", "unused"),
    node("RandomNormalLike", "mean", "noise"),
    node("Exp", "mean", "deviation"),
    node("Mul", "noise deviation", "noise.1"),
    node("Gather", "scales first", "scale"),
    node("Mul", "noise.1 scale", "noise.2"),
    node("Add", "mean noise.2", "z_p"),
]
FLOW = [
    node("Conv", "z_p flow.w", "bent", kernel_shape=[5], pads=[2, 2], strides=[1]),
    node("Mul", "bent mask", "masked"),
    node("Add", "masked z_p", "flown"),
    node("Conv", "flown pre.w", "pre", kernel_shape=[1], pads=[0, 0]),
    node("LeakyRelu", "pre", "hidden"),
]
VOCODER = [
    node("ConvTranspose", "hidden up.w", "up", kernel_shape=[4], pads=[1, 1], strides=[2]),
    node("Conv", "up post.w", "post", kernel_shape=[3], dilations=[2], pads=[2, 2]),
    node("Tanh", "post", "output"),
]
OUTPUT = value(12, "output")


def tiny_voice(
    encoder: list[bytes] = ENCODER, flow: list[bytes] = FLOW, vocoder: list[bytes] = VOCODER
) -> bytes:
    """Return the whole voice, with another part where a test wants one."""
    return model(*encoder, *flow, *vocoder, *CONSTANTS, *INPUTS, OUTPUT)
