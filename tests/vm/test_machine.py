"""The machine itself is what the other tests take it for."""

from __future__ import annotations

from tests.vm.machine import Machine


def test_it_has_the_pins_of_a_raspberry_pi(machine: Machine) -> None:
    assert "gpiochip0 [pinctrl-bcm2711] (28 lines)" in machine.run("gpiodetect")
    assert "Revision\t: c03114" in machine.run("cat /proc/cpuinfo")
    machine.press(17)
    assert machine.level(17) == 0
    machine.release(17)
    assert machine.level(17) == 1


def test_it_has_a_sound_card(machine: Machine) -> None:
    assert "Loopback" in machine.run("cat /proc/asound/cards")


def test_it_runs_this_project(machine: Machine) -> None:
    said = machine.run("python3 -c 'import edgebot, gpiozero; print(edgebot.__file__)'")
    assert said == "/project/edgebot/__init__.py"
