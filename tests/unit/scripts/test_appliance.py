"""scripts/install.sh in full, below a folder: versions side by side, and the user's own kept."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edgebot.config import known_keys, load_settings

from .machine import ROOT, Machine

PULL = "edgebot models pull"


class Appliance:
    """A machine whose root is a folder."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.root = machine.folder / "root"
        self.base = self.root / "opt/edgebot"
        self.settings = self.root / "etc/edgebot/edgebot.toml"
        self.models = self.root / "var/lib/edgebot/models"

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.machine.run("scripts/install.sh", *options, DESTDIR=str(self.root))

    def change(self) -> None:
        """Make another version of the checkout."""
        with (self.machine.checkout / "edgebot/__init__.py").open("a") as file:
            file.write("# changed\n")

    def version(self, link: str = "current") -> str:
        return (self.base / link).readlink().name

    @property
    def versions(self) -> set[str]:
        return {path.name for path in (self.base / "versions").iterdir()}


@pytest.fixture
def appliance(machine: Machine) -> Appliance:
    return Appliance(machine)


def test_the_first_installation_makes_everything(appliance: Appliance) -> None:
    done = appliance.install()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^\[(\d)/7\]", done.stdout, re.MULTILINE) == list("1234567")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*-[0-9a-f]{8}", appliance.version())
    made = {str(path.relative_to(appliance.root)) for path in appliance.root.rglob("*")}
    assert {
        "etc/edgebot/edgebot.toml",
        "etc/systemd/system/edgebot.service",
        "etc/systemd/system/edgebot-bridge.service",
        "etc/systemd/system/multi-user.target.wants/edgebot.service",
        "opt/edgebot/current",
        "usr/local/bin/edgebot",
        "usr/local/share/bash-completion/completions/edgebot",
        "usr/local/share/zsh/site-functions/_edgebot",
        "var/lib/edgebot",
        "var/log/edgebot-install.log",
    } <= made
    assert PULL in appliance.machine.calls
    unit = appliance.root / "etc/systemd/system/edgebot.service"
    assert unit.read_text() == (ROOT / "systemd/edgebot.service").read_text()
    bridge = unit.with_name("edgebot-bridge.service")
    assert bridge.read_text() == (ROOT / "systemd/edgebot-bridge.service").read_text()
    # Nobody can call until somebody wishes it; what that needs is there.
    assert "etc/systemd/system/multi-user.target.wants/edgebot-bridge.service" not in made
    assert any(
        c.startswith("pip install") and c.endswith("[bridge]") for c in appliance.machine.calls
    )


def test_the_same_again_builds_nothing(appliance: Appliance) -> None:
    appliance.install()
    before = [call for call in appliance.machine.calls if call.startswith(("pip", "venv"))]
    assert appliance.install().returncode == 0
    assert [c for c in appliance.machine.calls if c.startswith(("pip", "venv"))] == before
    assert len(appliance.versions) == 1
    assert not (appliance.base / "previous").exists()


def test_an_upgrade_keeps_the_version_before_and_no_more(appliance: Appliance) -> None:
    seen = []
    for _ in range(3):
        appliance.install()
        seen.append(appliance.version())
        appliance.change()
    assert len(set(seen)) == 3
    assert appliance.versions == set(seen[1:])
    assert appliance.version("previous") == seen[1]


def test_there_is_a_way_back_and_forth(appliance: Appliance) -> None:
    assert appliance.install("--rollback").returncode == 1
    appliance.install()
    first = appliance.version()
    appliance.change()
    appliance.install()
    second = appliance.version()
    assert appliance.install("--rollback").returncode == 0
    assert (appliance.version(), appliance.version("previous")) == (first, second)
    # The way back is also the installed copy's, which has no checkout.
    copy = appliance.base / "current/scripts/install.sh"
    done = subprocess.run(
        [appliance.machine.bin / "bash", copy, "--rollback"],
        env=appliance.machine.environment(DESTDIR=str(appliance.root)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert appliance.version() == second


def test_a_failure_leaves_the_old_version(appliance: Appliance) -> None:
    appliance.install()
    before = appliance.version()
    appliance.change()
    appliance.machine.has(broken_pip="")
    done = appliance.install()
    assert done.returncode == 1
    assert "error: no such compiler" in done.stderr
    assert "edgebot-install.log" in done.stderr.splitlines()[-1]
    assert appliance.version() == before
    (appliance.machine.folder / "broken-pip").unlink()
    assert appliance.install().returncode == 0
    assert appliance.version() != before


def test_models_that_cannot_be_had_stop_it_with_what_to_do(appliance: Appliance) -> None:
    appliance.machine.has(no_network="")
    done = appliance.install()
    assert done.returncode == 1
    assert "--models BUNDLE" in done.stderr
    assert not (appliance.base / "current").exists()
    done = appliance.install("--no-models")
    assert done.returncode == 0
    assert "sudo edgebot models pull" in done.stdout


def test_models_come_from_a_bundle(appliance: Appliance) -> None:
    bundle = appliance.machine.folder / "bundle.tar"
    bundle.write_text("")
    assert appliance.install("--models", str(bundle)).returncode == 0
    assert f"edgebot models import {bundle}" in appliance.machine.calls
    assert PULL not in appliance.machine.calls
    assert appliance.install("--models", "missing").returncode == 1


def test_a_wheelhouse_needs_no_network(appliance: Appliance) -> None:
    wheels = appliance.machine.folder / "wheels"
    wheels.mkdir()
    appliance.machine.has_not("cmake")
    assert appliance.install("--offline", str(wheels), "--no-models").returncode == 0
    assert (appliance.machine.folder / "wheelhouse").read_text() == f"1 {wheels}\n"
    assert not any("cmake" in call or " wheel " in call for call in appliance.machine.calls)


def test_a_wheel_of_llama_cpp_saves_the_compiler(appliance: Appliance) -> None:
    wheel = appliance.machine.folder / "llama_cpp_python-linux_aarch64.whl"
    wheel.write_text("")
    assert appliance.install("--llama-wheel", str(wheel), "--no-models").returncode == 0
    calls = appliance.machine.calls
    assert f"pip install --no-deps --force-reinstall {wheel.name}" in calls
    assert not any(call.startswith("pip wheel") for call in calls)


def test_the_settings_are_every_key_commented_out(appliance: Appliance, tmp_path: Path) -> None:
    appliance.install("--no-models")
    text = appliance.settings.read_text()
    nothing = load_settings(file=appliance.settings, environment={})
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    assert nothing == load_settings(file=empty, environment={})
    for key in known_keys():
        assert re.search(rf"^# {key.rpartition('.')[2]} = ", text, re.MULTILINE), key
    # Without the marks it is the defaults, and valid.
    lines = [re.sub(r"^# ?", "", line) for line in text.split("\n\n", 1)[1].splitlines()]
    appliance.settings.write_text("\n".join(lines))
    assert load_settings(file=appliance.settings, environment={}) == nothing


def test_the_users_settings_are_never_overwritten(appliance: Appliance) -> None:
    appliance.install("--no-models")
    appliance.settings.write_text("[tts]\nspeed = 1.5\n")
    appliance.change()
    done = appliance.install("--no-models")
    assert "is yours and stays" in done.stdout
    assert appliance.settings.read_text() == "[tts]\nspeed = 1.5\n"


@pytest.mark.parametrize("is_purge", [False, True])
def test_nothing_is_left(appliance: Appliance, is_purge: bool) -> None:
    appliance.install()
    model = appliance.models / "voice" / "file"
    model.parent.mkdir(parents=True)
    model.write_text("")
    for made in ("var/cache/edgebot/prompts/a.prompt", "var/lib/private/edgebot-bridge/secret"):
        file = appliance.root / made
        file.parent.mkdir(parents=True)
        file.write_text("")
    done = appliance.install("--uninstall", *["--purge"] * is_purge)
    assert (done.returncode, done.stderr) == (0, "")
    left = {
        str(path.relative_to(appliance.root))
        for path in appliance.root.rglob("*")
        if not path.is_dir()
    }
    yours = {"etc/edgebot/edgebot.toml", "var/lib/edgebot/models/voice/file"}
    assert left == (set() if is_purge else yours)
    assert ("What is yours stays" in done.stdout) == (not is_purge)
    assert appliance.install("--uninstall").returncode == 0


def test_a_dry_run_changes_nothing(appliance: Appliance) -> None:
    done = appliance.install("--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert str(appliance.settings) in done.stdout
    assert not appliance.root.exists()
    assert appliance.machine.calls == []
    assert appliance.install("--uninstall", "--dry-run").returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--purge"], "--purge goes with --uninstall"),
        (["--offline", "missing"], "there is no folder"),
        (["--llama-wheel", "missing"], "there is no wheel"),
        (["--models"], "--models needs a bundle"),
    ],
)
def test_what_does_not_fit_is_refused(appliance: Appliance, options: list[str], said: str) -> None:
    done = appliance.install(*options)
    assert done.returncode == 1
    assert said in done.stderr
    assert not appliance.root.exists()


def test_an_ordinary_user_installs_it_at_home(machine: Machine) -> None:
    done = machine.run("scripts/install.sh", "--user", "--no-models")
    assert (done.returncode, done.stderr) == (0, "")
    home = machine.folder / "home"
    app = home / ".local/share/edgebot/app"
    assert (home / ".local/bin/edgebot").readlink() == app / "current/bin/edgebot"
    assert (home / ".config/edgebot/edgebot.toml").exists()
    unit = (home / ".config/systemd/user/edgebot.service").read_text()
    assert f"ExecStart={app}/current/bin/edgebot serve\n" in unit
    assert "RestrictAddressFamilies=AF_UNIX\n" in unit
    assert "WantedBy=default.target\n" in unit
    # What only the machine's own manager can do.
    names = {line.partition("=")[0] for line in unit.splitlines() if not line.startswith("#")}
    assert not names & {"User", "PrivateNetwork", "ProtectSystem", "DeviceAllow", "BindPaths"}
    assert "/var/lib" not in unit
    assert "XDG_RUNTIME_DIR=" not in unit  # where the desktop's sound server is
    # The bridge's user is made by the machine's manager alone.
    assert not (home / ".config/systemd/user/edgebot-bridge.service").exists()
    assert not any("sudo" in call for call in machine.calls)
    # What it made while it ran; systemd 252 has its StateDirectory= among the settings.
    for file in (
        home / ".cache/edgebot/prompts/prompt",
        home / ".cache/edgebot/weights/model.gguf",
        home / ".config/edgebot/last-good.toml",
        home / ".local/state/edgebot/last-good.toml",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert machine.run("scripts/install.sh", "--user", "--uninstall", "--purge").returncode == 0
    left = [path for path in home.rglob("*") if path.is_file() and "edgebot" in path.parts]
    # llama.cpp, compiled, stays: it serves this checkout as well.
    assert {path.relative_to(home).parts[:3] for path in left} == {(".cache", "edgebot", "wheels")}
    assert not (home / ".config/edgebot").exists()


def test_it_is_not_installed_at_home_beside_one_for_everybody(appliance: Appliance) -> None:
    appliance.install()
    done = appliance.install("--user", "--no-models")
    assert done.returncode == 1
    assert "is installed for everybody here" in done.stderr
    assert not (appliance.machine.folder / "home/.config/systemd/user").exists()


def test_a_power_cut_leaves_the_old_version_or_the_new_one(appliance: Appliance) -> None:
    """The upgrade is killed at points of its whole length; what is current is always whole."""
    appliance.install()
    begun = time.monotonic()
    appliance.change()
    appliance.install()
    whole_s = time.monotonic() - begun
    cuts = int(os.environ.get("EDGEBOT_CUTS", "10"))
    chance = random.Random(4)
    seen = set()
    for number in range(cuts):
        appliance.change()
        before = appliance.version()
        running = subprocess.Popen(
            [appliance.machine.bin / "bash", appliance.machine.checkout / "scripts/install.sh"],
            env=appliance.machine.environment(DESTDIR=str(appliance.root)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(timeout=whole_s * (number + chance.random()) / cuts)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert (appliance.base / "current/.complete").exists()
        assert (appliance.base / "current/bin/edgebot").exists()
        assert (appliance.root / "usr/local/bin/edgebot").is_symlink()
        assert load_settings(file=appliance.settings, environment={}).language == "en"
        seen.add(appliance.version() == before)
    assert True in seen
    # Whatever was cut, the next run brings it to its end.
    assert appliance.install().returncode == 0
    assert len(appliance.versions) <= 2
