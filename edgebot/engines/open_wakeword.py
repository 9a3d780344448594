"""Its name in the sound, by openWakeWord: installed only where it is asked for.

The package brings no models: `openwakeword.utils.download_models()` fetches them once, or a model
of one's own lies beside `melspectrogram.onnx` and `embedding_model.onnx`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgebot.engines.wakeword import RATE_HZ, Detection
from edgebot.errors import BrokenModelError, ConfigError, MissingModelError

# What the package advises as a threshold, and what moves it.
_OWN, _STRICTEST, _LOOSEST = 0.5, 0.95, 0.1
_STRICTER = 0.5
# It judges whole steps of 80 ms.
_STEP_BYTES = int(0.08 * RATE_HZ) * 2
_LATE_S = 0.2
_DEAF_S = 2.0


class OpenWakeWordEngine:
    """Listens for one or more names at once; ten times as costly as microWakeWord."""

    def __init__(self, words: Sequence[str], *, sensitivity: float = 0.5) -> None:
        """Load the models.

        Args:
            words: Names of the package's own models, or .onnx files.
            sensitivity: 0.0 to 1.0; 0.5 is a threshold of 0.5.

        Raises:
            ConfigError: The package is not installed, or there is no word.
            MissingModelError: A model's file is not there.
            BrokenModelError: The package refuses a model.
        """
        if not words:
            raise ConfigError('There is no wake word: set wake.words, or wake.mode = "button".')
        try:
            module: Any = importlib.import_module("openwakeword.model")
        except ImportError:
            raise ConfigError(
                'wake.engine = "openwakeword" needs a package that is not installed: '
                'pip install openwakeword, or set wake.engine = "microwakeword".'
            ) from None
        for word in words:
            if word.endswith(".onnx") and not Path(word).expanduser().is_file():
                raise MissingModelError(f"There is no file {word}: a wake word is an .onnx file.")
        try:
            self._model: Any = module.Model(
                wakeword_models=[str(Path(word).expanduser()) for word in words],
                inference_framework="onnx",
            )
        except Exception as error:
            raise BrokenModelError(
                f"openWakeWord cannot load {', '.join(words)} ({error}): its models come by "
                'python -c "import openwakeword.utils as u; u.download_models()".'
            ) from None
        end = _STRICTEST if sensitivity < 0.5 else _LOOSEST
        self._cutoff = _OWN + (end - _OWN) * abs(sensitivity - 0.5) * 2
        self._names = {Path(word).stem: Path(word).stem.replace("_", " ") for word in words}
        self._waiting = bytearray()
        self._deaf_bytes = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names as a person says them, such as "hey jarvis"."""
        return tuple(self._names.values())

    def accept(self, audio: bytes, *, strict: bool = False) -> Detection | None:
        """Hear sound and tell whether it ends a name.

        Args:
            audio: 16-bit mono PCM at 16 kHz, any length.
            strict: Whether it must be surer than usual, because it speaks itself.
        """
        self._waiting += audio
        cutoff = self._cutoff + (_STRICTEST - self._cutoff) * _STRICTER * strict
        found: Detection | None = None
        while len(self._waiting) >= _STEP_BYTES:
            step = np.frombuffer(bytes(self._waiting[:_STEP_BYTES]), dtype="<i2")
            del self._waiting[:_STEP_BYTES]
            self._deaf_bytes = max(0, self._deaf_bytes - _STEP_BYTES)
            for name, likelihood in self._model.predict(step).items():
                if likelihood > cutoff and not self._deaf_bytes:
                    self._deaf_bytes = int(_DEAF_S * RATE_HZ) * 2
                    found = Detection(self._names.get(name, name), _LATE_S)
        return found

    def reset(self) -> None:
        """Forget all that was heard."""
        self._waiting.clear()
        self._model.reset()
