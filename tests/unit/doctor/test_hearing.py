"""Playing and listening at once, at devices that are computed and a clock that is told."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
import pyaudio
import pytest

from edgebot.doctor.hearing import QUIET_S, hear_probe
from edgebot.doctor.probe import MUTED_DB, level_db, measure
from edgebot.errors import DeviceError
from edgebot.hw.audio_device import AudioDevice

PERIOD_S = 0.02
RATE_HZ = 48_000
MICROPHONE = AudioDevice(0, "Ear", RATE_HZ, 1, 0, frozenset())
SPEAKER = AudioDevice(1, "Mouth", RATE_HZ, 0, 1, frozenset())


class Stream:
    """An open stream of the room's."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.is_open = True

    def exchange(self, sound: bytes | None) -> bytes:
        """Do what PortAudio's thread does in one period of the room."""
        played = b""
        frames = self.options["frames_per_buffer"]
        for _ in range(round(PERIOD_S * RATE_HZ) // frames):
            played += self.options["stream_callback"](sound, frames, None, 0)[0] or b""
        return played

    def is_active(self) -> bool:
        return False

    def close(self) -> None:
        self.is_open = False


class Room:
    """Stands for PortAudio, and lets time pass: the one device hears the other, and later."""

    def __init__(self, *, periods_late: int = 6, gain: float = 0.25) -> None:
        self._air = deque([bytes(2 * round(PERIOD_S * RATE_HZ))] * periods_late)
        self._gain = gain
        self._streams: list[Stream] = []
        self.now_s = 100.0
        self._due_s = 100.0 + PERIOD_S
        self.stands_still: set[str] = set()

    def __call__(self) -> Room:
        return self

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s
        while self.now_s >= self._due_s:
            self._due_s += PERIOD_S
            self._period()

    def _period(self) -> None:
        played = bytes(len(self._air[0]))
        for stream in self._running("output", "speaker"):
            played = stream.exchange(None)
        self._air.append(played)
        heard = np.frombuffer(self._air.popleft(), dtype="<i2") * self._gain
        for stream in self._running("input", "microphone"):
            stream.exchange(heard.astype("<i2").tobytes())

    def _running(self, direction: str, kind: str) -> list[Stream]:
        if kind in self.stands_still:
            return []
        return [s for s in self._streams if s.is_open and s.options[direction]]

    # What edgebot uses of `pyaudio.PyAudio`

    def get_device_count(self) -> int:
        return 2

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        device = (MICROPHONE, SPEAKER)[index]
        return {
            "index": index,
            "name": device.name,
            "defaultSampleRate": device.rate_hz,
            "maxInputChannels": device.inputs,
            "maxOutputChannels": device.outputs,
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        return self.get_device_info_by_index(0)

    def get_default_output_device_info(self) -> dict[str, Any]:
        return self.get_device_info_by_index(1)

    def open(self, **options: Any) -> Stream:
        self._streams.append(Stream(options))
        return self._streams[-1]

    def terminate(self) -> None:
        assert not any(stream.is_open for stream in self._streams)


def enter(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(pyaudio, "PyAudio", room)
    monkeypatch.setattr(time, "monotonic", room.monotonic)
    monkeypatch.setattr(time, "sleep", room.sleep)
    return room


def test_the_delay_and_the_level_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = []
    for periods_late in (6, 11):
        enter(Room(periods_late=periods_late), monkeypatch)
        recording = hear_probe(MICROPHONE, SPEAKER, volume=1.0)
        measured = measure(recording)
        assert measured.gain_db == pytest.approx(-12.04, abs=0.1)
        assert recording.quiet.size / 16_000 == pytest.approx(QUIET_S, abs=0.1)
        # The conversion to 16 kHz leaves a bit of noise.
        assert level_db(recording.quiet) < MUTED_DB
        delays.append(measured.delay_ms or 0)
    assert delays[1] - delays[0] == pytest.approx(5 * PERIOD_S * 1000, abs=0.1)
    # Beside the room's delay: a period, and what the conversion to 16 kHz holds back.
    assert 0 <= delays[0] - 6 * PERIOD_S * 1000 <= 60


def test_the_volume_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(Room(), monkeypatch)
    measured = measure(hear_probe(MICROPHONE, SPEAKER, volume=0.5))
    assert measured.gain_db == pytest.approx(-18.06, abs=0.1)


@pytest.mark.parametrize(("which", "name"), [("microphone", "Ear"), ("speaker", "Mouth")])
def test_a_device_that_stands_still_is_named(
    monkeypatch: pytest.MonkeyPatch, which: str, name: str
) -> None:
    room = enter(Room(), monkeypatch)
    room.stands_still.add(which)
    with pytest.raises(DeviceError) as caught:
        hear_probe(MICROPHONE, SPEAKER, volume=1.0)
    assert str(caught.value).startswith(f"The {which} '{name}' opens, but stands still: ")
    assert room.now_s < 110
