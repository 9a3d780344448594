"""Smart Turn: tells by its melody whether what somebody says is complete.

The model and what it hears come with Pipecat, whose own analyzer keeps 54 MB; this one keeps 27.
"""

from __future__ import annotations

import threading
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebot.engines.memory import trim
from edgebot.errors import EngineError

RATE_HZ = 16_000
# It always looks at as much; what is missing is silence before.
LOOKS_AT_S = 8.0
_FOLDER, _ENDING = "pipecat.audio.turn.smart_turn.data", ".onnx"


class SmartTurn:
    """The model, loaded when it is asked for the first time: whoever asks questions never needs it.

    It may be asked from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Any = None

    def completeness(self, audio: bytes) -> float:
        """Return how likely it is that nothing follows, 0.0 to 1.0.

        Some 50 ms of one core here, and perhaps ten times that on a Raspberry Pi 4.

        Args:
            audio: 16-bit mono PCM at 16 kHz of the turn so far, with a tenth of a second of the
                silence behind it or a little more. Only its last 8 s count.

        Raises:
            EngineError: The model cannot be used.
        """
        try:
            # Imported here because they cost time at the start.
            from pipecat.audio.turn.smart_turn._whisper_features import (
                compute_whisper_log_mel_features,
            )

            with self._lock:
                if self._session is None:
                    self._session = _load()
                features = compute_whisper_log_mel_features(_last(audio), do_normalize=True)
                (likely,) = self._session.run(None, {"input_features": features[np.newaxis]})
                trim()
        except Exception as error:  # onnxruntime's own, or an installation that is not whole
            raise EngineError(f"Smart Turn cannot be used: {error}") from None
        return float(likely.item())


def _last(audio: bytes) -> npt.NDArray[np.float32]:
    samples = np.frombuffer(audio, dtype="<i2").astype(np.float32)[-int(LOOKS_AT_S * RATE_HZ) :]
    return np.pad(samples / 32768, (int(LOOKS_AT_S * RATE_HZ) - len(samples), 0))


def _load() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # An arena would keep what one look needs: as much as the model itself.
    options.enable_cpu_mem_arena = False
    (model,) = (file for file in resources.files(_FOLDER).iterdir() if file.name.endswith(_ENDING))
    with resources.as_file(model) as path:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
