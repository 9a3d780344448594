"""Microphones and speakers, as PortAudio sees them."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyaudio

from edgebot.errors import DeviceBusyError, DeviceError, NoMicrophoneError, NoSpeakerError

Kind = Literal["microphone", "speaker"]

LEAST_PULSE_MS = 40
_DEVICE_UNAVAILABLE = -9985
_INVALID_RATE, _INVALID_CHANNELS = -9997, -9998
# Where a device refuses the rate that it names as its own.
_COMMON_RATES_HZ = (48_000, 44_100, 16_000)
# PortAudio names it of every device that can be brought to it, whatever the device's own is.
_ANYBODYS_RATE_HZ = 44_100
# The cards' numbers change with the order in which they were plugged in.
_CARD = re.compile(r" \(hw:\d+,\d+\)$")


@dataclass(frozen=True)
class AudioDevice:
    """One device.

    Attributes:
        index: PortAudio's number for it; it changes when devices come and go.
        name: What ALSA calls it.
        rate_hz: Its own rate.
        inputs: How many channels it records; 0 is no microphone.
        outputs: How many channels it plays; 0 is no speaker.
        is_default: The kinds that it is the default for.
    """

    index: int
    name: str
    rate_hz: int
    inputs: int
    outputs: int
    is_default: frozenset[Kind]

    @property
    def stable_name(self) -> str:
        """Its name without its card's number, which may be another one tomorrow."""
        return _CARD.sub("", self.name)

    def is_a(self, kind: Kind) -> bool:
        """Tell whether it records, or plays."""
        return bool(self.inputs if kind == "microphone" else self.outputs)


def keep_libraries_quiet() -> None:
    """Send to nowhere what C libraries write to standard error, from now on.

    ALSA, PortAudio and PulseAudio's plugin write there, from threads of their own, some 65 lines
    whenever PortAudio is opened and more when a device goes. Python's own standard error stays as
    it is. Outside the GNU C library the C stream is a constant, and is left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    if nowhere := libc.fopen(os.fsencode(os.devnull), b"w"):
        ctypes.c_void_p.in_dll(libc, "stderr").value = nowhere


def pulse_latency_ms(environment: Mapping[str, str]) -> int:
    """Return how much sound PulseAudio's plugin for ALSA may hold.

    Its own choice is two seconds. With 20 ms its streams stood still for good within half a
    minute on a busy machine, with 30 ms and more they did not.

    Args:
        environment: A larger PULSE_LATENCY_MSEC counts.
    """
    wished = environment.get("PULSE_LATENCY_MSEC", "")
    return max(LEAST_PULSE_MS, int(wished) if wished.isdecimal() else 0)


@functools.cache
def prepare_libraries() -> None:
    """Set ALSA, PortAudio and PulseAudio's plugin up, before the first of them is opened."""
    keep_libraries_quiet()
    os.environ["PULSE_LATENCY_MSEC"] = str(pulse_latency_ms(os.environ))


@contextlib.contextmanager
def port_audio() -> Iterator[pyaudio.PyAudio]:
    """Open PortAudio, which looks for devices only now."""
    prepare_libraries()
    library = pyaudio.PyAudio()
    try:
        yield library
    finally:
        library.terminate()


def list_devices() -> list[AudioDevice]:
    """Return all devices that record or play."""
    with port_audio() as library:
        return list_in(library)


def find_device(kind: Kind, wanted: str | int) -> AudioDevice:
    """Return the device that a setting names, and make sure that it opens.

    Args:
        kind: What to look for.
        wanted: A name, a part of a name, an index, or "default".

    Raises:
        NoMicrophoneError: There is no such microphone.
        NoSpeakerError: There is no such speaker.
        DeviceBusyError: Another program holds it.
        DeviceError: It cannot be opened.
    """
    with port_audio() as library:
        device = find_in(library, kind, wanted)
        open_in(library, device, kind, start=False).stream.close()
        return device


def list_in(library: pyaudio.PyAudio) -> list[AudioDevice]:
    """Return the devices that PortAudio found when it was opened."""
    default_input = _default(library.get_default_input_device_info)
    default_output = _default(library.get_default_output_device_info)
    found = []
    for index in range(library.get_device_count()):
        info = library.get_device_info_by_index(index)
        defaults: set[Kind] = set()
        if index == default_input:
            defaults.add("microphone")
        if index == default_output:
            defaults.add("speaker")
        device = AudioDevice(
            index=index,
            name=str(info["name"]),
            rate_hz=int(info["defaultSampleRate"]),
            inputs=int(info["maxInputChannels"]),
            outputs=int(info["maxOutputChannels"]),
            is_default=frozenset(defaults),
        )
        if device.inputs or device.outputs:
            found.append(device)
    return found


def _default(look_up: object) -> int | None:
    try:
        return int(look_up()["index"])  # type: ignore[operator]
    except OSError:
        return None


def find_in(library: pyaudio.PyAudio, kind: Kind, wanted: str | int) -> AudioDevice:
    """Return the device that a setting names.

    Raises:
        NoMicrophoneError: There is no such microphone.
        NoSpeakerError: There is no such speaker.
    """
    found = [device for device in list_in(library) if device.is_a(kind)]
    device = _match(found, kind, wanted)
    if device is None:
        raise _none(kind, wanted, found)
    return device


def _match(found: list[AudioDevice], kind: Kind, wanted: str | int) -> AudioDevice | None:
    text = str(wanted).strip().lower()
    if text in ("", "default"):
        return next((device for device in found if kind in device.is_default), None)
    stable = _CARD.sub("", text)
    tests = (
        lambda device: str(device.index) == text,
        lambda device: device.name.lower() == text,
        lambda device: device.stable_name.lower() == stable,
        # A number is an index, though digits are a part of many names.
        lambda device: not text.isdecimal() and text in device.name.lower(),
    )
    return next((device for test in tests for device in found if test(device)), None)


def _none(kind: Kind, wanted: str | int, found: list[AudioDevice]) -> DeviceError:
    error = NoMicrophoneError if kind == "microphone" else NoSpeakerError
    if not found:
        return error(f"There is no {kind}: plug one in, or see `edgebot devices`.")
    names = ", ".join(f"{device.name!r}" for device in found)
    return error(f"There is no {kind} {wanted!r} (audio.{kind}). There are: {names}.")


@dataclass(frozen=True)
class Opened:
    """A stream of PortAudio's.

    Attributes:
        stream: PyAudio's own.
        rate_hz: The rate it was opened at.
        channels: How many it was opened with.
    """

    stream: Any
    rate_hz: int
    channels: int


def open_in(
    library: pyaudio.PyAudio,
    device: AudioDevice,
    kind: Kind,
    *,
    period_s: float = 0.02,
    make_callback: Callable[[int, int], Any] = lambda rate_hz, channels: None,
    start: bool = True,
) -> Opened:
    """Open a device: at its own rate where it can, and mono where it can, else in stereo.

    Args:
        library: Found the device.
        device: Which one.
        kind: To record or to play.
        period_s: How much sound is exchanged at a time.
        make_callback: Is handed the rate and the channels and returns PortAudio's callback.
        start: Whether it is to run at once.

    Raises:
        DeviceBusyError: Another program holds it.
        DeviceError: It cannot be opened.
    """
    recording = kind == "microphone"
    named = () if device.rate_hz == _ANYBODYS_RATE_HZ else (device.rate_hz,)
    rates = dict.fromkeys((*named, *_COMMON_RATES_HZ))
    # In stereo only where mono is what it refuses.
    ways = [(rate_hz, channels) for channels in (1, 2) for rate_hz in rates]
    failures: list[OSError] = []
    for rate_hz, channels in ways:
        try:
            stream = library.open(
                rate=rate_hz,
                channels=channels,
                format=pyaudio.paInt16,
                frames_per_buffer=int(rate_hz * period_s),
                stream_callback=make_callback(rate_hz, channels),
                input=recording,
                output=not recording,
                input_device_index=device.index if recording else None,
                output_device_index=None if recording else device.index,
                start=start,
            )
        except OSError as error:
            failures.append(error)
            if error.errno not in (_INVALID_RATE, _INVALID_CHANNELS):
                break
        else:
            return Opened(stream, rate_hz, channels)
    raise _refused(device, kind, failures[0])


def _refused(device: AudioDevice, kind: Kind, error: OSError) -> DeviceError:
    name = f"The {kind} {device.name!r}"
    if error.errno == _DEVICE_UNAVAILABLE:
        return DeviceBusyError(
            f"{name} is busy or gone: end the program that uses it, or choose another "
            f"with audio.{kind}."
        )
    if error.errno in (_INVALID_RATE, _INVALID_CHANNELS):
        return DeviceError(
            f"{name} works neither at {device.rate_hz} Hz nor at a common rate: set audio.{kind} "
            "to 'default' or to a device that converts, see `edgebot devices`."
        )
    return DeviceError(f"{name} cannot be opened: {error.strerror or error.args[-1]}.")
