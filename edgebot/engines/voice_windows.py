"""Decodes a split voice in windows: the first is short, so that it is heard soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgebot.engines.voice_split import Part, SplitVoice

# 0.37 s of the usual 22050 Hz voice. Each window is half as long again as the one before: while
# that sounds, there is time for this one as long as decoding takes half of real time.
FIRST_FRAMES = 32
# Longer ones save little and take more memory.
MOST_FRAMES = 192

Run = Callable[[Mapping[str, np.ndarray]], Sequence[Any]]


def windows(frames: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each window of a sentence; the last one takes a short rest with it."""
    begin, size = 0, FIRST_FRAMES
    while begin < frames:
        end = begin + size if frames - begin - size >= size // 2 else frames
        yield begin, end
        begin, size = end, min(size + size // 2, MOST_FRAMES)


class WindowedVoice:
    """The three parts of a voice, ready to run.

    What comes out is what the whole voice would have said of the same frames: every window is
    decoded with as many frames on either side as can have a say in it.
    """

    def __init__(self, split: SplitVoice, load: Callable[[Part], Run]) -> None:
        """Load the parts.

        Args:
            split: The voice.
            load: Returns what runs a part.
        """
        self._split = split
        self._encode = load(split.encoder)
        self._flow = load(split.flow)
        self._vocode = load(split.vocoder)

    def run(self, inputs: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the samples of a sentence, window by window, as floats.

        Args:
            inputs: What the whole voice is given.
        """
        made = dict(zip(self._split.encoder.outputs, self._encode(inputs), strict=True))
        sentence = _Sentence(self._split, made, self._flow, self._vocode)
        for begin, end in windows(sentence.frames):
            yield sentence.decode(begin, end)


class _Sentence:
    """One sentence's frames on their way to sound."""

    def __init__(
        self, split: SplitVoice, made: Mapping[str, np.ndarray], flow: Run, vocode: Run
    ) -> None:
        self._split, self._made = split, made
        self._run_flow, self._run_vocoder = flow, vocode
        self._latent, self._hidden_name = split.flow.inputs[0], split.flow.outputs[0]
        self.frames: int = made[self._latent].shape[-1]
        self._hidden: np.ndarray | None = None
        self._flown = 0

    def decode(self, begin: int, end: int) -> np.ndarray:
        """Return the samples of some frames; the frames before them are decoded already."""
        margin, samples = self._split.vocoder_margin, self._split.frame_samples
        first, last = max(begin - margin, 0), min(end + margin, self.frames)
        hidden = self._flow_until(last)
        inputs = {
            name: hidden[..., first:last]
            if name == self._hidden_name
            else self._cut(name, first, last)
            for name in self._split.vocoder.inputs
        }
        sound: np.ndarray = self._run_vocoder(inputs)[0].reshape(-1)
        return sound[(begin - first) * samples : (end - first) * samples]

    def _flow_until(self, end: int) -> np.ndarray:
        """Bring the flow up to a frame and return all its frames: none is computed twice."""
        begin, margin = self._flown, self._split.flow_margin
        if end > begin:
            first, last = max(begin - margin, 0), min(end + margin, self.frames)
            inputs = {name: self._cut(name, first, last) for name in self._split.flow.inputs}
            flown = self._run_flow(inputs)[0]
            if self._hidden is None:
                self._hidden = np.empty((*flown.shape[:-1], self.frames), flown.dtype)
            self._hidden[..., begin:end] = flown[..., begin - first : end - first]
            self._flown = end
        assert self._hidden is not None
        return self._hidden

    def _cut(self, name: str, first: int, last: int) -> np.ndarray:
        """Return some frames of what the encoder made; what is no row of frames goes whole."""
        value = self._made[name]
        return value[..., first:last] if value.shape[-1] == self.frames else value
