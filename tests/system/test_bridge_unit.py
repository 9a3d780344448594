"""The bridge's own unit under a real systemd: a call goes through its sandbox."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.caller import Caller, loudest

from .tree import ROOT, Machine, booted_here, why_not

UNIT = "edgebot-bridge.service"
# A busy machine takes its time.
PATIENCE_S = 300.0
PYTHON = Path(sys.prefix) / "bin/python"
DROP_IN = """
[Service]
ExecStart=
ExecStart={python} -m edgebot bridge
Environment=EDGEBOT_BRIDGE__PORT=0
# The checkout may lie where a service sees nothing.
ProtectHome=tmpfs
BindReadOnlyPaths={folders}
"""
# What hears and thinks is made up: this is about the way there.
ENGINE = (
    "systemd-run --quiet --unit=engine -p User=edgebot -p Group=edgebot "
    "-p RuntimeDirectory=edgebot -p RuntimeDirectoryMode=0750 -p WorkingDirectory={root} "
    # The interpreter may lie in a home that nobody else may enter.
    "-p ProtectHome=tmpfs -p 'BindReadOnlyPaths={folders}' "
    "--setenv=PYTHONPATH={root}/tests/unit "
    "{python} -m tests.engine /run/edgebot/calls.sock "
    "stt.engine=own.ear llm.engine=own.mind tts.engine=own.voice"
)


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    """This machine's own files with a systemd of their own, an engine, and the bridge at work."""
    if reason := why_not():
        pytest.skip(reason)
    own = {Path(sys.prefix), Path(sys.base_prefix), ROOT}
    folders = sorted(str(folder) for folder in own if folder.is_dir() and folder != Path("/usr"))
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(booted_here(*folders))
        except OSError as error:
            pytest.skip(f"this machine boots no systemd of its own: {error}")
        unit = (ROOT / "systemd" / UNIT).read_text()
        text = DROP_IN.format(python=PYTHON, folders=" ".join(folders))
        for name, content in ((UNIT, unit), (f"{UNIT}.d/here.conf", text)):
            file = machine.tree / "etc/systemd/system" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(content)
        machine.run("getent passwd edgebot || useradd --system --user-group edgebot")
        # As on every machine that the installer has seen.
        machine.run(
            "mkdir -p /var/lib/edgebot/models /etc/edgebot && touch /etc/edgebot/edgebot.toml"
        )
        machine.run("systemctl daemon-reload")
        machine.run(ENGINE.format(python=PYTHON, root=ROOT, folders=" ".join(folders)))
        machine.until("test -S /run/edgebot/calls.sock", within_s=PATIENCE_S)
        machine.run(f"systemctl start {UNIT}")
        machine.until(f"journalctl -u {UNIT} -o cat | grep -q token=", within_s=PATIENCE_S)
        yield machine


async def test_a_call_goes_through_it(here: Machine) -> None:
    shown = here.says(f"journalctl -u {UNIT} -o cat")
    link = re.search(r"http://localhost(:\d+)/client#token=(\S+)", shown)
    assert link, shown
    # The machine shares this one's network.
    url, headers = f"http://127.0.0.1{link[1]}", {"Authorization": f"Bearer {link[2]}"}
    async with aiohttp.ClientSession() as http, Caller() as caller:
        async with http.get(f"{url}/client") as response:
            assert response.status == 200
        async with http.post(f"{url}/start", json={}, headers=headers) as response:
            ticket = (await response.json())["sessionId"]
        await caller.call(f"{url}/sessions/{ticket}/api/offer")
        said = await caller.message("bot-output")
        assert said["text"] == "Hello, I am Edgebot. How can I help you?"
        await caller.until(lambda: loudest(caller.heard) > 3000)
    assert here.shows("NRestarts", UNIT) == "0"


def test_its_sandbox_is_tight(here: Machine) -> None:
    said = here.says(f"systemd-analyze --no-pager security {UNIT}")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure
    assert float(exposure[1]) <= 1.1


def test_it_sees_nothing_of_the_engines(here: Machine) -> None:
    process = here.shows("MainPID", UNIT)
    assert here.says(f"ps -o user= -p {process}") not in ("root", "edgebot")
    inside = f"nsenter --target {process} --mount --root --wd"
    assert here.run(f"{inside} ls /home /root", is_checked=False).stdout.split() == [
        "/home:",
        "/root:",
    ]
    assert here.says("ls /var/lib/edgebot") == "models"
    assert here.run(f"{inside} ls /var/lib/edgebot", is_checked=False).stdout == ""


def test_its_link_stays_the_same(here: Machine) -> None:
    token = here.says("cat /var/lib/private/edgebot-bridge/token")
    assert f"token={token}" in here.says(f"journalctl -u {UNIT} -o cat")
    here.run(f"systemctl restart {UNIT}")
    invocation = here.shows("InvocationID", UNIT)
    journal = f"journalctl _SYSTEMD_INVOCATION_ID={invocation} -o cat"
    here.until(f"{journal} | grep -q token=", within_s=PATIENCE_S)
    assert f"token={token}" in here.says(journal)
