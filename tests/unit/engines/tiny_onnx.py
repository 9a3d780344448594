"""The smallest ONNX model: it returns what it is given. Written by hand, as protocol buffers."""

from __future__ import annotations

FLOAT = 1
IR_VERSION, OPSET = 8, 13


def field(number: int, value: int | str | bytes) -> bytes:
    """Return one field of a message; every number here is below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


def value_info(name: str) -> bytes:
    """Return a vector of floats of any length, by its name."""
    shape = field(1, field(2, "n"))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def identity_model() -> bytes:
    """Return a model with the input `x` and the output `y`."""
    node = field(1, "x") + field(2, "y") + field(4, "Identity")
    graph = field(1, node) + field(2, "g")
    graph += field(11, value_info("x")) + field(12, value_info("y"))
    return field(1, IR_VERSION) + field(7, graph) + field(8, field(2, OPSET))
