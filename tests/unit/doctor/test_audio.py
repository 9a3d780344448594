"""Devices by the configured names, and who holds them."""

from __future__ import annotations

from edgebot.doctor.audio import check_cards, check_device
from edgebot.doctor.finding import Change, Finding
from edgebot.errors import DeviceBusyError, DeviceError, NoMicrophoneError
from edgebot.hw.audio_device import AudioDevice

from .tree import FakeMachine

USB = AudioDevice(3, "USB PnP: Audio (hw:1,0)", 44_100, 1, 0, frozenset())
BROKEN = AudioDevice(2, "Broken", 48_000, 2, 0, frozenset())
SPEAKER = AudioDevice(1, "bcm2835 Headphones: - (hw:0,0)", 48_000, 0, 8, frozenset())
CARDS = " 0 [seeed2micvoicec]: seeed2micvoicec - seeed-2mic-voicecard\n  seeed-2mic-voicecard\n"


class Devices:
    """Finds what opens."""

    def __init__(self, *working: AudioDevice, error: DeviceError | None = None) -> None:
        self._working = {device.index: device for device in working}
        self._error = error or NoMicrophoneError("There is no microphone 'x' (audio.microphone).")

    def __call__(self, kind: str, wanted: str | int) -> AudioDevice:
        if wanted in self._working:
            return self._working[wanted]  # type: ignore[index]
        raise self._error


def test_a_device_that_is_there(machine: FakeMachine) -> None:
    found, device = check_device("microphone", 3, machine.root, find=Devices(USB), devices=[USB])
    assert found == Finding("ok", "microphone", "USB PnP: Audio (hw:1,0), 44100 Hz, 1 channel.")
    assert device == USB


def test_another_device_that_works_is_offered(machine: FakeMachine) -> None:
    found, device = check_device(
        "microphone", "x", machine.root, find=Devices(USB, SPEAKER), devices=[SPEAKER, BROKEN, USB]
    )
    assert device == USB
    assert found == Finding(
        "fault",
        "microphone",
        "There is no microphone 'x' (audio.microphone).",
        "'USB PnP: Audio (hw:1,0)' works instead: set audio.microphone to 'USB PnP: Audio'.",
        (Change("audio.microphone", "USB PnP: Audio"),),
    )


def test_no_device_works(machine: FakeMachine) -> None:
    found, device = check_device(
        "microphone", "x", machine.root, find=Devices(), devices=[SPEAKER, BROKEN]
    )
    assert (found.mark, found.advice, found.changes, device) == ("fault", "", (), None)


def test_what_is_missing_may_be_held_by_another(machine: FakeMachine) -> None:
    machine.process(31, "arecord", "/dev/snd/pcmC1D0c")
    found, _ = check_device("microphone", "x", machine.root, find=Devices(), devices=[])
    assert found.advice == "One is held by arecord (process 31): end that program."
    found, _ = check_device("microphone", "x", machine.root, find=Devices(USB), devices=[USB])
    assert found.advice == (
        "One is held by arecord (process 31): end that program. 'USB PnP: Audio (hw:1,0)' works "
        "instead: set audio.microphone to 'USB PnP: Audio'."
    )


def test_a_busy_device_names_who_holds_it(machine: FakeMachine) -> None:
    machine.process(31, "arecord", "/dev/snd/pcmC1D0c")
    machine.process(32, "aplay", "/dev/snd/pcmC1D0p")
    busy = Devices(error=DeviceBusyError("It is busy."))
    found, device = check_device("microphone", "x", machine.root, find=busy, devices=[USB])
    assert (found.mark, found.text, device) == ("fault", "It is busy.", None)
    assert found.advice == "It is held by arecord (process 31)."


def test_no_card(machine: FakeMachine) -> None:
    machine.write("proc/asound/cards", "--- no soundcards ---\n")
    (found,) = check_cards(machine.root, "")
    assert found.mark == "skipped"


def test_a_card_that_a_container_hides(machine: FakeMachine) -> None:
    machine.write("proc/asound/cards", CARDS)
    (found,) = check_cards(machine.root, "")
    assert (found.mark, "--device /dev/snd" in found.advice) == ("warning", True)


def test_a_known_boards_settings_are_offered(machine: FakeMachine) -> None:
    machine.write("proc/asound/cards", CARDS)
    machine.write("dev/snd/pcmC0D0c", "")
    card, board = check_cards(machine.root, "")
    assert card == Finding("ok", "sound cards", "seeed-2mic-voicecard.")
    assert (board.mark, board.changes) == ("warning", (Change("board", "respeaker-2mic"),))
    assert len(check_cards(machine.root, "respeaker-2mic")) == 1
