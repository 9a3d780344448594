"""install.sh in a Debian of its own: the service comes up, stays up, and leaves nothing behind.

There is no sound in that Debian, so the service shows a fault; what is measured is that it lives.
"""

from __future__ import annotations

import json
import re
import signal
import time

import pytest

from .conftest import Installed
from .service import UNIT, figures, on_request, pid, ready_again, status
from .tree import Machine

WATCHDOG_S = 20.0
LOAD_S = 30.0
KILLS = 20
FREEZES = 5


def test_it_is_installed_and_runs(installed: Installed) -> None:
    machine = installed.machine
    # Since the installation, which waits a while, no fault but the sound that is not there.
    print(f"\ninstalled in {installed.seconds:.0f} s\n{installed.said}")
    assert machine.shows("ActiveState") == "active"
    assert machine.shows("UnitFileState") == "enabled"
    assert machine.says(f"ps -o user= -p {pid(machine)}") == "edgebot"
    assert machine.says("readlink -f /usr/local/bin/edgebot").endswith("/bin/edgebot")
    assert status(machine)["ready_at"] is not None
    # What its libraries want and may not have is no line in the journal.
    assert "onnxruntime" not in machine.says(f"journalctl -u {UNIT} -o cat --no-pager")
    times = []
    for _ in range(5):
        begun = time.monotonic()
        machine.run(f"systemctl restart {UNIT}", timeout=LOAD_S)
        times.append(time.monotonic() - begun)
    figures("restarted, models loaded and a fault shown for the sound", times)


def test_it_shows_what_it_misses_and_stays(machine_with: Machine) -> None:
    found = status(machine_with)
    assert found["state"] == "fault"
    assert set(found["faults"]) <= {"microphone", "speaker"}
    assert found["faults"]
    assert machine_with.shows("StatusText").startswith("fault: ")
    assert "next" in machine_with.says("edgebot status")


def test_its_sandbox_is_tight(machine_with: Machine) -> None:
    said = machine_with.says(f"systemd-analyze --no-pager security {UNIT}")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure
    print(f"\nexposure {exposure[1]}")
    assert float(exposure[1]) <= 1.0


def test_it_cannot_open_a_socket(machine_with: Machine) -> None:
    """A process in the unit's own namespaces and under its own filter tries."""
    machine_with.run("mkdir -p /run/systemd/system/probe.service.d")
    code = (
        "import socket\n"
        "for family in (socket.AF_INET, socket.AF_INET6):\n"
        "    try: socket.socket(family); print('open')\n"
        "    except OSError as error: print(error.strerror)\n"
        "socket.socket(socket.AF_UNIX); print('unix')\n"
        "print(open('/proc/net/dev').read().count(':'))\n"
    )
    (machine_with.tree / "probe.py").write_text(code)
    text = machine_with.says(f"cat /etc/systemd/system/{UNIT}")
    probe = re.sub(
        r"^(Type|NotifyAccess|WatchdogSec|Restart\w*|ExecReload)=.*\n", "", text, flags=re.M
    )
    probe = re.sub(
        r"^ExecStart=.*", "Type=oneshot\nExecStart=/usr/bin/python3 /probe.py", probe, flags=re.M
    )
    probe = probe.replace("RuntimeDirectory=edgebot", "RuntimeDirectory=probe")
    (machine_with.tree / "etc/systemd/system/probe.service").write_text(probe)
    machine_with.run("systemctl daemon-reload; systemctl start probe.service")
    said = machine_with.says("journalctl -u probe -o cat --no-pager").splitlines()
    refused = "Address family not supported by protocol"
    machine_with.run("rm -r /probe.py /etc/systemd/system/probe.service /run/systemd/system/probe*")
    machine_with.run("systemctl daemon-reload")
    assert [line for line in said if line in (refused, "open", "unix", "1")] == [
        refused,
        refused,
        "unix",
        "1",  # the loopback, and no other interface
    ]
    held = machine_with.says(f"grep -c . /proc/{pid(machine_with)}/net/dev")
    assert int(held) == 3  # two lines of headings, and the loopback


def test_doctor_proves_that_nothing_leaves(machine_with: Machine) -> None:
    said = json.loads(machine_with.says("edgebot doctor --offline --json"))["findings"]
    found = {one["subject"]: one for one in said}
    assert {one["mark"] for one in said} == {"ok"}
    assert "4 refused a socket" in found["attempt"]["text"]
    assert "Without the sandbox it is given 4 sockets" in found["attempt"]["text"]
    assert "none to a network" in found["sockets"]["text"]
    # Whoever is not root is told what was not looked at.
    stranger = machine_with.run("runuser -u nobody -- edgebot doctor --offline --json")
    skipped = {
        one["subject"]
        for one in json.loads(stranger.stdout)["findings"]
        if one["mark"] == "skipped"
    }
    assert skipped == {"sockets", "attempt"}


@on_request
def test_it_comes_back_after_each_kill(machine_with: Machine) -> None:
    times = []
    for number in range(KILLS):
        how = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)[number % 3 if number > 13 else 0]
        before = pid(machine_with)
        machine_with.run(f"kill -{int(how)} {before}")
        times.append(ready_again(machine_with, before, within_s=10 + LOAD_S))
    figures("killed", times)


@on_request
def test_the_watchdog_finds_a_process_that_hangs(machine_with: Machine) -> None:
    times = []
    for _ in range(FREEZES):
        before = pid(machine_with)
        time.sleep(1)
        machine_with.run(f"kill -STOP {before}")
        times.append(ready_again(machine_with, before, within_s=WATCHDOG_S + 10 + LOAD_S))
    figures("frozen", times)
    assert "atchdog" in machine_with.says(f"journalctl -u {UNIT} --no-pager")


def test_it_stops_within_seconds(machine_with: Machine) -> None:
    begun = time.monotonic()
    machine_with.run(f"systemctl stop {UNIT}")
    taken = time.monotonic() - begun
    print(f"\nstopped in {taken:.1f} s")
    assert taken < 5
    assert machine_with.shows("Result") == "success"


@on_request
@pytest.mark.parametrize("how", ["truncated", "flipped"])
def test_a_damaged_model_is_named_and_no_crash_loop(machine_with: Machine, how: str) -> None:
    machine = machine_with
    file = machine.says("ls /var/lib/edgebot/models/smollm2*/*/*.gguf")
    machine.run(f"systemctl stop {UNIT}; cp {file} /root/whole")
    if how == "truncated":
        machine.run(f"truncate --size=-1 {file}")
    else:
        middle = int(machine.says(f"stat -c %s {file}")) // 2
        byte = int(machine.says(f"od -An -tu1 -j{middle} -N1 {file}"))
        flipped = f"'\\x{byte ^ 1:02x}'"
        machine.run(f"printf {flipped} | dd of={file} bs=1 seek={middle} conv=notrunc status=none")
    machine.run(f"systemctl start {UNIT}", timeout=LOAD_S)
    found = status(machine)
    machine.run(f"cp /root/whole {file}; rm /root/whole")
    assert found["state"] == "fault"
    assert "smollm2-135m-instruct is damaged" in found["faults"]["model"]
    assert machine.shows("NRestarts") == "0"
    # Mended, it is found without anybody's help.
    machine.until("! edgebot status --json | grep -q 'is damaged'", within_s=60)


@on_request
def test_a_broken_settings_file_takes_nothing_down(machine_with: Machine) -> None:
    before = pid(machine_with)
    machine_with.run("cp /etc/edgebot/edgebot.toml /root/kept.toml")
    machine_with.run("printf '[tts\\n' > /etc/edgebot/edgebot.toml; systemctl reload edgebot")
    machine_with.until("edgebot status --json | grep -q 'not valid TOML'", within_s=20)
    assert pid(machine_with) == before
    machine_with.run(f"kill -9 {before}")
    ready_again(machine_with, before, within_s=10 + LOAD_S)
    assert "settings" in status(machine_with)["faults"]
    assert machine_with.run("edgebot config check", is_checked=False).returncode == 3
    machine_with.run("mv /root/kept.toml /etc/edgebot/edgebot.toml; systemctl reload edgebot")
    machine_with.until("! edgebot status --json | grep -q 'not valid TOML'", within_s=20)


@on_request
def test_a_full_disk_loses_nothing(machine_with: Machine) -> None:
    """The state's folder has no room left; the service starts, and its last settings are whole."""
    machine, state = machine_with, "/var/lib/edgebot"
    machine.run(f"systemctl stop {UNIT}; cp {state}/last-good.toml /root/last-good.toml")
    machine.run(f"mkdir -p /root/models; mount --bind {state}/models /root/models")
    machine.run(f"mount -t tmpfs -o size=64k,mode=755 tmpfs {state}; mkdir {state}/models")
    machine.run(f"mount --bind /root/models {state}/models; cp /root/last-good.toml {state}/")
    machine.run(f"chown edgebot: {state} {state}/last-good.toml; chmod 600 {state}/last-good.toml")
    machine.run(f"cat /dev/zero > {state}/full 2>/dev/null || :")
    machine.run("cp /etc/edgebot/edgebot.toml /root/kept.toml")
    machine.run("printf '[tts]\\nspeed = 1.5\\n' > /etc/edgebot/edgebot.toml")
    try:
        machine.run(f"systemctl start {UNIT}", timeout=LOAD_S)
        assert status(machine)["ready_at"] is not None
        assert "settings" not in status(machine)["faults"]
        machine.run(f"cmp {state}/last-good.toml /root/last-good.toml")
    finally:
        machine.run(f"mv /root/kept.toml /etc/edgebot/edgebot.toml; systemctl stop {UNIT}")
        machine.run(f"umount {state}/models {state} /root/models; rm /root/last-good.toml")
