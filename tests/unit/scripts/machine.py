"""A machine to try the scripts on: a copy of the checkout's set-up, and commands that record."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
SET_UP = (
    *("Makefile", "README.md", "pyproject.toml", "constraints.txt", "scripts", "systemd"),
    *("edgebot/__init__.py", "edgebot/defaults.toml"),
)
NOBODY = 65534

# The commands of Debian that the scripts may use; all others are the machine's own fakes.
PLAIN = (
    *("awk", "basename", "bash", "cat", "chmod", "cp", "cut", "date", "dirname", "env", "find"),
    *("grep", "kill", "ln", "mkdir", "mv", "readlink", "realpath", "rmdir", "sort", "sync"),
    *("uname", "xargs"),
    *("mktemp", "nproc", "rm", "sed", "setsid", "sh", "sha256sum", "sleep", "tail", "tee", "touch"),
)

DPKG = """#!/bin/sh
case "$*" in
    --print-architecture) cat "$MACHINE/architecture" ;;
    *) for package; do :; done; grep -qx "$package" "$MACHINE/installed" && printf installed ;;
esac
"""

# apt knows the packages in "known"; an update makes it know all. "stale" lists fail once.
APT_GET = """#!/bin/sh
echo "apt-get $*" >> "$MACHINE/calls"
case "$1" in
    update) rm -f "$MACHINE/stale" "$MACHINE/unknown" ;;
    install) ! test -e "$MACHINE/stale" || exit 100 ;;
esac
"""

APT_CACHE = """#!/bin/sh
if cat "$MACHINE/unknown" "$MACHINE/absent" 2>/dev/null | grep -qx "$2"; then exit 0; fi
echo "  Candidate: 1.0"
"""

SUDO = """#!/bin/sh
echo "sudo $*" >> "$MACHINE/calls"
"""

# A compiler tells what it makes of the processor.
CC = """#!/bin/sh
cat "$MACHINE/processor"
"""

# A Python whose virtual environments hold this same script.
PYTHON = """#!/bin/sh
case "$1 $2 $3" in
    "-c "*) ! test -e "$MACHINE/old-python" ;;
    "--version "*)
        if test -e "$MACHINE/old-python"; then echo Python 3.9.2; else echo Python 3.11.2; fi
        ;;
    "-m venv "*)
        echo "venv" >> "$MACHINE/calls"
        mkdir -p "$4/bin"
        cp "$MACHINE/bin/python3" "$4/bin/python"
        cp "$MACHINE/edgebot" "$4/bin/edgebot"
        ;;
    "-m pip "*)
        shift 2
        echo "pip $*" | sed "s|$MACHINE/||; s|wheels/[0-9a-f]*|wheels/KEY|" >> "$MACHINE/calls"
        echo "jobs $CMAKE_BUILD_PARALLEL_LEVEL" >> "$MACHINE/jobs"
        echo "$PIP_NO_INDEX $PIP_FIND_LINKS" > "$MACHINE/wheelhouse"
        echo "  Building wheel for llama-cpp-python (pyproject.toml): started"
        if test -e "$MACHINE/slow-pip"; then
            sleep 600 & echo $! > "$MACHINE/compiler"; wait
        fi
        ! test -e "$MACHINE/broken-pip" || { echo "error: no such compiler"; exit 1; }
        case "$*" in
            "wheel "*) mkdir -p "$5" && touch "$5/llama.whl" ;;
        esac
        ;;
esac
"""

# Its models are the lines of "models"; listing them is not recorded.
EDGEBOT = """#!/bin/sh
case "$*" in
    "models list --json") cat "$MACHINE/models"; exit ;;
    "models pull"*)
        ! test -e "$MACHINE/no-network" || { echo "edgebot: There is no network."; exit 5; }
        echo "$3" >> "$MACHINE/models" ;;
esac
echo "edgebot $*" >> "$MACHINE/calls"
test "$1 $2" != "devices --check" || exit "$(cat "$MACHINE/devices" 2>/dev/null || echo 0)"
"""


class Machine:
    """A machine with Debian's bare commands and recording fakes of apt, dpkg, sudo and Python.

    Its folder is open to every user, so that a script can run there as one without rights.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.checkout.mkdir()
        self.bin.mkdir()
        for name in SET_UP:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.checkout / name)
            else:
                (self.checkout / name).parent.mkdir(exist_ok=True)
                shutil.copy2(ROOT / name, self.checkout / name)
        for name in PLAIN:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        for name, text in {
            "cc": CC,
            "apt-cache": APT_CACHE,
            "apt-get": APT_GET,
            "dpkg": DPKG,
            "dpkg-query": DPKG,
            "python3": PYTHON,
            "sudo": SUDO,
        }.items():
            self.program(self.bin / name, text)
        self.program(folder / "edgebot", EDGEBOT)
        self.has(
            architecture="arm64", calls="", jobs="", models="", processor="#define __ARM_ARCH 8\n"
        )
        self.system("debian", "12")
        self.has(installed="\n".join(self.packages("run", "build", "test")))
        folder.chmod(0o777)
        for path in folder.rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU | stat.S_IRGRP | stat.S_IROTH)
        for name in ("calls", "jobs"):
            (folder / name).chmod(0o666)

    def program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def has(self, **files: str) -> None:
        """Write what the fakes read, by name: `_` in a name stands for `-`."""
        for name, text in files.items():
            (self.folder / name.replace("_", "-")).write_text(text)

    def has_not(self, *packages: str) -> None:
        """Take packages away."""
        installed = (self.folder / "installed").read_text().splitlines()
        self.has(installed="\n".join(name for name in installed if name not in packages))

    def system(self, name: str, version: str) -> None:
        self.has(os_release=f'ID={name}\nVERSION_ID="{version}"\nPRETTY_NAME="{name} {version}"\n')

    def packages(self, *groups: str) -> list[str]:
        listed = self.run("scripts/install.sh", "--list").stdout.splitlines()
        return [line.split()[1] for line in listed if line.split()[0] in groups]

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def environment(self, **variables: str) -> dict[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "MACHINE": str(self.folder),
            "OS_RELEASE": str(self.folder / "os-release"),
            "PATH": str(self.bin),
            **variables,
        }

    def run(
        self, script: str, *arguments: str, user: int | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of the checkout, as another user where this one may change to it."""
        return subprocess.run(
            [self.bin / "bash", self.checkout / script, *arguments],
            cwd="/",
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=user if os.geteuid() == 0 else None,
            timeout=60,
            check=False,
        )
