"""Every fault has its exit code, and a word of explanation."""

from __future__ import annotations

import inspect

import pytest

from edgebot import errors
from edgebot.errors import EdgebotError

EXIT_CODES = {
    "EdgebotError": 1,
    "ConfigError": 3,
    "AudioFileError": 4,
    "ModelError": 5,
    "MissingModelError": 5,
    "BrokenModelError": 5,
    "DownloadError": 5,
    "DiskFullError": 5,
    "DeviceError": 6,
    "NoMicrophoneError": 6,
    "NoSpeakerError": 6,
    "DeviceBusyError": 6,
    "ServerError": 7,
    "EngineError": 8,
    "UnwellError": 12,
    "PinError": 9,
    "NotRunningError": 10,
    "MemoryLimitError": 11,
    "NetworkError": 13,
}
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


def test_every_class_has_its_exit_code() -> None:
    assert {kind.__name__: kind.exit_code for kind in CLASSES} == EXIT_CODES


def test_no_fault_has_a_code_that_means_something_else() -> None:
    # 2 is a wrong command line, 126 and more are the shell's.
    assert not {0, 2}.intersection(EXIT_CODES.values())
    assert max(EXIT_CODES.values()) < 126


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_is_an_edgebot_error_with_a_sentence(kind: type[EdgebotError]) -> None:
    assert issubclass(kind, EdgebotError)
    assert kind.__name__.endswith("Error")
    assert kind.__doc__
    assert kind.__doc__.strip().endswith(".")


def test_a_branch_of_the_tree_has_one_code() -> None:
    for kind in CLASSES:
        parent = kind.__bases__[0]
        if parent not in (EdgebotError, Exception):
            assert kind.exit_code == parent.exit_code


def test_the_message_is_the_error() -> None:
    assert str(errors.NoSpeakerError("There is no speaker.")) == "There is no speaker."
