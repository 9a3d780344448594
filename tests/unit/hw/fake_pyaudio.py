"""PortAudio with devices that are told; it implements what edgebot uses of `pyaudio.PyAudio`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyaudio

Callback = Callable[[bytes | None, int, object, int], tuple[bytes | None, int]]


@dataclass
class FakeDevice:
    """A device, and the error that opening it brings, if any.

    Attributes:
        works_at: The only ways of opening it, as (rate, channels), if not all are.
    """

    name: str
    inputs: int = 0
    outputs: int = 0
    rate_hz: float = 48_000.0
    error: OSError | None = None
    works_at: frozenset[tuple[int, int]] | None = None


@dataclass
class FakeStream:
    """An open stream."""

    library: FakeLibrary
    options: dict[str, Any]
    closed: bool = False
    active: bool = True
    # Where closing waits for ever, as for a sound server that stands still, until it is set.
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    def is_active(self) -> bool:
        if self.closed:
            raise OSError(-9988, "Stream closed")
        return self.active

    def close(self) -> None:
        self.answers.wait()
        assert not self.closed
        self.closed = True

    def call_back(self, sound: bytes | None, frames: int) -> tuple[bytes | None, int]:
        """Do what PortAudio's thread does."""
        callback: Callback = self.options["stream_callback"]
        audio, flag = callback(sound, frames, None, 0)
        self.active = flag == pyaudio.paContinue
        return audio, flag


@dataclass
class FakeLibrary:
    """Stands for both the class and its one object: calling it opens PortAudio.

    As in PortAudio, what is plugged in later is found only when it is opened again.
    """

    devices: list[FakeDevice] = field(default_factory=list)
    default_input: int | None = None
    default_output: int | None = None
    streams: list[FakeStream] = field(default_factory=list)
    opened: int = 0
    terminated: int = 0
    found: list[FakeDevice] = field(default_factory=list)
    tried: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self) -> FakeLibrary:
        if self.opened == self.terminated:
            self.found = list(self.devices)
        self.opened += 1
        return self

    def terminate(self) -> None:
        self.terminated += 1
        assert self.opened >= self.terminated

    def get_device_count(self) -> int:
        return len(self.found)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        device = self.found[index]
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
        if index is None or index >= len(self.found):
            raise OSError("No Default Device Available")
        return self.get_device_info_by_index(index)

    def open(self, **options: Any) -> FakeStream:
        wanted = options.get("input_device_index")
        index = options["output_device_index"] if wanted is None else wanted
        device = self.found[index]
        assert options["format"] == pyaudio.paInt16
        self.tried.append((options["rate"], options["channels"]))
        if device.error is not None:
            raise device.error
        if device.works_at is not None and self.tried[-1] not in device.works_at:
            if options["channels"] not in {channels for _, channels in device.works_at}:
                raise OSError(-9998, "Invalid number of channels")
            raise OSError(-9997, "Invalid sample rate")
        stream = FakeStream(self, options)
        self.streams.append(stream)
        return stream
