"""Memory, disk, processor, temperature and power, on machines that are made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.doctor.finding import Finding
from edgebot.doctor.machine import (
    PROGRAM_BYTES,
    check_disk,
    check_memory,
    check_power,
    check_processor,
    check_temperature,
)

from .tree import FakeMachine

MB = 1_000_000


@pytest.mark.parametrize(
    ("total", "free", "models", "mark"),
    [
        (2048 * MB, 1500 * MB, 1500 * MB - PROGRAM_BYTES - 1 * MB, "ok"),
        (2048 * MB, 1500 * MB, 1500 * MB - PROGRAM_BYTES + 1 * MB, "warning"),
        (2048 * MB, 1500 * MB, 2048 * MB - PROGRAM_BYTES + 1 * MB, "fault"),
        (512 * MB, 100 * MB, 0, "ok"),
    ],
)
def test_memory_is_compared_with_what_is_needed(
    machine: FakeMachine, total: int, free: int, models: int, mark: str
) -> None:
    machine.memory(total, free)
    found = check_memory(machine.root, models)
    assert (found.mark, bool(found.advice)) == (mark, mark in ("warning", "fault"))


def test_memory_says_how_much_there_is(machine: FakeMachine) -> None:
    machine.memory(1024 * 4_000_000, 1024 * 1_000_000)
    assert check_memory(machine.root, 750 * MB).text == (
        "4.1 GB, of which 1.0 GB are free; the models and edgebot need about 1.0 GB."
    )


def test_memory_that_is_not_told(machine: FakeMachine) -> None:
    assert check_memory(machine.root, MB).mark == "skipped"


@pytest.mark.parametrize(
    ("free", "mark"), [(500 * MB, "ok"), (499 * MB, "warning"), (63 * MB, "fault")]
)
def test_room_on_the_disk(tmp_path: Path, free: int, mark: str) -> None:
    asked: list[Path] = []

    def tell(folder: Path) -> int:
        asked.append(folder)
        return free

    found = check_disk(tmp_path / "not" / "yet", free=tell)
    assert (found.mark, asked) == (mark, [tmp_path])
    assert found.text.startswith(f"{free // MB} MB are free where the models are (")


def test_a_fast_and_a_slow_processor(machine: FakeMachine) -> None:
    machine.raspberry_pi("Raspberry Pi 5 Model B Rev 1.0")
    assert check_processor(machine.root) == Finding(
        "ok", "processor", "Raspberry Pi 5 Model B Rev 1.0, 2 cores."
    )
    machine.raspberry_pi("Raspberry Pi 4 Model B Rev 1.4", dot=False)
    found = check_processor(machine.root)
    assert found.mark == "warning"
    assert found.text == (
        "Raspberry Pi 4 Model B Rev 1.4, 2 cores, without the dot product instruction."
    )


def test_a_processor_with_one_core(machine: FakeMachine) -> None:
    machine.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Abacus\n")
    found = check_processor(machine.root)
    assert (found.mark, found.text) == ("warning", "Abacus, 1 core.")


@pytest.mark.parametrize(
    ("degrees", "mark"),
    [(48_312, "ok"), (74_999, "ok"), (75_000, "warning"), (80_000, "fault")],
)
def test_the_hottest_processor_counts(machine: FakeMachine, degrees: int, mark: str) -> None:
    for number, (kind, value) in enumerate(
        [("cpu-thermal", 20_000), ("cpu-thermal", degrees), ("nvme", 99_000)]
    ):
        machine.write(f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
        machine.write(f"sys/class/thermal/thermal_zone{number}/temp", f"{value}\n")
    found = check_temperature(machine.root)
    assert found.mark == mark
    assert found.text == f"The processor has {degrees / 1000:.0f} °C."


def test_no_thermometer(machine: FakeMachine) -> None:
    assert check_temperature(machine.root).mark == "skipped"


THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


@pytest.mark.parametrize(
    ("bits", "mark", "text", "advice"),
    [
        ("0", "ok", "Voltage and clock have been right since it was started.", ""),
        (
            "50000",
            "warning",
            "Since it was started, the voltage was too low, the processor was slowed down.",
            "Use the power supply that is made for this board.",
        ),
        (
            "50005",
            "fault",
            "At this moment the voltage is too low, the processor is slowed down.",
            "Use the power supply that is made for this board.",
        ),
        (
            "80008",
            "fault",
            "At this moment the processor is near its heat limit.",
            "Give it a heat sink or a fan.",
        ),
    ],
)
def test_the_firmware_tells_why_it_slows_down(
    machine: FakeMachine, bits: str, mark: str, text: str, advice: str
) -> None:
    machine.raspberry_pi()
    machine.write(THROTTLED, f"{bits}\n")
    found = check_power(machine.root, lambda: pytest.fail("the file is there"))
    assert (found.mark, found.text, found.advice) == (mark, text, advice)


def test_vcgencmd_is_asked_where_there_is_no_file(machine: FakeMachine) -> None:
    machine.raspberry_pi()
    assert check_power(machine.root, lambda: "0x1").mark == "fault"
    assert check_power(machine.root, lambda: "0x0").mark == "ok"
    assert check_power(machine.root, lambda: None).mark == "skipped"


def test_another_machine_is_not_a_raspberry_pi(machine: FakeMachine) -> None:
    found = check_power(machine.root, lambda: "0x1")
    assert (found.mark, found.text) == ("skipped", "This is not a Raspberry Pi: nothing tells.")
