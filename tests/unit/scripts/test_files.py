"""The set-up's files: pinned, portable and in order."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .machine import ROOT

SCRIPTS = sorted([*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci/run"])
FILES = [
    *SCRIPTS,
    *(ROOT / name for name in ("Makefile", "constraints.txt", ".pre-commit-config.yaml")),
]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    listed = [*project["dependencies"], *(item for extra in extras for item in extra)]
    return [Requirement(item) for item in listed if not item.startswith("edgebot")]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda item: item.name)
def test_each_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    pin = pins()[canonicalize_name(requirement.name)]
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    assert requirement.specifier.contains(specifier.version)


def test_each_pin_is_one_exact_version() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)?", line) for line in kept)
    assert kept == sorted(kept)
    assert len(kept) == len(pins())


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_host_is_named(path: Path) -> None:
    assert "://" not in path.read_text()


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_each_script_runs_strictly_and_says_what_it_is_for(path: Path) -> None:
    first, second, third, *_ = path.read_text().splitlines()
    assert first == "#!/usr/bin/env bash"
    assert re.match(r"# [A-Z].+", second)
    assert third.startswith(("# ", "set -euo pipefail"))
    assert "\nset -euo pipefail\n" in path.read_text()
    assert path.stat().st_mode & 0o111


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["shellcheck", *SCRIPTS], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    "name", ["install.sh", "setup.sh", "fresh-debian.sh", "wheelhouse.sh", "build-arm64-wheel.sh"]
)
def test_help_names_every_option(name: str) -> None:
    path = ROOT / "scripts" / name
    done = subprocess.run([path, "--help"], capture_output=True, text=True, check=True, timeout=10)
    options = set(re.findall(r"^ +(?:-h \| )?(--[a-z-]+)\)", path.read_text(), re.MULTILINE))
    assert options
    assert all(re.search(rf"{option}\b", done.stdout) for option in options)


def test_make_prints_a_table_of_its_targets() -> None:
    done = subprocess.run(
        ["make", "-C", ROOT, "--no-print-directory"],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    named = [line.split()[1] for line in done.stdout.splitlines()]
    assert named == ["help", "run", "test", "check", "bench", "clean"]
