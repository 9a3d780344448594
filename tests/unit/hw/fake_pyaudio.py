"""PortAudio with devices that are told; it implements what edgebot uses of `pyaudio.PyAudio`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyaudio

Callback = Callable[[bytes | None, int, object, int], tuple[bytes | None, int]]


@dataclass
class FakeDevice:
    """A device, and the error that opening it brings, if any."""

    name: str
    inputs: int = 0
    outputs: int = 0
    rate_hz: float = 48_000.0
    error: OSError | None = None


@dataclass
class FakeStream:
    """An open stream."""

    library: FakeLibrary
    options: dict[str, Any]
    closed: bool = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True

    def call_back(self, sound: bytes | None, frames: int) -> tuple[bytes | None, int]:
        """Do what PortAudio's thread does."""
        callback: Callback = self.options["stream_callback"]
        return callback(sound, frames, None, 0)


@dataclass
class FakeLibrary:
    """Stands for both the class and its one object: calling it opens PortAudio."""

    devices: list[FakeDevice] = field(default_factory=list)
    default_input: int | None = None
    default_output: int | None = None
    streams: list[FakeStream] = field(default_factory=list)
    opened: int = 0
    terminated: int = 0

    def __call__(self) -> FakeLibrary:
        self.opened += 1
        return self

    def terminate(self) -> None:
        self.terminated += 1

    def get_device_count(self) -> int:
        return len(self.devices)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        device = self.devices[index]
        return {
            "index": index,
            "name": device.name,
            "defaultSampleRate": device.rate_hz,
            "maxInputChannels": device.inputs,
            "maxOutputChannels": device.outputs,
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        return self._default(self.default_input)

    def get_default_output_device_info(self) -> dict[str, Any]:
        return self._default(self.default_output)

    def _default(self, index: int | None) -> dict[str, Any]:
        if index is None:
            raise OSError("No Default Device Available")
        return self.get_device_info_by_index(index)

    def open(self, **options: Any) -> FakeStream:
        wanted = options.get("input_device_index")
        index = options["output_device_index"] if wanted is None else wanted
        device = self.devices[index]
        if device.error is not None:
            raise device.error
        assert options["format"] == pyaudio.paInt16
        assert options["channels"] == 1
        stream = FakeStream(self, options)
        self.streams.append(stream)
        return stream
