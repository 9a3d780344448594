"""The built wheel holds the whole command, with its data files."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    made = subprocess.run([*command, str(folder), str(ROOT)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no wheel can be built here: {made.stderr.strip().splitlines()[-1]}")
    [path] = folder.glob("edgebot-*.whl")
    return path


def test_it_holds_the_data_files(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"edgebot/defaults.toml", "edgebot/models/catalog.toml"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]


def test_its_command_works_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(target), "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        script = "import edgebot, sys; print(edgebot.__file__); from edgebot.__main__ import main"
        finished = subprocess.run(
            [sys.executable, "-c", f"{script}; sys.argv[1:] = {arguments!r}; main()"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        first, _, rest = finished.stdout.partition("\n")
        assert first.startswith(str(target))
        return rest

    assert run("--version").startswith("edgebot 0.")
    assert "tts.speed" in run("config")
    assert "smollm2-135m-instruct" in run("models", "list")
