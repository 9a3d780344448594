"""The service's own unit under a real systemd, from this checkout: up, sandboxed, and up again.

It is booted over this machine's own files in two seconds, and needs no network, no model and no
sound: a fault that is shown is as good as none. The whole installation is tried by the tests
beside this one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .service import UNIT, pid, ready_again
from .tree import ROOT, Machine, booted_here, why_not

# A busy machine takes its time; what is not there by then never comes.
PATIENCE_S = 300.0
DROP_IN = """
[Service]
ExecStart=
ExecStart={python} -m edgebot serve
Environment=EDGEBOT_MODELS__DIR={models}
# The checkout may lie where a service sees nothing.
ProtectHome=tmpfs
BindReadOnlyPaths={folders}
"""


@pytest.fixture(scope="module")
def here(models_dir: Path) -> Iterator[Machine]:
    """This machine's own files with a systemd of their own, and the service at work."""
    if reason := why_not():
        pytest.skip(reason)
    own = {Path(sys.prefix), Path(sys.base_prefix), ROOT, models_dir}
    folders = sorted(str(folder) for folder in own if folder.is_dir() and folder != Path("/usr"))
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(booted_here(*folders))
        except OSError as error:
            pytest.skip(f"this machine boots no systemd of its own: {error}")
        unit = (ROOT / "systemd" / UNIT).read_text()
        text = DROP_IN.format(
            python=Path(sys.prefix) / "bin/python", models=models_dir, folders=" ".join(folders)
        )
        for name, content in ((UNIT, unit), (f"{UNIT}.d/here.conf", text)):
            file = machine.tree / "etc/systemd/system" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(content)
        machine.run("getent passwd edgebot || useradd --system --user-group edgebot")
        machine.run(f"systemctl daemon-reload; systemctl start {UNIT}", timeout=PATIENCE_S)
        yield machine


def test_it_is_ready(here: Machine) -> None:
    assert here.shows("ActiveState") == "active"
    assert here.shows("NRestarts") == "0"
    assert here.says(f"ps -o user= -p {pid(here)}") == "edgebot"


def test_nothing_leaves_it(here: Machine) -> None:
    python = Path(sys.prefix) / "bin/python"
    command = f"cd /; PYTHONPATH={ROOT} {python} -m edgebot doctor --offline --json"
    done = here.run(command, timeout=PATIENCE_S)
    told = json.loads(done.stdout)["findings"]
    marks = {one["subject"]: one["mark"] for one in told}
    assert marks == dict.fromkeys(marks, "ok")
    assert {"filter", "network", "sockets", "unit", "attempt", "verdict"} <= set(marks)


def test_its_sandbox_is_tight(here: Machine) -> None:
    said = here.says(f"systemd-analyze --no-pager security {UNIT}")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure
    assert float(exposure[1]) <= 1.0


def test_broken_settings_take_nothing_down(here: Machine) -> None:
    before = pid(here)
    here.run("mkdir -p /etc/edgebot; printf '[tts' > /etc/edgebot/edgebot.toml")
    here.run(f"systemctl reload {UNIT}", timeout=PATIENCE_S)
    here.until(
        f"systemctl show -P StatusText {UNIT} | grep -q 'not valid TOML'", within_s=PATIENCE_S
    )
    here.run(f"rm /etc/edgebot/edgebot.toml; systemctl reload {UNIT}")
    here.until(
        f"systemctl show -P StatusText {UNIT} | grep -q 'No setting has changed'",
        within_s=PATIENCE_S,
    )
    assert pid(here) == before


def test_it_is_up_again_after_a_kill_and_stops_in_order(here: Machine) -> None:
    before = pid(here)
    here.run(f"kill -KILL {before}")
    ready_again(here, before, within_s=PATIENCE_S)
    here.run(f"systemctl stop {UNIT}", timeout=PATIENCE_S)
    assert here.shows("Result") == "success"
