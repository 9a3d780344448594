"""Other ways to install: for oneself; and from a folder of packages, with no network at all.

The first removes what is installed for everybody, and the second brings it back.
"""

from __future__ import annotations

import shlex
import time

import pytest

from .conftest import INSTALL, INSTALL_S, Installed
from .service import UNIT, on_request
from .tree import Machine

pytestmark = on_request

WHEELS = "/root/wheelhouse"
# A process of another network: there is not even a loopback that is up.
NOWHERE = "unshare --net"
NAME = "maker"
HOME = f"/home/{NAME}"


def as_maker(command: str) -> str:
    """Return a command as it runs in somebody's own terminal, with a manager of services there."""
    inner = f"export XDG_RUNTIME_DIR=/run/user/$(id -u); {command}"
    return f"runuser -l {NAME} -c {shlex.quote(inner)}"


@pytest.fixture
def maker(installed: Installed) -> Machine:
    """The Debian, in which somebody is logged in who is not root."""
    machine = installed.machine
    machine.run(
        "apt-get install -q -y --no-install-recommends libpam-systemd dbus-user-session",
        timeout=300,
    )
    machine.run(
        f"id {NAME} || useradd --create-home --shell /bin/bash {NAME}; "
        f"cp -r /root/edgebot /root/models.tar {HOME}/ && "
        f"cp $(ls -t /root/.cache/edgebot/wheels/*/llama*.whl | head -n 1) {HOME}/ && "
        f"chown -R {NAME}: {HOME} && loginctl enable-linger {NAME}"
    )
    machine.until(as_maker("systemctl --user show-environment"), within_s=30)
    return machine


def test_somebody_installs_it_for_themselves(maker: Machine) -> None:
    machine, install = maker, f"{HOME}/edgebot/scripts/install.sh"
    wish = as_maker(f"{install} --user --models {HOME}/models.tar --llama-wheel {HOME}/llama*.whl")
    refused = machine.run(wish, is_checked=False)
    assert refused.returncode
    assert "installed for everybody here" in refused.stderr
    machine.run(f"{INSTALL} --uninstall --purge", timeout=60)
    begun = time.monotonic()
    said = machine.run(wish, timeout=INSTALL_S).stdout
    print(f"\n{said}in {time.monotonic() - begun:.0f} s")
    active = as_maker(f"systemctl --user is-active {UNIT}")
    assert machine.says(active) == "active"
    shown = machine.says(as_maker("~/.local/bin/edgebot status"))
    print(shown)
    assert "fault" in shown
    machine.run(as_maker(f"{install} --user --uninstall --purge"), timeout=60)
    assert machine.run(active, is_checked=False).returncode
    left = machine.says(f"find {HOME} -path {HOME}/edgebot -prune -o -name '*edgebot*' -print")
    machine.run(f"loginctl disable-linger {NAME}")
    assert left == ""


def test_it_is_installed_without_a_network(installed: Installed) -> None:
    machine = installed.machine
    begun = time.monotonic()
    said = machine.run(f"/root/edgebot/scripts/wheelhouse.sh {WHEELS}", timeout=INSTALL_S).stdout
    print(f"\n{said}in {time.monotonic() - begun:.0f} s")
    machine.run(f"{INSTALL} --uninstall --purge", timeout=60)
    assert machine.run(f"{NOWHERE} getent hosts deb.debian.org", is_checked=False).returncode
    begun = time.monotonic()
    machine.run(
        f"{NOWHERE} {INSTALL} --offline {WHEELS} --models /root/models.tar", timeout=INSTALL_S
    )
    print(f"installed from it without a network in {time.monotonic() - begun:.0f} s")
    machine.run(f"rm -r {WHEELS}")
    assert machine.shows("ActiveState") == "active"
    assert machine.says("edgebot --version").startswith("edgebot ")
