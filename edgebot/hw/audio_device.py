"""Microphones and speakers, as PortAudio sees them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyaudio

from edgebot.errors import DeviceBusyError, DeviceError, NoMicrophoneError, NoSpeakerError

Kind = Literal["microphone", "speaker"]

MICROPHONE_RATE_HZ = 16_000
_DEVICE_UNAVAILABLE = -9985
_INVALID_RATE = -9997


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

    def is_a(self, kind: Kind) -> bool:
        """Tell whether it records, or plays."""
        return bool(self.inputs if kind == "microphone" else self.outputs)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what ALSA and JACK write to standard error, some 65 lines, out of the terminal."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def silence_alsa() -> None:
    """Make ALSA keep later errors to itself; PortAudio reports those that matter."""
    with contextlib.suppress(OSError, AttributeError):
        # getpid() stands in for a handler that does nothing: it ignores whatever it is handed.
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(ctypes.CDLL(None).getpid)


@contextlib.contextmanager
def port_audio() -> Iterator[pyaudio.PyAudio]:
    """Open PortAudio, which looks for devices only now."""
    with quiet_stderr():
        library = pyaudio.PyAudio()
    silence_alsa()
    try:
        yield library
    finally:
        library.terminate()


def list_devices() -> list[AudioDevice]:
    """Return all devices that record or play."""
    with port_audio() as library:
        return _list(library)


def find_device(kind: Kind, wanted: str | int) -> AudioDevice:
    """Return the device that a setting names, and make sure that it opens.

    Args:
        kind: What to look for.
        wanted: An index, a name, a part of a name, or "default".

    Raises:
        NoMicrophoneError: There is no such microphone.
        NoSpeakerError: There is no such speaker.
        DeviceBusyError: Another program holds it.
        DeviceError: It cannot be opened.
    """
    with port_audio() as library:
        found = [device for device in _list(library) if device.is_a(kind)]
        device = _match(found, kind, wanted)
        if device is None:
            raise _none(kind, wanted, found)
        _try_open(library, device, kind)
        return device


def _list(library: pyaudio.PyAudio) -> list[AudioDevice]:
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


def _match(found: list[AudioDevice], kind: Kind, wanted: str | int) -> AudioDevice | None:
    text = str(wanted).strip().lower()
    if text in ("", "default"):
        return next((device for device in found if kind in device.is_default), None)
    tests = (
        lambda device: str(device.index) == text,
        lambda device: device.name.lower() == text,
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


def _try_open(library: pyaudio.PyAudio, device: AudioDevice, kind: Kind) -> None:
    recording = kind == "microphone"
    rate_hz = MICROPHONE_RATE_HZ if recording else device.rate_hz
    try:
        with quiet_stderr():
            library.open(
                rate=rate_hz,
                channels=1,
                format=pyaudio.paInt16,
                input=recording,
                output=not recording,
                input_device_index=device.index if recording else None,
                output_device_index=None if recording else device.index,
                start=False,
            ).close()
    except OSError as error:
        raise _refused(device, kind, rate_hz, error) from None


def _refused(device: AudioDevice, kind: Kind, rate_hz: int, error: OSError) -> DeviceError:
    name = f"The {kind} {device.name!r}"
    if error.errno == _DEVICE_UNAVAILABLE:
        return DeviceBusyError(
            f"{name} is busy or gone: end the program that uses it, or choose another "
            f"with audio.{kind}."
        )
    if error.errno == _INVALID_RATE:
        return DeviceError(
            f"{name} does not work at {rate_hz} Hz: set audio.{kind} to 'default' or to a device "
            "that converts, see `edgebot devices`."
        )
    return DeviceError(f"{name} cannot be opened: {error.strerror or error.args[-1]}.")
