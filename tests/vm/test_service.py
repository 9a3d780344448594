"""The service in its sandbox, at the kernel's own pins and sound card.

The unit is the one that install.sh installs. What hears, thinks and speaks is made up, for the
emulated processor is slow; the panel, the light, the devices, the stages and the sandbox are real.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.vm.machine import Machine, wait_until
from tests.vm.test_panel import LED, TALK, pytestmark  # noqa: F401

UNIT = "edgebot.service"
SETTINGS = f"""
[panel]
talk_pin = {TALK}
[light]
kind = "led"
pins = [{LED}]
[audio]
speaker = "hw:0,0"
microphone = "hw:0,0"
[wake]
mode = "button"
[stt]
engine = "own.ear"
[llm]
engine = "own.mind"
[tts]
engine = "own.voice"
"""
# Where the engines and this project are; an emulated processor takes its time.
DROP_IN = """
[Service]
Environment=PYTHONPATH=/project:/packages:/project/tests/unit
WatchdogSec=180s
# In a /proc of its own it misses the board's revision, which is made up here.
BindReadOnlyPaths=/run/cpuinfo:/proc/cpuinfo
"""
COMMAND = '#!/bin/sh\nexec python3 -m edgebot "$@"\n'
# Importing Pipecat alone takes the emulated machine most of a minute.
START_S = 300.0
# What a process has in a sandbox without devices, and what ours has beside that.
USUAL = {"full", "null", "ptmx", "random", "tty", "urandom", "zero"}


def write(machine: Machine, path: str, text: str) -> None:
    machine.run(f"mkdir -p $(dirname {path}); cat >{path} <<'END'\n{text}\nEND")


def shown(machine: Machine, name: str) -> str:
    return machine.run(f"systemctl show -P {name} {UNIT}").strip()


@pytest.fixture(scope="module")
def service(machine: Machine) -> Iterator[Machine]:
    """The machine with the service at work, as install.sh leaves it but for its Python."""
    write(machine, "/opt/edgebot/current/bin/edgebot", COMMAND)
    write(machine, "/etc/edgebot/edgebot.toml", SETTINGS)
    write(machine, f"/etc/systemd/system/{UNIT}.d/emulated.conf", DROP_IN)
    machine.run("chmod +x /opt/edgebot/current/bin/edgebot")
    machine.run("useradd --system --user-group --groups audio,gpio --home /var/lib/edgebot edgebot")
    machine.run(f"cp /project/systemd/{UNIT} /etc/systemd/system/; systemctl daemon-reload")
    machine.run(f"systemctl start {UNIT}", timeout_s=START_S)
    wait_until(
        lambda: "asleep" in shown(machine, "StatusText"),
        START_S,
        lambda: machine.run(f"journalctl -u {UNIT} -n 30 --no-pager"),
    )
    print(machine.run(f"journalctl -u {UNIT} -o cat --no-pager"))
    yield machine
    machine.run(f"systemctl stop {UNIT}; rm -r /etc/systemd/system/{UNIT}* /etc/edgebot")
    machine.run("rm -r /opt/edgebot; systemctl daemon-reload; userdel edgebot")


def seen_by(machine: Machine, command: str) -> str:
    """Return what a command prints in the service's own mounts."""
    return machine.run(f"nsenter --target {shown(machine, 'MainPID')} --mount {command}")


def test_it_has_exactly_these_devices(service: Machine) -> None:
    # A folder tells of a device that was mounted there that it is a file: ask the device itself.
    found = seen_by(service, "find /dev -not -type d -not -type l -exec stat --format '%F %n' {} +")
    devices = {
        line.rpartition("/dev/")[2]
        for line in found.splitlines()
        if "special file" in line and "/pts/" not in line
    }
    ours = devices - USUAL
    print(f"\ndevices: {sorted(ours)}")
    assert "gpiochip0" in ours
    assert {name for name in ours if not name.startswith("snd/")} == {"gpiochip0"}
    assert {"snd/controlC0", "snd/pcmC0D0p", "snd/pcmC0D0c"} <= ours
    # The machine has others: its disk, its memory, its terminals.
    assert service.run("test -b /dev/vda -a -c /dev/ttyS0 && echo there").strip() == "there"


def test_a_press_wakes_it_lights_the_led_and_sounds_at_the_card(service: Machine) -> None:
    assert service.level(LED) == 0
    recorded = "/tmp/card.wav"
    # What goes into the card's first device comes out of its second one.
    with service.start(f"arecord -q -D plughw:0,1 -f S16_LE -r 48000 -d 6 {recorded}") as ear:
        time.sleep(1.0)
        pressed = time.monotonic()
        service.press(TALK)
        wait_until(lambda: service.level(LED) == 1, 20, lambda: "a light")
        print(f"\nfrom the press to the light, emulated: {time.monotonic() - pressed:.2f} s")
        service.release(TALK)
        assert ear.wait(60) == 0
    loudest = service.run(
        f"python3 -c \"import wave, array; print(max(map(abs, array.array('h', "
        f"wave.open('{recorded}').readframes(10**7)))))\""
    )
    print(f"loudest sample at the card: {loudest.strip()}")
    # The chime that says that it listens, at a fifth of full scale.
    assert int(loudest) > 2000
    wait_until(lambda: "asleep" in shown(service, "StatusText"), 60, lambda: "sleep")
    wait_until(lambda: service.level(LED) == 0, 20, lambda: "a light that goes out")


def test_it_shows_that_nothing_leaves(service: Machine) -> None:
    with service.start("python3 -m edgebot doctor --offline --json") as program:
        status = program.wait(120)
        text = program.text
    assert status == 0, text
    told = json.loads(text[text.index("{") : text.rindex("}") + 1])
    found = {one["subject"]: one["mark"] for one in told["findings"]}
    assert found["process"] == found["filter"] == found["network"] == found["sockets"] == "ok"
    # systemd-run needs a message bus, which this machine does not have; that is told.
    assert (found["unit"], found["attempt"], found["verdict"]) == ("ok", "skipped", "warning")


def test_its_sandbox_is_tight(service: Machine) -> None:
    said = service.run(f"systemd-analyze --no-pager security {UNIT}")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure
    print(f"\nexposure {exposure[1]}")
    assert float(exposure[1]) <= 1.0


def test_broken_settings_blink_at_the_led(service: Machine) -> None:
    before = shown(service, "MainPID")
    write(service, "/etc/edgebot/edgebot.toml", "[tts")
    service.run(f"systemctl reload {UNIT}")
    wait_until(lambda: "not valid TOML" in shown(service, "StatusText"), 30, lambda: "a fault")
    wait_until(lambda: service.level(LED) == 1, 10, lambda: "a light that blinks")
    wait_until(lambda: service.level(LED) == 0, 10, lambda: "a light that blinks")
    write(service, "/etc/edgebot/edgebot.toml", SETTINGS)
    service.run(f"systemctl reload {UNIT}")
    wait_until(lambda: "asleep" in shown(service, "StatusText"), 30, lambda: "peace")
    assert shown(service, "MainPID") == before
