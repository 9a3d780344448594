"""The little of ONNX that cutting a graph into parts needs, read from the file's own bytes.

An ONNX file is one protocol buffer (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Names
are decoded, everything else is copied as it is, and the weights stay where they are: a part only
says where in the file they lie, so that onnxruntime maps them. The `onnx` package would do it with
20 MB of code and two copies of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

Bytes: TypeAlias = bytes | memoryview
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FLOAT = 1

# ModelProto, and of it what a part of the graph needs as well
_IR_VERSION, _GRAPH, _OPSET, _FUNCTIONS = 1, 7, 8, 25
# GraphProto
_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 2, 5, 11, 12, 13
# TensorProto
_TENSOR_NAME, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 8, 9, 13, 14, 1
# Smaller constants stay in the graph: shapes, and what onnxruntime wants to read at once.
_WORTH_MAPPING_BYTES = 4096
# AttributeProto
_ATTRIBUTE_INT, _ATTRIBUTE_GRAPH, _ATTRIBUTE_INTS, _ATTRIBUTE_GRAPHS = 3, 6, 8, 11
_WITH_BODIES = ("If", "Loop", "Scan", "SequenceMap")


class GraphError(Exception):
    """A graph that is not what it should be."""


@dataclass(frozen=True)
class Node:
    """One operation: the names of what it takes and makes, and its own bytes."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    raw: Bytes

    @classmethod
    def read(cls, raw: Bytes) -> Node:
        """Decode a NodeProto."""
        inputs, outputs, attributes, op = [], [], [], ""
        for number, value in fields(raw):
            if number == 1:
                inputs.append(_text(value))
            elif number == 2:
                outputs.append(_text(value))
            elif number == 4:
                op = _text(value)
            elif number == 5:
                attributes.append(_bytes(value))
        if op in _WITH_BODIES:
            for attribute in attributes:
                inputs += _captured(attribute)
        return cls(op, tuple(filter(None, inputs)), tuple(filter(None, outputs)), raw)

    @cached_property
    def integers(self) -> dict[str, list[int]]:
        """The attributes that are whole numbers or lists of them, by name."""
        found: dict[str, list[int]] = {}
        for number, attribute in fields(self.raw):
            if number == 5:
                name, values = "", []
                for part, value in fields(_bytes(attribute)):
                    if part == 1:
                        name = _text(value)
                    elif part in (_ATTRIBUTE_INT, _ATTRIBUTE_INTS):
                        values += [value] if isinstance(value, int) else _packed(value)
                found[name] = values
        return found


class Graph:
    """The graph of an ONNX model.

    Attributes:
        nodes: In an order in which they can be computed.
        inputs: What the model is given, by name.
        outputs: What it returns.
    """

    def __init__(self, model: Bytes, file_name: str = "") -> None:
        """Read a model.

        Args:
            model: The bytes of its file; they may be mapped.
            file_name: Where its parts will find the weights; "" copies them into the parts.

        Raises:
            GraphError: It is no ONNX model.
        """
        self._file_name = file_name.encode()
        try:
            self._read(memoryview(model))
        except (IndexError, UnicodeDecodeError, TypeError) as error:
            raise GraphError(f"the model cannot be read: {error}") from None

    def _read(self, model: memoryview) -> None:
        self.nodes: list[Node] = []
        self._values: dict[str, Bytes] = {}
        self._inputs: dict[str, Bytes] = {}
        self._initializers: dict[str, Bytes] = {}
        outputs: list[str] = []
        header = []
        graph: list[tuple[int, int | Bytes, int]] = []
        for number, value, place in _located(model, 0):
            if number in (_IR_VERSION, _OPSET, _FUNCTIONS):
                header.append(field(number, value))
            elif number == _GRAPH:
                graph += _located(memoryview(_bytes(value)), place)
        self._header = b"".join(header)
        for number, value, place in graph:
            if number == _NODE:
                self.nodes.append(Node.read(_bytes(value)))
            elif number == _INITIALIZER:
                name = _name(_bytes(value), _TENSOR_NAME)
                self._initializers[name] = self._lent(memoryview(_bytes(value)), place)
            elif number == _INPUT:
                self._inputs[_name(_bytes(value), 1)] = _bytes(value)
            elif number == _OUTPUT:
                outputs.append(_name(_bytes(value), 1))
            elif number == _VALUE_INFO:
                self._values[_name(_bytes(value), 1)] = _bytes(value)
        self.inputs = tuple(name for name in self._inputs if name not in self._initializers)
        self.outputs = tuple(outputs)
        self.maker = {output: node for node in self.nodes for output in node.outputs}

    def _lent(self, tensor: memoryview, place: int) -> Bytes:
        """Return a tensor that says where its bytes are instead of holding them."""
        if not self._file_name or len(tensor) < _WORTH_MAPPING_BYTES:
            return tensor
        parts = []
        for number, value, inside in _located(tensor, place):
            if number != _RAW_DATA:
                parts.append(field(number, value))
                continue
            where = {b"location": self._file_name, b"offset": b"%d" % inside}
            where[b"length"] = b"%d" % len(_bytes(value))
            entries = (field(1, key) + field(2, text) for key, text in where.items())
            parts += [field(_EXTERNAL_DATA, entry) for entry in entries]
            parts.append(field(_DATA_LOCATION, _EXTERNAL))
        return b"".join(parts)

    def descendants(self, names: Iterable[str]) -> set[str]:
        """Return everything that is computed from any of `names`, themselves included."""
        found = set(names)
        for node in self.nodes:
            if not found.isdisjoint(node.inputs):
                found.update(node.outputs)
        return found

    def needed(self, outputs: Iterable[str], given: Iterable[str]) -> tuple[list[Node], set[str]]:
        """Return the nodes that compute `outputs` from `given`, and all names that they take."""
        stop, waiting, kept, taken = set(given), list(outputs), set(), set()
        while waiting:
            name = waiting.pop()
            taken.add(name)
            node = self.maker.get(name)
            if name in stop or node is None or id(node) in kept:
                continue
            kept.add(id(node))
            waiting += [i for i in node.inputs if i not in taken]
        return [node for node in self.nodes if id(node) in kept], taken

    def extract(self, given: Sequence[str], outputs: Sequence[str]) -> bytes:
        """Return a model of the part that computes `outputs` from `given`.

        Values have a type and no shape, and those in between not even that: onnxruntime works it
        out by itself, and to compare it with what it is told takes it four times as long as all
        the rest of loading a voice.

        Raises:
            GraphError: They cannot be computed from that.
        """
        nodes, taken = self.needed(outputs, given)
        known = {*given, *self._initializers, *(o for node in nodes for o in node.outputs)}
        if lost := sorted({name for name in taken if name not in known}):
            raise GraphError(f"{lost[0]} is not given")
        parts = [field(_NODE, node.raw) for node in nodes]
        parts.append(field(_NAME, b"part"))
        parts += [field(_INITIALIZER, r) for name, r in self._initializers.items() if name in taken]
        parts += [field(_INPUT, self._describe(name)) for name in given]
        parts += [field(_OUTPUT, self._describe(name)) for name in outputs]
        return b"".join((self._header, field(_GRAPH, b"".join(parts))))

    def _describe(self, name: str) -> bytes:
        return field(1, name.encode()) + field(2, field(1, field(1, self._kind(name))))

    def _kind(self, name: str) -> int:
        """Return the type of a value's elements; a float where the file does not say."""
        inner = self._inputs.get(name) or self._values.get(name, b"")
        for number in (2, 1):  # ValueInfoProto.type.tensor_type
            inner = next((_bytes(value) for n, value in fields(inner) if n == number), b"")
        kind = next((value for n, value in fields(inner) if n == 1), _FLOAT)
        return kind if isinstance(kind, int) else _FLOAT


def fields(message: Bytes) -> Iterator[tuple[int, int | Bytes]]:
    """Yield number and value of each field of a protocol buffer.

    Raises:
        IndexError: The message ends in the middle of a field.
    """
    for number, value, _ in _located(memoryview(message), 0):
        yield number, value


def _located(view: memoryview, start: int) -> Iterator[tuple[int, int | Bytes, int]]:
    """Yield number, value and place of each field of a message that begins at `start`."""
    place, size = 0, len(view)
    while place < size:
        key, place = _varint(view, place)
        kind = key & 7
        if kind == _VARINT:
            number, place = _varint(view, place)
            yield key >> 3, number, start + place
            continue
        if kind == _LENGTH:
            length, place = _varint(view, place)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise IndexError("there is a field of an unknown kind")
        if place + length > size:
            raise IndexError("it is cut short")
        yield key >> 3, view[place : place + length], start + place
        place += length


def field(number: int, value: int | Bytes) -> bytes:
    """Return a field of a protocol buffer."""
    if isinstance(value, int):
        return _to_varint(number << 3 | _VARINT) + _to_varint(value)
    return b"".join((_to_varint(number << 3 | _LENGTH), _to_varint(len(value)), value))


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _to_varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _packed(value: Bytes) -> list[int]:
    view, place, values = memoryview(value), 0, []
    while place < len(view):
        number, place = _varint(view, place)
        values.append(number)
    return values


def _captured(attribute: Bytes) -> Iterator[str]:
    """Yield what the branches and loops inside an attribute may take from outside."""
    for number, graph in fields(attribute):
        if number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            for part, node in fields(_bytes(graph)):
                if part == _NODE:
                    yield from Node.read(_bytes(node)).inputs


def _name(message: Bytes, number: int) -> str:
    return next((_text(value) for found, value in fields(message) if found == number), "")


def _bytes(value: int | Bytes) -> Bytes:
    if isinstance(value, int):
        raise TypeError("a number stands where a message should")
    return value


def _text(value: int | Bytes) -> str:
    return bytes(_bytes(value)).decode()
