"""An emulated machine with real GPIO lines, a real sound card and systemd, for trying edgebot in.

QEMU runs it, without help from the processor: about ten times slower than the machine it runs on.
`Machine` is booted once and told what to run through a serial line; its disk is forgotten when it
ends. What it is built of decides the disk's name, so a change of it builds another disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PACKAGES = Path(sysconfig.get_path("purelib"))
EMULATOR = "qemu-system-x86_64"
# The Debian whose Python runs what was installed for this one.
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
MEMORY_MB = 2048
BUILD_TIMEOUT_S = 900.0
BOOT_TIMEOUT_S = 180.0
LINE_TIMEOUT_S = 120.0

Found = TypeVar("Found")


def reason_to_skip() -> str | None:
    """Say why no machine can be run here, or None where it can."""
    if os.environ.get("EDGEBOT_VM") != "1":
        return "the emulated machine takes minutes: set EDGEBOT_VM=1"
    if shutil.which(EMULATOR) is None:
        return f"{EMULATOR} missing: apt-get install qemu-system-x86"
    if sys.version_info[:2] not in SUITES:
        return "no Debian has this Python: use 3.11 or 3.13"
    if not is_built():
        if os.geteuid() != 0:
            return "the machine's disk is built by root: run these tests once as root"
        if missing := [name for name in ("mmdebstrap", "mkfs.ext4") if shutil.which(name) is None]:
            return f"{', '.join(missing)} missing: apt-get install mmdebstrap e2fsprogs"
    return None


def image_folder() -> Path:
    """Return where the disk is kept, by what it is made of."""
    suite = SUITES[sys.version_info[:2]]
    parts = [suite.encode()]
    parts += [path.read_bytes() for path in sorted((HERE / "image").iterdir())]
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    return Path.home() / ".cache" / "edgebot" / "vm" / f"{suite}-{key}"


def is_built() -> bool:
    """Tell whether the disk is there."""
    return (image_folder() / "disk").exists()


def build() -> None:
    """Build the disk, unless it is there."""
    folder = image_folder()
    if is_built():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        log = folder.parent / "build.log"
        with log.open("wb") as output:
            built = subprocess.run(
                [HERE / "image" / "build.sh", fresh, SUITES[sys.version_info[:2]]],
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
        if built.returncode:
            raise RuntimeError(f"the machine's disk was not built: see {log}")
        Path(fresh).rename(folder)
        Path(fresh).mkdir()  # for its own removal


def wait_until(look: Callable[[], Found], timeout_s: float, what: Callable[[], str]) -> Found:
    """Look again and again until something true comes, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"within {timeout_s:.0f} s there was not {what()}")
        time.sleep(0.02)
    return found


class GuestProgram:
    """A shell that runs in the machine, and its lines with the times at which they came."""

    def __init__(self, machine: Machine, number: int) -> None:
        """Know the machine, and the number by which it calls this program."""
        self.lines: list[tuple[float, str]] = []
        self.status: int | None = None
        self._machine = machine
        self._number = number

    @property
    def text(self) -> str:
        """All that it has printed."""
        return "\n".join(line for _, line in list(self.lines))

    def matches(self, pattern: str) -> list[str]:
        """Return its lines in which a pattern is found."""
        return [line for _, line in list(self.lines) if re.search(pattern, line)]

    def wait_for(
        self, pattern: str, timeout_s: float = LINE_TIMEOUT_S, after: float = 0.0
    ) -> re.Match[str]:
        """Wait for a line that came after a time and matches."""

        def look() -> re.Match[str] | None:
            lines = list(self.lines)
            for came, line in lines:
                if came > after and (match := re.search(pattern, line)):
                    return match
            if self.status is not None:
                raise RuntimeError(f"it ended with {self.status}, not {pattern!r}:\n{self.text}")
            return None

        found = wait_until(look, timeout_s, lambda: f"a line like {pattern!r}:\n{self.text}")
        assert found is not None
        return found

    def wait(self, timeout_s: float = LINE_TIMEOUT_S) -> int:
        """Wait for its end and return its status."""
        wait_until(lambda: self.status is not None, timeout_s, lambda: f"an end:\n{self.text}")
        assert self.status is not None
        return self.status

    def signal(self, number: int) -> None:
        """Send a signal to it and all that it started."""
        self._machine.send(id=self._number, signal=number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.status is None:
            self.signal(9)
            self.wait()


class Machine:
    """The running machine, for one `with` block."""

    def __init__(self) -> None:
        """Know where its disk is."""
        # A Unix socket's path may have no more than 107 characters, so not pytest's deep folders.
        self._folder = Path(tempfile.mkdtemp(prefix="edgebot-vm-"))
        self._programs: dict[int, GuestProgram] = {}
        self._sending = threading.Lock()

    def __enter__(self) -> Self:
        """Boot it, and return when it takes commands."""
        image, line = image_folder(), self._folder / "line"
        self._emulator = subprocess.Popen(
            [
                EMULATOR,
                *("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
                *("-m", str(MEMORY_MB), "-nic", "none", "-display", "none", "-no-reboot"),
                *("-kernel", str(image / "kernel"), "-initrd", str(image / "initrd")),
                *("-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off"),
                *("-drive", f"file={image / 'disk'},format=raw,if=virtio,snapshot=on"),
                *share("project", PROJECT),
                *share("packages", PACKAGES),
                *("-serial", f"file:{self._folder / 'console'}"),
                *("-serial", f"unix:{line},server=on,wait=off"),
            ],
            stdin=subprocess.DEVNULL,
        )
        self._line = socket.socket(socket.AF_UNIX)
        try:
            wait_until(line.exists, 20, lambda: "an emulator")
            self._line.connect(str(line))
            up = self._programs[0] = GuestProgram(self, 0)
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            wait_until(lambda: up.status is not None, BOOT_TIMEOUT_S, self._console)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._emulator.kill()
        self._emulator.wait()
        self._line.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _console(self) -> str:
        console = self._folder / "console"
        text = console.read_text(errors="replace") if console.exists() else ""
        return f"a machine that is up; its console says:\n{text[-3000:]}"

    def _read(self) -> None:
        with self._line.makefile("rb") as lines:
            for line in lines:
                told = json.loads(line)
                program = self._programs[told["id"]]
                if "line" in told:
                    program.lines.append((time.monotonic(), told["line"]))
                else:
                    program.status = told["status"]

    def send(self, **message: object) -> None:
        """Send one message to what runs the commands."""
        with self._sending:
            self._line.sendall(json.dumps(message).encode() + b"\n")

    def start(self, command: str, *, user: str = "root") -> GuestProgram:
        """Start a shell command with this project on Python's path."""
        number = len(self._programs)
        program = self._programs[number] = GuestProgram(self, number)
        path = "PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/project:/packages"
        if user != "root":
            become = f"setpriv --reuid={user} --regid={user} --init-groups"
            command = f"cd /tmp; exec {become} bash -c {shlex.quote(command)}"
        self.send(id=number, command=f"export HOME=/tmp {path}; {command}")
        return program

    def run(self, command: str, *, user: str = "root", timeout_s: float = LINE_TIMEOUT_S) -> str:
        """Run a command, and return what it printed; it must succeed."""
        with self.start(command, user=user) as program:
            if status := program.wait(timeout_s):
                raise RuntimeError(f"{command!r} ended with {status}:\n{program.text}")
            return program.text

    # What a person does with their hands

    def press(self, line: int) -> None:
        """Close a GPIO line to ground."""
        self.run(f"echo {line} 0 >/sys/devices/platform/pins/level")

    def release(self, line: int) -> None:
        """Let a GPIO line go."""
        self.run(f"echo {line} 1 >/sys/devices/platform/pins/level")

    def bounce(self, line: int, times: int) -> None:
        """Close a GPIO line as a worn button does: so many contacts, the last of which holds."""
        again = f"echo {line} 1 >$pins; echo {line} 0 >$pins; " * (times - 1)
        self.run(f"pins=/sys/devices/platform/pins/level; echo {line} 0 >$pins; {again}")

    def level(self, line: int) -> int:
        """Return the level of a GPIO line."""
        return int(self.run("cat /sys/devices/platform/pins/level")[line])


def share(name: str, folder: Path) -> list[str]:
    """Return the emulator's options for a folder that the machine may read."""
    options = f"local,path={folder},mount_tag={name},security_model=none,readonly=on"
    return ["-virtfs", f"{options},multidevs=remap"]
