"""Piper in this process: text in, sound out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from piper import PiperVoice, SynthesisConfig
from piper.config import PiperConfig

from edgebot.errors import BrokenModelError


class PiperEngine:
    """One voice. Use it from one thread; only `stop` may be called from another."""

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
        processors = os.cpu_count() or 1
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or (1 if processors >= 4 else processors)
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take the processor from the language model.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # The arena keeps the memory of the longest sentence for ever.
        options.enable_cpu_mem_arena = False
        try:
            config = PiperConfig.from_dict(
                json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
            )
            self._session = StoppableSession(
                onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
            )
        except Exception as error:  # onnxruntime raises a family of its own
            raise BrokenModelError(f"Piper cannot load the voice {path}: {error}") from None
        self.rate_hz: int = config.sample_rate
        self._voice = PiperVoice(session=self._session, config=config)
        self._style = SynthesisConfig(length_scale=config.length_scale / speed, volume=volume)

    def synthesize(self, text: str) -> Iterator[bytes]:
        """Yield each sentence as 16-bit mono PCM at `rate_hz`, until `stop` is called."""
        self._session.resume()
        try:
            # espeak-ng takes its text as a C string.
            for chunk in self._voice.synthesize(text.replace("\0", " "), self._style):
                if self._session.stopped:
                    return
                yield chunk.audio_int16_bytes
        except Exception:
            if not self._session.stopped:
                raise

    def warm(self) -> None:
        """Speak into the void, so that the first sentence starts as fast as the second."""
        for _ in self.synthesize("Ready."):
            pass

    def stop(self) -> None:
        """Make a running `synthesize` return within one step of its computation."""
        self._session.stop()


class StoppableSession:
    """An inference session whose run can be ended from another thread."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._options = onnxruntime.RunOptions()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called since the last `resume`."""
        return bool(self._options.terminate)

    def resume(self) -> None:
        """Let the next runs go to their end."""
        self._options = onnxruntime.RunOptions()

    def stop(self) -> None:
        """End the running inference with an error, and every later one until `resume`."""
        self._options.terminate = True

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, np.ndarray]) -> list[Any]:
        """Run the model as `onnxruntime.InferenceSession.run` does."""
        return list(self._session.run(outputs, inputs, self._options))
