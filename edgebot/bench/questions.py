"""What is asked, spoken once by the assistant's own voice and kept."""

from __future__ import annotations

import asyncio
import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import platformdirs

from edgebot.bench.levels import last_loud_s
from edgebot.bench.names import model_name
from edgebot.config import Settings
from edgebot.errors import AudioFileError, ConfigError
from edgebot.speaking import synthesize
from edgebot.stages.recording import RATE_HZ, Recording, read_recording, write_wav


@dataclass(frozen=True)
class Question:
    """A text and its sound.

    Attributes:
        text: What is asked.
        recording: How it sounds; its `name` is that of its file.
        end_s: Where its last loud sample is.
    """

    text: str
    recording: Recording
    end_s: float


def texts() -> list[str]:
    """Return all questions that there are."""
    file = resources.files("edgebot.bench").joinpath("questions.toml")
    return [str(text) for text in tomllib.loads(file.read_text(encoding="utf-8"))["questions"]]


def choose(count: int) -> list[str]:
    """Return so many questions; when there are no more, they are asked again."""
    every = texts()
    return [every[number % len(every)] for number in range(count)]


def folder() -> Path:
    """Return where spoken questions are kept."""
    return Path(platformdirs.user_cache_dir("edgebot")) / "questions"


def speak(settings: Settings, wanted: Sequence[str]) -> list[Question]:
    """Return questions as recordings; what was spoken before is not spoken again.

    It runs an event loop of its own.

    Raises:
        ConfigError: They are in another language than the assistant's.
        AudioFileError: They cannot be kept.
        ModelError: There is no voice.
    """
    if settings.language != "en":
        raise ConfigError("The questions are English: measure with --set language=en.")
    voice = model_name("tts", settings)
    files = [_file(f"{voice} {settings.tts.speed} {text}") for text in wanted]
    missing = [(file, text) for file, text in zip(files, wanted, strict=True) if not file.exists()]
    if missing:
        _speak(settings, missing)
    return [_question(file, text) for file, text in zip(files, wanted, strict=True)]


def _file(what: str) -> Path:
    return folder() / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.wav"


def _speak(settings: Settings, missing: Sequence[tuple[Path, str]]) -> None:
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"{folder()} cannot be made: {error.strerror}.") from None
    spoken = asyncio.run(synthesize(settings, [text for _, text in missing]))
    for (file, _), (audio, rate_hz) in zip(missing, spoken, strict=True):
        part = file.with_suffix(".part")
        write_wav(part, audio, rate_hz)
        part.replace(file)


def _question(file: Path, text: str) -> Question:
    recording = read_recording(file, str(file))
    return Question(text, recording, last_loud_s(recording.audio, RATE_HZ))
