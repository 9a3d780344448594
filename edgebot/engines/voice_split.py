"""Cuts a Piper voice into an encoder and a decoder that can work through a sentence in windows.

A voice is a VITS model (Kim et al. 2021, https://arxiv.org/abs/2106.06103). Its encoder looks at
the whole sentence and draws a row of frames, `z_p`; a flow and a HiFi-GAN vocoder make sound of
them. These two only look a known number of frames to either side, so a stretch of the sound needs
no more than a stretch of the frames. The cuts are found by what the graph does, and the number of
frames by its convolutions: no name or number of a particular voice is relied upon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from edgebot.engines.onnx_graph import Graph, GraphError, Node

_NOISE = ("RandomNormalLike", "RandomNormal")
# What makes each frame of that frame alone. All others, apart from convolutions, are refused.
_FRAME_BY_FRAME = (
    *("Add", "Sub", "Mul", "Div", "Neg", "Exp", "Tanh", "Sigmoid", "Relu", "LeakyRelu"),
    *("Cast", "Identity", "Split", "Slice", "Concat", "Shape", "ConstantOfShape", "Unsqueeze"),
)


class NotSplittableError(Exception):
    """A voice whose graph is another than VITS as Piper exports it."""


@dataclass(frozen=True)
class Part:
    """One part of a voice: an ONNX model.

    Attributes:
        model: Its bytes; where they name a file, onnxruntime must be told its folder.
        inputs: The names of what it is given.
        outputs: The names of what it returns.
    """

    model: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class SplitVoice:
    """A voice in three parts.

    Attributes:
        encoder: Phonemes → frames, and whatever else the other two need of it.
        flow: The first of the encoder's outputs → frames for the vocoder, its only output.
        vocoder: The flow's output → samples.
        flow_margin: How many frames to either side have a say in a frame of the flow.
        vocoder_margin: Likewise of the vocoder.
        frame_samples: How many samples a frame is.
    """

    encoder: Part
    flow: Part
    vocoder: Part
    flow_margin: int
    vocoder_margin: int
    frame_samples: int


def split_voice(model: bytes | memoryview, file_name: str = "") -> SplitVoice:
    """Cut a voice.

    Args:
        model: The bytes of its `.onnx` file; they may be mapped.
        file_name: The file's own name: the parts are small and take their weights from there. ""
            copies the weights.

    Raises:
        NotSplittableError: It has another graph.
    """
    try:
        graph = Graph(model, file_name)
        if not graph.outputs:
            raise NotSplittableError("the model returns nothing")
        return _split(graph)
    except GraphError as error:
        raise NotSplittableError(str(error)) from None


def _split(graph: Graph) -> SplitVoice:
    sound = graph.outputs[0]
    latent = _find_latent(graph)
    hidden = _find_hidden(graph, latent)
    flow_takes = _taken_beside(graph, latent, [hidden])
    vocoder_takes = _taken_beside(graph, hidden, [sound])
    if set(vocoder_takes) & (graph.descendants([latent]) - {hidden}):
        raise NotSplittableError("the vocoder takes more from the flow than one row of frames")
    handed_over = tuple(dict.fromkeys((latent, *flow_takes, *vocoder_takes)))
    flow_reach = _reach(graph, latent, hidden)
    vocoder_reach = _reach(graph, hidden, sound)
    if flow_reach.samples != 1:
        raise NotSplittableError("the flow changes the number of frames")
    return SplitVoice(
        encoder=_part(graph, graph.inputs, handed_over),
        flow=_part(graph, (latent, *flow_takes), (hidden,)),
        vocoder=_part(graph, (hidden, *vocoder_takes), (sound,)),
        flow_margin=math.ceil(flow_reach.frames),
        vocoder_margin=math.ceil(vocoder_reach.frames),
        frame_samples=vocoder_reach.samples,
    )


def _part(graph: Graph, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Part:
    return Part(graph.extract(inputs, outputs), inputs, outputs)


def _find_latent(graph: Graph) -> str:
    """Return z_p = mean + noise · deviation · scale: a noise that is multiplied, then added to.

    The noise of the durations comes before it and is never added to anything.
    """
    for noise in reversed([node for node in graph.nodes if node.op in _NOISE]):
        name = noise.outputs[0]
        while (users := [node for node in graph.nodes if name in node.inputs]) and len(users) == 1:
            name = users[0].outputs[0]
            if users[0].op == "Add":
                return name
            if users[0].op != "Mul":
                break
    raise NotSplittableError("no frames are drawn from a noise")


def _find_hidden(graph: Graph, latent: str) -> str:
    """Return what the vocoder begins with: the input of the first layer that makes it longer."""
    made = graph.descendants([latent])
    for node in graph.nodes:
        if node.op == "ConvTranspose" and node.inputs[0] in made:
            return node.inputs[0]
    raise NotSplittableError("no layer makes samples of frames")


def _taken_beside(graph: Graph, start: str, ends: list[str]) -> tuple[str, ...]:
    """Return what depends on the text and is needed beside `start` to compute `ends`.

    It is taken as late as possible, so that nothing of the encoder is computed twice.
    """
    noises = [node.outputs[0] for node in graph.nodes if node.op in _NOISE]
    varying = graph.descendants([*graph.inputs, *noises])
    inner = graph.descendants([start])
    nodes, _ = graph.needed(ends, [start])
    taken = (name for node in nodes if not inner.isdisjoint(node.outputs) for name in node.inputs)
    return tuple(dict.fromkeys(name for name in taken if name in varying and name not in inner))


@dataclass(frozen=True)
class _Reach:
    """How many frames to either side a value depends on, and how many values a frame has."""

    frames: Fraction
    samples: int


def _reach(graph: Graph, start: str, end: str) -> _Reach:
    reach = {start: _Reach(Fraction(0), 1)}
    nodes, _ = graph.needed([end], [start])
    for node in nodes:
        before = [reach[name] for name in node.inputs if name in reach]
        if before:
            widest = _Reach(max(r.frames for r in before), max(r.samples for r in before))
            reach |= dict.fromkeys(node.outputs, _widened(node, widest))
    if end not in reach:
        raise NotSplittableError("the sound does not depend on the frames")
    return reach[end]


def _widened(node: Node, before: _Reach) -> _Reach:
    if node.op not in ("Conv", "ConvTranspose"):
        if node.op not in _FRAME_BY_FRAME:
            raise NotSplittableError(f"the decoder holds a {node.op}")
        return before
    kernel, stride = node.integers.get("kernel_shape", []), node.integers.get("strides", [1])[0]
    if len(kernel) != 1 or (node.op == "Conv" and stride != 1):
        raise NotSplittableError("a convolution is not along the frames alone")
    span = (kernel[0] - 1) * node.integers.get("dilations", [1])[0]
    pad = node.integers.get("pads", [0])[0]
    side = Fraction(max(pad, span - pad))
    if node.op == "Conv":
        return _Reach(before.frames + side / before.samples, before.samples)
    # Its output's samples do not lie upon the input's: one more has a say.
    return _Reach(before.frames + (side / stride + 1) / before.samples, before.samples * stride)
