"""Its name in the sound: microWakeWord, and what every wake word engine offers."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

from edgebot.errors import BrokenModelError, ConfigError, MissingModelError

RATE_HZ = 16_000
BUNDLED = {model.value: model for model in Model}
# The model's own cutoff is the middle; a model never says more than 0.996 of its surest word.
_STRICTEST, _LOOSEST = 0.99, 0.3
# While it speaks, the cutoff is moved by this share towards the strictest.
_STRICTER = 0.5
# The mean over the model's window passes the cutoff so long after the last sound of the name; a
# model may know its word before it has ended.
_LATE_S = {"hey_jarvis": 0.25, "hey_mycroft": 0.05}
_USUALLY_LATE_S = 0.2
# The step between two features.
_STEP_S = 0.01
# One name is heard once: in the silence behind it a model may become sure of it again.
_DEAF_S = 2.0


@dataclass(frozen=True)
class Detection:
    """Its name was heard.

    Attributes:
        name: As a person says it: "hey Jarvis".
        ago_s: How long before the end of the sound the name ended.
    """

    name: str
    ago_s: float


class WakeWordEngine(Protocol):
    """What listens for the names."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def accept(self, audio: bytes, *, strict: bool = False) -> Detection | None: ...
    def reset(self) -> None: ...


class MicroWakeWordEngine:
    """Listens for one or more names at once; each costs about 0.1 % of a core."""

    def __init__(self, words: Sequence[str], *, sensitivity: float = 0.5) -> None:
        """Load the models.

        Args:
            words: Names of bundled models (`BUNDLED`), or .tflite files, each beside its .json.
            sensitivity: 0.0 to 1.0; 0.5 is what each model asks for.

        Raises:
            ConfigError: There is no such word, or no word at all.
            MissingModelError: A model's file is not there.
            BrokenModelError: A model's files cannot be read.
        """
        if not words:
            raise ConfigError('There is no wake word: set wake.words, or wake.mode = "button".')
        self._models = [load(word) for word in words]
        for model in self._models:
            model.probability_cutoff = cutoff(model.probability_cutoff, sensitivity)
        self._features = MicroWakeWordFeatures()
        self._sure: set[MicroWakeWord] = set()
        self._deaf_bytes = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names as a person says them, such as "hey Jarvis"."""
        return tuple(map(spoken, self._models))

    def accept(self, audio: bytes, *, strict: bool = False) -> Detection | None:
        """Hear sound and tell whether it ends a name.

        Args:
            audio: 16-bit mono PCM at 16 kHz, any length.
            strict: Whether it must be surer than usual, because it speaks itself.
        """
        self._deaf_bytes = max(0, self._deaf_bytes - len(audio))
        found: MicroWakeWord | None = None
        steps_ago = 0
        for features in self._features.process_streaming(audio):
            steps_ago += found is not None
            for model in self._models:
                is_sure = (model.process_streaming_prob(features) or 0.0) > self._cutoff(
                    model, strict
                )
                # A model may stay sure of a name for more than a second.
                if is_sure and model not in self._sure:
                    found = found or model
                (self._sure.add if is_sure else self._sure.discard)(model)
        if found is None or self._deaf_bytes:
            return None
        self._deaf_bytes = int(_DEAF_S * RATE_HZ) * 2
        late_s = _LATE_S.get(found.id, _USUALLY_LATE_S)
        return Detection(spoken(found), late_s + steps_ago * _STEP_S)

    def reset(self) -> None:
        """Forget all that was heard."""
        self._features.reset()
        self._sure.clear()
        self._deaf_bytes = 0
        for model in self._models:
            model.reset()

    @staticmethod
    def _cutoff(model: MicroWakeWord, strict: bool) -> float:
        usual = model.probability_cutoff
        return usual + max(0.0, _STRICTEST - usual) * _STRICTER if strict else usual


def cutoff(own: float, sensitivity: float) -> float:
    """Return the probability that a model must pass.

    Args:
        own: What the model asks for, at a sensitivity of 0.5.
        sensitivity: 0.0, the strictest, to 1.0.
    """
    end = _STRICTEST if sensitivity < 0.5 else _LOOSEST
    return own + (end - own) * abs(sensitivity - 0.5) * 2


def spoken(model: MicroWakeWord) -> str:
    """Return the name of a model as a person says it: "hey Jarvis"."""
    *before, last = str(model.wake_word).split() or [str(model.id)]
    return " ".join([*(word.lower() for word in before), last])


def load(word: str) -> MicroWakeWord:
    """Load a bundled model by its name, or one's own by its file."""
    if word in BUNDLED:
        return MicroWakeWord.from_builtin(BUNDLED[word])
    file = Path(word).expanduser()
    if file.suffix not in (".tflite", ".json"):
        raise ConfigError(unknown_word(word))
    for part in (file.with_suffix(".tflite"), file.with_suffix(".json")):
        if not part.is_file():
            raise MissingModelError(
                f"There is no file {part}: a wake word is a .tflite file and a .json beside it."
            )
    try:
        return MicroWakeWord.from_config(file.with_suffix(".json"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise BrokenModelError(f"The wake word {file} cannot be loaded: {error!r}.") from None


def unknown_word(word: str) -> str:
    """Say that there is no such word, with the nearest one that there is."""
    plain = "_".join(word.lower().split())
    near = difflib.get_close_matches(plain, BUNDLED, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    choices = ", ".join(map(repr, sorted(BUNDLED)))
    return (
        f"There is no wake word {word!r}: it may be {choices}, or a .tflite file of your own.{hint}"
    )
