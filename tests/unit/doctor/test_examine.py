"""All checks together, on a machine that is made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hw.fake_pyaudio import FakeDevice, FakeLibrary

from edgebot.config import Settings, load_settings
from edgebot.doctor import examine as examining
from edgebot.doctor.examine import examine, listen
from edgebot.doctor.finding import Finding
from edgebot.doctor.probe import Recording, probe, silence
from edgebot.errors import DeviceError, EngineError
from edgebot.hw.audio_device import AudioDevice

from .tree import FakeMachine

DEVICE = AudioDevice(0, "Both", 16_000, 1, 1, frozenset())


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    import pyaudio

    made = FakeLibrary()
    monkeypatch.setattr(pyaudio, "PyAudio", made)
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    file = tmp_path / "none.toml"
    file.write_text(f'[models]\ndir = "{tmp_path / "models"}"\n')
    return file


def look(machine: FakeMachine, file: Path, *flags: str, sound: bool = True) -> list[Finding]:
    return list(examine(file=file, flags=flags, environment={}, sound=sound, root=machine.root))


def test_a_machine_without_sound_is_looked_through(
    machine: FakeMachine, library: FakeLibrary, empty: Path
) -> None:
    machine.raspberry_pi()
    machine.memory(8_000_000_000, 7_000_000_000)
    found = look(machine, empty)
    assert [finding.subject for finding in found] == [
        "settings",
        *("model stt", "model llm", "model tts"),
        *("memory", "disk", "processor", "temperature", "power"),
        *("pins", "sound cards", "microphone", "speaker", "hearing"),
    ]
    assert found[-1].text == "Nothing to try without a microphone."
    assert found[-3].text == "There is no microphone: plug one in, or see `edgebot devices`."


def test_wrong_settings_do_not_end_it(
    machine: FakeMachine, library: FakeLibrary, empty: Path
) -> None:
    found = look(machine, empty, "audio.volum=1")
    assert (found[0].subject, found[0].mark) == ("settings", "fault")
    assert found[-1].subject == "hearing"


def test_a_light_on_spi_is_looked_at(
    machine: FakeMachine, library: FakeLibrary, empty: Path
) -> None:
    found = look(machine, empty, "light.kind=ws2812", "light.pins=[10]")
    assert "SPI" in [finding.subject for finding in found]


@pytest.mark.parametrize(
    ("sound", "flag", "text"),
    [
        (False, "audio.volume=1.0", "Left out, as asked for."),
        (True, "audio.volume=0.0", "audio.volume is 0: nothing is ever heard."),
    ],
)
def test_nothing_is_played_where_it_makes_no_sense(
    machine: FakeMachine, library: FakeLibrary, empty: Path, sound: bool, flag: str, text: str
) -> None:
    library.devices = [FakeDevice("Both", inputs=1, outputs=1)]
    library.default_input = library.default_output = 0
    found = look(machine, empty, flag, sound=sound)
    assert [finding.mark for finding in found[-3:-1]] == ["ok", "ok"]
    assert found[-1].text == text


def test_a_sound_library_that_does_not_start(
    machine: FakeMachine, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyaudio

    def fail() -> None:
        raise OSError(-9999, "Unanticipated host error")

    monkeypatch.setattr(pyaudio, "PyAudio", fail)
    found = look(machine, empty)[-1]
    assert (found.mark, found.text) == (
        "fault",
        "The sound library does not start: Unanticipated host error.",
    )


# Listening


def of(tmp_path: Path, *flags: str) -> Settings:
    file = tmp_path / "none.toml"
    file.touch()
    return load_settings(file=file, flags=flags, environment={})


class Ears:
    """Hears the probe, or fails."""

    def __init__(self, gain: float = 0.25, error: DeviceError | None = None) -> None:
        self._gain = np.float32(gain)
        self._error = error
        self.volumes: list[float] = []

    def __call__(
        self, microphone: AudioDevice, speaker: AudioDevice, *, volume: float
    ) -> Recording:
        self.volumes.append(volume)
        if self._error:
            raise self._error
        return Recording(silence(1), np.concatenate([silence(0.1), probe() * self._gain]))


def test_what_is_heard_is_explained(tmp_path: Path) -> None:
    ears = Ears()
    found = {f.subject: f for f in listen(of(tmp_path, "audio.volume=0.7"), DEVICE, DEVICE, ears)}
    assert list(found) == ["noise", "speaker heard", "delay", "echo"]
    assert "100 ms" in found["delay"].text
    assert "12 dB below" in found["speaker heard"].text
    assert found["echo"].mark == "ok"
    assert ears.volumes == [0.7]


def test_a_device_that_cancels_itself_is_not_cancelled_again(tmp_path: Path) -> None:
    found = listen(of(tmp_path, "echo.cancel=off"), DEVICE, DEVICE, Ears())
    assert "echo" not in [finding.subject for finding in found]


def test_a_device_that_fails_is_a_fault(tmp_path: Path) -> None:
    ears = Ears(error=DeviceError("It stands still."))
    assert list(listen(of(tmp_path), DEVICE, DEVICE, ears)) == [
        Finding("fault", "hearing", "It stands still.")
    ]


def test_a_canceller_that_fails_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(far: bytes, near: bytes) -> bytes:
        raise EngineError("the echo canceller cannot be loaded")

    monkeypatch.setattr(examining, "cancel_echo", fail)
    found = list(listen(of(tmp_path), DEVICE, DEVICE, Ears()))
    assert [(f.mark, f.subject) for f in found] == [
        ("fault", "echo"),
        ("ok", "noise"),
        ("ok", "speaker heard"),
        ("ok", "delay"),
    ]


def test_a_person_is_told_right_before_it_plays(
    machine: FakeMachine, library: FakeLibrary, empty: Path
) -> None:
    class Told(Exception):
        pass

    def tell() -> None:
        raise Told

    library.devices = [FakeDevice("Both", inputs=1, outputs=1)]
    library.default_input = library.default_output = 0
    found: list[str] = []
    findings = examine(file=empty, environment={}, when_listening=tell, root=machine.root)
    with pytest.raises(Told):
        found.extend(finding.subject for finding in findings)
    assert found[-2:] == ["microphone", "speaker"]
    assert all(stream.closed for stream in library.streams)
