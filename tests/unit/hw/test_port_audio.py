"""PortAudio is opened once, and afresh where a device has come; what hangs keeps nobody out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyaudio
import pytest

from edgebot.errors import DeviceBusyError, DeviceError, NoMicrophoneError
from edgebot.hw import port_audio
from edgebot.hw.audio_device import Kind
from edgebot.hw.port_audio import Handle, PortAudio, is_there

from .fake_pyaudio import FakeDevice, FakeLibrary, FakeStream

HEADSET = "USB Headset: Audio (hw:1,0)"
BUSY = OSError(-9985, "Device unavailable")


class Machine:
    """Opens devices, with a description of the hardware that can be changed."""

    def __init__(self, library: FakeLibrary) -> None:
        self.library = library
        self.hardware = "one card"
        self.audio = PortAudio(hardware=lambda: self.hardware)
        self.frames: list[int] = []

    def open(self, kind: Kind, wanted: str | int = "default") -> Handle:
        return self.audio.open(kind, wanted, 0.01, self._called)

    def _called(self, handle: Handle, sound: bytes | None, frames: int) -> bytes | None:
        self.frames.append(frames)
        return sound

    def plug_in(self, name: str) -> None:
        assert self.library.default_input is not None
        assert self.library.default_output is not None
        self.library.devices.insert(0, FakeDevice(name, inputs=1))
        self.library.default_input += 1
        self.library.default_output += 1
        self.hardware += f", {name}"


@pytest.fixture
def machine(library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(port_audio, "CLOSE_S", 0.05)
    monkeypatch.setattr(port_audio, "ENTER_S", 0.05)
    monkeypatch.setattr(port_audio, "SETTLE_S", 0.0)
    monkeypatch.setattr(port_audio, "_LEAVE_S", 0.0)
    yield Machine(library)
    for stream in library.streams:
        stream.answers.set()


def streams(machine: Machine) -> list[FakeStream]:
    return machine.library.streams


def test_the_library_is_opened_once_for_all_streams(machine: Machine) -> None:
    microphone, speaker = machine.open("microphone", HEADSET), machine.open("speaker")
    assert (machine.library.opened, machine.library.terminated) == (1, 0)
    assert (microphone.device.name, microphone.rate_hz, microphone.channels) == (HEADSET, 48_000, 1)
    assert (speaker.device.index, speaker.rate_hz, speaker.channels) == (0, 48_000, 1)
    assert streams(machine)[0].options["frames_per_buffer"] == 480
    assert [stream.options["start"] for stream in streams(machine)] == [True, True]


def test_a_device_is_looked_for_anew_at_every_opening(machine: Machine) -> None:
    machine.open("microphone", HEADSET).close()
    machine.plug_in("Webcam")
    microphone = machine.open("microphone", HEADSET)
    assert (microphone.device.name, microphone.device.index) == (HEADSET, 2)
    assert (machine.library.opened, machine.library.terminated) == (2, 1)


def test_for_a_device_that_was_plugged_in_the_others_are_given_up(machine: Machine) -> None:
    speaker = machine.open("speaker")
    machine.plug_in("Webcam")
    microphone = machine.open("microphone", "Webcam")
    assert microphone.device.index == 0
    assert [stream.closed for stream in streams(machine)] == [True, False]
    assert (speaker.is_given_up, speaker.is_active) == (True, False)
    assert (machine.library.opened, machine.library.terminated) == (2, 1)
    again = machine.open("speaker")
    assert (again.device.index, again.is_given_up) == (1, False)
    assert machine.library.opened == 2


def test_where_nothing_has_changed_nobodys_sound_is_broken_off(machine: Machine) -> None:
    speaker = machine.open("speaker")
    for _ in range(3):
        with pytest.raises(NoMicrophoneError):
            machine.open("microphone", "Webcam")
    assert speaker.is_active
    assert machine.library.opened == 1


def test_a_device_that_is_still_missing_is_looked_for_once_a_change(machine: Machine) -> None:
    machine.open("speaker")
    machine.plug_in("Webcam")
    with pytest.raises(NoMicrophoneError):
        machine.open("microphone", "Jabra")
    speaker = machine.open("speaker")
    with pytest.raises(NoMicrophoneError):
        machine.open("microphone", "Jabra")
    assert speaker.is_active


def test_a_device_that_has_just_come_may_be_late(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_audio, "SETTLE_S", 1000.0)
    machine.open("speaker")
    machine.hardware += ", Webcam"
    with pytest.raises(NoMicrophoneError):
        machine.open("microphone", "Webcam")
    machine.open("speaker")
    machine.library.devices.append(FakeDevice("Webcam", inputs=1))
    assert machine.open("microphone", "Webcam").device.index == 5


def test_a_device_that_was_busy_is_looked_for_now_and_then(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.open("speaker")
    machine.library.devices.append(FakeDevice("Webcam", inputs=1))
    with pytest.raises(NoMicrophoneError):
        machine.open("microphone", "Webcam")
    monkeypatch.setattr(port_audio, "LIST_LASTS_S", 0.0)
    assert machine.open("microphone", "Webcam").device.index == 5


def test_a_busy_device_is_told_as_it_is(machine: Machine) -> None:
    machine.library.devices[1].error = BUSY
    with pytest.raises(DeviceBusyError):
        machine.open("microphone", HEADSET)


def test_the_callback_is_that_of_the_stream(machine: Machine) -> None:
    machine.open("microphone", HEADSET)
    assert streams(machine)[0].call_back(b"ab", 1) == (b"ab", pyaudio.paContinue)
    assert machine.frames == [1]


def test_a_stream_that_is_closed_leaves_by_itself(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_audio, "_LEAVE_S", 5.0)
    speaker = machine.open("speaker")
    (stream,) = streams(machine)
    called: list[tuple[bytes | None, int]] = []

    def look() -> bool:
        called.append(stream.call_back(None, 2))
        return stream.active

    monkeypatch.setattr(stream, "is_active", look)
    speaker.close()
    assert called == [(b"\0\0\0\0", pyaudio.paAbort)]
    assert stream.closed
    assert machine.frames == []
    speaker.close()


def test_a_device_that_stopped_by_itself_is_not_active(machine: Machine) -> None:
    speaker = machine.open("speaker")
    assert speaker.is_active
    streams(machine)[0].active = False
    assert not speaker.is_active
    streams(machine)[0].closed = True
    assert not speaker.is_active


def test_a_close_that_hangs_keeps_nobody_out(machine: Machine) -> None:
    microphone = machine.open("microphone", HEADSET)
    streams(machine)[0].answers.clear()
    microphone.close()
    again = machine.open("microphone", HEADSET)
    assert again.is_active
    # The list cannot be renewed while it hangs, and is used as it is.
    assert machine.library.terminated == 0


def test_a_close_that_hangs_does_not_keep_the_list_for_ever(machine: Machine) -> None:
    microphone = machine.open("microphone", HEADSET)
    streams(machine)[0].answers.clear()
    microphone.close()
    machine.plug_in("Webcam")
    with pytest.raises(NoMicrophoneError):
        machine.open("microphone", "Webcam")
    streams(machine)[0].answers.set()
    while not streams(machine)[0].closed:
        pass
    assert machine.open("microphone", "Webcam").device.index == 0


class Hanging:
    """Lets a call hang in a thread of its own until it is left."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.entered, self.leave = threading.Event(), threading.Event()

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if not self.entered.is_set():
            self.entered.set()
            self.leave.wait()
        return self._call(*arguments, **options)

    @contextlib.contextmanager
    def at(self, work: Callable[[], object]) -> Iterator[None]:
        thread = threading.Thread(target=work)
        thread.start()
        self.entered.wait()
        try:
            yield
        finally:
            self.leave.set()
            thread.join()


def test_an_open_that_hangs_keeps_nobody_out(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Hanging(machine.library.open)
    monkeypatch.setattr(machine.library, "open", hanging)
    with hanging.at(lambda: machine.open("microphone", HEADSET)):
        assert machine.open("speaker").is_active
        machine.plug_in("Webcam")
        # What hangs still uses the old list.
        with pytest.raises(NoMicrophoneError):
            machine.open("microphone", "Webcam")
        assert (machine.library.opened, machine.library.terminated) == (1, 0)
    assert machine.open("microphone", "Webcam").is_active


def test_a_search_for_devices_that_hangs_is_not_begun_twice(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Hanging(machine.library)
    monkeypatch.setattr(pyaudio, "PyAudio", hanging)
    with hanging.at(lambda: machine.open("microphone", HEADSET)):
        with pytest.raises(DeviceError) as caught:
            machine.open("speaker")
        assert str(caught.value) == ("The sound system does not answer: restart the sound server.")
    assert machine.open("speaker").is_active
    assert machine.library.opened == 1


def test_at_the_end_all_is_given_back(machine: Machine) -> None:
    machine.open("microphone", HEADSET)
    machine.open("speaker")
    machine.audio.close()
    assert [stream.closed for stream in streams(machine)] == [True, True]
    assert (machine.library.opened, machine.library.terminated) == (1, 1)
    machine.audio.close()


def test_the_hardware_is_described_by_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PULSE_RUNTIME_PATH", str(tmp_path))
    before = port_audio.hardware()
    (tmp_path / "native").touch()
    assert port_audio.hardware() == before + str(tmp_path / "native")


def test_what_a_sandbox_hides_is_not_there(tmp_path: Path) -> None:
    class Hidden(type(tmp_path)):  # type: ignore[misc]
        def exists(self, **options: object) -> bool:
            raise PermissionError

    assert is_there(tmp_path)
    assert not is_there(tmp_path / "nothing")
    assert not is_there(Hidden(tmp_path))
