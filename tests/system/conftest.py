"""A Debian with systemd as process 1, in which install.sh has installed edgebot from the checkout.

What takes many minutes is asked for by EDGEBOT_SYSTEM=1. EDGEBOT_SYSTEM_KEEP=FOLDER keeps that
Debian, so that the next run need not install again; EDGEBOT_SYSTEM_SUITE=trixie takes Debian 13.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgebot.config import load_settings
from edgebot.models.bundle import export
from edgebot.models.installed import InstalledModel
from edgebot.models.store import Store
from tests.conftest import LLM, STT, TTS

from .service import UNIT
from .tree import CACHE, Machine, booted, copy_checkout, why_not

INSTALL = "/root/edgebot/scripts/install.sh"
INSTALL_S = 1500


@dataclass(frozen=True)
class Installed:
    """What the tests look at.

    Attributes:
        machine: The booted Debian.
        before: Its files before the installation.
        seconds: How long the installation took.
        said: What it said.
    """

    machine: Machine
    before: set[str]
    seconds: float
    said: str


@pytest.fixture(scope="session")
def suite() -> str:
    return os.environ.get("EDGEBOT_SYSTEM_SUITE", "bookworm")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where this machine's models are; what asks for these tests is no setting."""
    wishes = ("EDGEBOT_SYSTEM", "EDGEBOT_CUTS")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(wishes)}
    return load_settings(environment=kept).models.dir


@pytest.fixture(scope="session")
def sound_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that lies in the Debian as /run/sound: for the socket of a sound server outside."""
    folder = tmp_path_factory.mktemp("sound")
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def machine(suite: str, sound_folder: Path) -> Iterator[Machine]:
    if reason := why_not("mmdebstrap"):
        pytest.skip(reason)
    # llama.cpp is compiled once a machine; what pip has fetched is not fetched again.
    kept = {
        CACHE / "wheels": "/root/.cache/edgebot/wheels",
        CACHE / "system/pip": "/root/.cache/pip",
    }
    for folder in kept:
        folder.mkdir(parents=True, exist_ok=True)
    binds = [f"--bind={here}:{there}" for here, there in kept.items()]
    keep = os.environ.get("EDGEBOT_SYSTEM_KEEP")
    binds.append(f"--bind={sound_folder}:/run/sound")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(booted(suite, *binds, kept=Path(keep) if keep else None))
        except OSError as error:
            pytest.skip(f"this machine boots no Debian of its own: {error}")
        copy_checkout(made.tree / "root/edgebot")
        yield made


@pytest.fixture(scope="session")
def installed(
    machine: Machine, model: Callable[[str], InstalledModel], models_dir: Path
) -> Installed:
    done_before = machine.tree / "root/installed.json"
    if done_before.exists():
        held = json.loads(done_before.read_text())
        return Installed(machine, set(held["before"]), held["seconds"], held["said"])
    wanted = [model(model_id).model.id for model_id in (STT, LLM, TTS)]
    export(Store(models_dir), wanted, machine.tree / "root/models.tar")
    before, begun = machine.files(), time.monotonic()
    done = machine.run(f"{INSTALL} --models /root/models.tar", timeout=INSTALL_S)
    seconds = time.monotonic() - begun
    held = {"before": sorted(before), "seconds": seconds, "said": done.stdout}
    done_before.write_text(json.dumps(held))
    return Installed(machine, before, seconds, done.stdout)


@pytest.fixture
def machine_with(installed: Installed) -> Machine:
    """The Debian with a service that runs."""
    machine = installed.machine
    machine.run(f"systemctl reset-failed {UNIT}; systemctl start {UNIT}", timeout=120)
    return machine
