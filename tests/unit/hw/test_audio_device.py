"""A device is found by its number, its name, a part of it, or as the default; and it opens."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgebot.errors import DeviceBusyError, DeviceError, NoMicrophoneError, NoSpeakerError
from edgebot.hw.audio_device import (
    AudioDevice,
    Kind,
    find_device,
    list_devices,
    port_audio,
    pulse_latency_ms,
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
        # The card's number is another one when the cards were plugged in in another order.
        ("speaker", "USB Headset: Audio (hw:7,0)", 1),
        ("speaker", "USB Headset: Audio", 1),
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


@pytest.mark.parametrize(
    ("kind", "wanted", "named_hz", "rate_hz"),
    [
        ("microphone", 1, 96_000, 96_000),
        ("microphone", 1, 16_000, 16_000),
        # PortAudio names it of most devices, and it is the rate of few.
        ("speaker", "default", 44_100, 48_000),
    ],
)
def test_a_device_is_tried_at_its_own_rate(
    library: FakeLibrary, kind: Kind, wanted: str | int, named_hz: int, rate_hz: int
) -> None:
    library.devices[wanted if isinstance(wanted, int) else 0].rate_hz = named_hz
    device = find_device(kind, wanted)
    (stream,) = library.streams
    assert stream.closed
    assert (stream.options["rate"], stream.options["channels"]) == (rate_hz, 1)
    assert (stream.options["input"], stream.options["output"]) == (
        kind == "microphone",
        kind == "speaker",
    )
    indices = (stream.options["input_device_index"], stream.options["output_device_index"])
    assert indices == ((device.index, None) if kind == "microphone" else (None, device.index))
    assert stream.options["start"] is False


@pytest.mark.parametrize(
    ("works_at", "tried"),
    [
        ({(44_100, 1)}, [(48_000, 1), (44_100, 1)]),
        ({(16_000, 1)}, [(48_000, 1), (44_100, 1), (16_000, 1)]),
        ({(48_000, 2)}, [(48_000, 1), (44_100, 1), (16_000, 1), (48_000, 2)]),
    ],
)
def test_what_a_device_refuses_is_tried_in_another_way(
    library: FakeLibrary, works_at: set[tuple[int, int]], tried: list[tuple[int, int]]
) -> None:
    library.devices[0].works_at = frozenset(works_at)
    find_device("speaker", 0)
    assert library.tried == tried
    assert library.streams[0].closed


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
            "The microphone 'USB' works neither at 48000 Hz nor at a common rate: set "
            "audio.microphone to 'default' or to a device that converts, see `edgebot devices`.",
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


def test_the_libraries_lines_stay_out_of_the_terminal() -> None:
    code = """
import ctypes, sys
from edgebot.hw.audio_device import keep_libraries_quiet
libc = ctypes.CDLL(None)
libc.perror(b"before")
keep_libraries_quiet()
keep_libraries_quiet()
libc.perror(b"ALSA lib pcm.c: Unknown PCM")
print("after", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert first.startswith("before: ")
    assert second == "after"


@pytest.mark.parametrize(
    ("wished", "ms"), [("", 40), ("20", 40), ("40", 40), ("100", 100), ("soon", 40)]
)
def test_pulse_audio_holds_enough_sound_to_keep_going(wished: str, ms: int) -> None:
    assert pulse_latency_ms({"PULSE_LATENCY_MSEC": wished}) == ms
    assert pulse_latency_ms({}) == 40
