"""Piper in this process: text in, sound out."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from piper import PiperVoice
from piper.config import PiperConfig

from edgebot.engines.at_work import OTHERS
from edgebot.engines.loudness import Limiter, gain_for, without_lead
from edgebot.engines.voice_split import NotSplittableError, Part, SplitVoice, split_voice
from edgebot.engines.voice_windows import WindowedVoice
from edgebot.errors import BrokenModelError

_LOUDEST = 32767


class PiperEngine:
    """One voice. Use it from one thread; only `stop` may be called from another.

    Attributes:
        rate_hz: Of the sound.
        whole_because: Why each sentence is decoded as a whole; None where it comes in windows.
    """

    rate_hz: int
    whole_because: str | None

    def __init__(
        self, path: Path, *, threads: int = 0, speed: float = 1.0, volume: float = 1.0
    ) -> None:
        """Load the voice, without any network.

        Args:
            path: The voice's `.onnx` file; its `.onnx.json` lies beside it.
            threads: 0 takes one processor where there are four or more, else all.
            speed: 1.0 is the voice's own; higher is faster.
            volume: Multiplies the samples.

        Raises:
            BrokenModelError: A file is missing, or onnxruntime refuses it.
        """
        self._brake = Brake()
        self._volume = volume
        try:
            config = PiperConfig.from_dict(
                json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
            )
            # onnxruntime follows no links to the weights.
            self._decode = self._load(path.resolve(strict=True), threads)
        except Exception as error:  # onnxruntime raises a family of its own
            raise BrokenModelError(f"Piper cannot load the voice {path}: {error}") from None
        self.rate_hz = config.sample_rate
        self._config = config
        self._length_scale = config.length_scale / speed
        # It only makes phonemes of text here.
        self._phonemizer = PiperVoice(session=None, config=config)

    def _load(self, path: Path, threads: int) -> Callable[[dict[str, Any]], Iterator[np.ndarray]]:
        try:
            split = _split(path)
        except NotSplittableError as error:
            self.whole_because = str(error)
            whole = onnxruntime.InferenceSession(
                str(path), _options(threads), ["CPUExecutionProvider"]
            )
            return lambda inputs: iter([self._brake.run(whole, inputs)[0].reshape(-1)])
        self.whole_because = None

        options = _options(threads)
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent)
        )
        # More of it takes longer than it ever gains.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC

        def load_part(part: Part) -> Callable[[Mapping[str, np.ndarray]], list[Any]]:
            session = onnxruntime.InferenceSession(part.model, options, ["CPUExecutionProvider"])
            return lambda inputs: self._brake.run(session, inputs, part.outputs)

        return WindowedVoice(split, load_part).run

    def synthesize(self, text: str) -> Iterator[bytes]:
        """Yield a text's sound as 16-bit mono PCM at `rate_hz`, until `stop` is called.

        It comes in pieces, each as soon as it is decoded: the first of a sentence is short.
        """
        self._brake.release()
        with OTHERS.counted():
            for level in self._levels(text):
                scaled = np.clip(level * self._volume, -1.0, 1.0) * _LOUDEST
                yield scaled.astype("<i2").tobytes()

    def _levels(self, text: str) -> Iterator[np.ndarray]:
        """Yield a text's sound as numbers from -1.0 to 1.0, from where it can be heard."""
        begun = False
        try:
            # espeak-ng takes its text as a C string.
            for phonemes in self._phonemizer.phonemize(text.replace("\0", " ")):
                limit = Limiter(self._gain)
                for piece in self._speak(phonemes):
                    if self._brake.on:
                        return
                    level = limit(piece)
                    # A voice may draw its breath for longer than the first piece.
                    heard = level if begun else without_lead(level, self.rate_hz)
                    if len(heard):
                        begun = True
                        yield heard
        except Exception:
            if not self._brake.on:
                raise

    def warm(self) -> None:
        """Speak into the void, so that the first sentence starts as fast as the second."""
        for _ in self.synthesize("Ready."):
            pass

    def stop(self) -> None:
        """Make a running `synthesize` return within one step of its computation."""
        self._brake.stop()

    @cached_property
    def _gain(self) -> float:
        """What brings this voice to the loudness of speech: measured once, without any noise."""
        spoken = [
            piece
            for phonemes in self._phonemizer.phonemize("Ready.")
            for piece in self._speak(phonemes, noisy=False)
        ]
        return gain_for(np.concatenate(spoken)) if spoken else 1.0

    def _speak(self, phonemes: Sequence[str], *, noisy: bool = True) -> Iterator[np.ndarray]:
        if not phonemes:
            return
        config = self._config
        ids = np.array([self._phonemizer.phonemes_to_ids(list(phonemes))], dtype=np.int64)
        noise = (config.noise_scale, config.noise_w_scale) if noisy else (0.0, 0.0)
        inputs = {
            "input": ids,
            "input_lengths": np.array([ids.shape[1]], dtype=np.int64),
            "scales": np.array([noise[0], self._length_scale, noise[1]], dtype=np.float32),
        }
        if config.num_speakers > 1:
            inputs["sid"] = np.array([config.default_speaker_id], dtype=np.int64)
        yield from self._decode(inputs)


class Brake:
    """Ends a running inference from another thread, and every later one until it is released."""

    def __init__(self) -> None:
        self._options = onnxruntime.RunOptions()

    @property
    def on(self) -> bool:
        """Whether `stop` was called since the last `release`."""
        return bool(self._options.terminate)

    def release(self) -> None:
        """Let the next inferences go to their end."""
        self._options = onnxruntime.RunOptions()

    def stop(self) -> None:
        """End the running inference with an error."""
        self._options.terminate = True

    def run(
        self,
        session: onnxruntime.InferenceSession,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None,
    ) -> list[Any]:
        """Run a model as `onnxruntime.InferenceSession.run` does."""
        return list(session.run(outputs, inputs, self._options))


def _split(path: Path) -> SplitVoice:
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise NotSplittableError("the file is empty") from None
        return split_voice(memoryview(mapped), path.name)


def _options(threads: int) -> onnxruntime.SessionOptions:
    processors = os.cpu_count() or 1
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or (1 if processors >= 4 else processors)
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the processor from the language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # The arena keeps the memory of the longest sentence for ever, and the plan of it is of no use
    # where no two sentences are equally long.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return options
