"""A device is found by its number, its name, a part of it, or as the default; and it opens."""

from __future__ import annotations

import os
import sys

import pytest

from edgebot.errors import DeviceBusyError, DeviceError, NoMicrophoneError, NoSpeakerError
from edgebot.hw.audio_device import (
    MICROPHONE_RATE_HZ,
    AudioDevice,
    Kind,
    find_device,
    list_devices,
    port_audio,
    quiet_stderr,
)

from .fake_pyaudio import FakeLibrary

SPEAKER = "bcm2835 Headphones: - (hw:0,0)"
HEADSET = "USB Headset: Audio (hw:1,0)"


def refused(kind: Kind, wanted: str | int) -> tuple[type[DeviceError], str]:
    with pytest.raises(DeviceError) as caught:
        find_device(kind, wanted)
    return caught.type, str(caught.value)


# What there is


def test_every_device_that_records_or_plays_is_listed(library: FakeLibrary) -> None:
    assert list_devices() == [
        AudioDevice(0, SPEAKER, 44_100, 0, 8, frozenset({"speaker"})),
        AudioDevice(1, HEADSET, 48_000, 1, 2, frozenset()),
        AudioDevice(2, "USB", 48_000, 2, 0, frozenset()),
        AudioDevice(4, "default", 48_000, 32, 32, frozenset({"microphone"})),
    ]


def test_a_machine_without_devices(library: FakeLibrary) -> None:
    library.devices.clear()
    library.default_input = library.default_output = None
    assert list_devices() == []


def test_a_device_is_what_it_has_channels_for(library: FakeLibrary) -> None:
    speaker, headset, microphone, _ = list_devices()
    assert [speaker.is_a("microphone"), speaker.is_a("speaker")] == [False, True]
    assert [headset.is_a("microphone"), headset.is_a("speaker")] == [True, True]
    assert [microphone.is_a("microphone"), microphone.is_a("speaker")] == [True, False]


# Finding one


@pytest.mark.parametrize(
    ("kind", "wanted", "index"),
    [
        ("microphone", "default", 4),
        ("speaker", "default", 0),
        ("speaker", " DEFAULT ", 0),
        ("speaker", "", 0),
        ("microphone", 1, 1),
        ("microphone", "1", 1),
        ("speaker", HEADSET, 1),
        ("speaker", HEADSET.upper(), 1),
        # The whole name wins over a part of another's.
        ("microphone", "usb", 2),
        # A device that does not play is no speaker, whatever it is called.
        ("speaker", "usb", 1),
        ("speaker", "headphones", 0),
        ("speaker", "hw:1", 1),
    ],
)
def test_a_device_is_found(library: FakeLibrary, kind: Kind, wanted: str | int, index: int) -> None:
    assert find_device(kind, wanted).index == index


@pytest.mark.parametrize(
    ("kind", "wanted", "error", "message"),
    [
        (
            "microphone",
            "Jabra",
            NoMicrophoneError,
            f"There is no microphone 'Jabra' (audio.microphone). There are: {HEADSET!r}, 'USB', "
            "'default'.",
        ),
        (
            "speaker",
            2,
            NoSpeakerError,
            f"There is no speaker 2 (audio.speaker). There are: {SPEAKER!r}, {HEADSET!r}, "
            "'default'.",
        ),
    ],
)
def test_an_unknown_device_is_refused_with_those_there_are(
    library: FakeLibrary, kind: Kind, wanted: str | int, error: type, message: str
) -> None:
    assert refused(kind, wanted) == (error, message)


@pytest.mark.parametrize(
    ("kind", "error"), [("microphone", NoMicrophoneError), ("speaker", NoSpeakerError)]
)
def test_a_machine_without_any(library: FakeLibrary, kind: Kind, error: type) -> None:
    library.devices.clear()
    library.default_input = library.default_output = None
    assert refused(kind, "default") == (
        error,
        f"There is no {kind}: plug one in, or see `edgebot devices`.",
    )


def test_a_machine_without_a_default(library: FakeLibrary) -> None:
    library.default_output = None
    assert refused("speaker", "default")[0] is NoSpeakerError


# Opening it


def test_a_microphone_is_tried_at_the_pipelines_rate(library: FakeLibrary) -> None:
    find_device("microphone", 1)
    (stream,) = library.streams
    assert stream.closed
    assert stream.options["rate"] == MICROPHONE_RATE_HZ == 16_000
    assert (stream.options["input"], stream.options["output"]) == (True, False)
    assert stream.options["input_device_index"] == 1
    assert stream.options["start"] is False


def test_a_speaker_is_tried_at_its_own_rate(library: FakeLibrary) -> None:
    find_device("speaker", "default")
    (stream,) = library.streams
    assert stream.closed
    assert stream.options["rate"] == 44_100
    assert (stream.options["input"], stream.options["output"]) == (False, True)
    assert stream.options["output_device_index"] == 0


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (
            OSError(-9985, "Device unavailable"),
            DeviceBusyError,
            "The microphone 'USB' is busy or gone: end the program that uses it, or choose "
            "another with audio.microphone.",
        ),
        (
            OSError(-9997, "Invalid sample rate"),
            DeviceError,
            "The microphone 'USB' does not work at 16000 Hz: set audio.microphone to 'default' "
            "or to a device that converts, see `edgebot devices`.",
        ),
        (
            OSError(-9999, "Unanticipated host error"),
            DeviceError,
            "The microphone 'USB' cannot be opened: Unanticipated host error.",
        ),
        (
            OSError("Strange"),
            DeviceError,
            "The microphone 'USB' cannot be opened: Strange.",
        ),
    ],
)
def test_a_device_that_does_not_open(
    library: FakeLibrary, fault: OSError, error: type, message: str
) -> None:
    library.devices[2].error = fault
    assert refused("microphone", "USB") == (error, message)


# PortAudio itself


def test_port_audio_is_given_back_whatever_happens(library: FakeLibrary) -> None:
    list_devices()
    refused("speaker", "nowhere")
    with pytest.raises(ZeroDivisionError), port_audio():
        1 / 0  # noqa: B018
    assert library.opened == library.terminated == 3


def test_the_libraries_lines_stay_out_of_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_stderr():
        os.write(2, b"ALSA lib pcm.c: Unknown PCM\n")
    sys.stderr.write("after\n")
    sys.stderr.flush()
    assert capfd.readouterr().err == "after\n"


def test_the_terminal_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), quiet_stderr():
        1 / 0  # noqa: B018
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
