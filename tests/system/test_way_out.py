"""The last things: a next version that is broken, how much was written, and nothing is left."""

from __future__ import annotations

import time

from .conftest import INSTALL, INSTALL_S, Installed
from .service import UNIT, on_request
from .tree import Machine


@on_request
def test_an_upgrade_and_the_way_back(machine_with: Machine) -> None:
    machine = machine_with
    first = machine.says("readlink /opt/edgebot/current")
    file = machine.tree / "root/edgebot/edgebot/__init__.py"
    text = file.read_text()
    file.write_text(f"{text}# another version\n")
    begun = time.monotonic()
    machine.run(f"{INSTALL} --models /root/models.tar", timeout=INSTALL_S)
    print(f"\nupgraded in {time.monotonic() - begun:.0f} s")
    second = machine.says("readlink /opt/edgebot/current")
    assert second != first
    begun = time.monotonic()
    machine.run("edgebot rollback", timeout=120)
    print(f"back in {time.monotonic() - begun:.0f} s, ten of them to see whether it stays up")
    file.write_text(text)
    assert machine.says("readlink /opt/edgebot/current") == first
    assert machine.shows("ActiveState") == "active"
    # A way back leads on again.
    assert machine.says("readlink /opt/edgebot/previous") == second


@on_request
def test_a_next_version_that_is_broken_goes_back_by_itself(machine_with: Machine) -> None:
    machine = machine_with
    good = machine.says("readlink /opt/edgebot/current")
    file = machine.tree / "root/edgebot/edgebot/cli/serve.py"
    text = file.read_text()
    # It starts, and falls over when it serves.
    file.write_text(
        text.replace("    faulthandler.enable()", "    os.abort()").replace(
            "import asyncio", "import asyncio\nimport os"
        )
    )
    done = machine.run(f"{INSTALL} --models /root/models.tar", timeout=INSTALL_S, is_checked=False)
    print(f"\n{done.stdout}")
    assert done.returncode == 1
    assert "does not come up, and" in done.stderr
    assert machine.says("readlink /opt/edgebot/current") == good
    assert machine.shows("ActiveState") == "active"
    assert len(machine.says("ls /opt/edgebot/versions").splitlines()) == 1
    file.write_text(text)


def test_it_is_quiet(installed: Installed) -> None:
    """All those faults together wrote little."""
    said = installed.machine.says(f"journalctl -u {UNIT} --no-pager")
    print(f"\n{len(said)} bytes of journal")
    assert len(said) < 1_000_000


def test_nothing_is_left(installed: Installed) -> None:
    machine = installed.machine
    machine.run(f"{INSTALL} --uninstall --purge", timeout=60)
    found = machine.files() - installed.before
    # What Debian's packages brought is Debian's.
    left = {name for name in found if "edgebot" in name and not name.startswith("/root/edgebot")}
    machine.run("rm -rf /root/edgebot /root/models.tar /root/installed.json")
    assert left == set()
    assert machine.run("getent passwd edgebot", is_checked=False).returncode == 2
    assert machine.says("systemctl list-unit-files | grep -c edgebot || :") == "0"
