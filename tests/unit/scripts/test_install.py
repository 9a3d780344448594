"""scripts/install.sh: only what is missing, only when it must, and in plain words."""

import os

import pytest

from .machine import NOBODY, Machine

INSTALL = "apt-get install -q -y --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 {packages}"


def calls_as_root(machine: Machine) -> list[str]:
    """What apt-get was asked, whether by root or through sudo."""
    prefix = "sudo env DEBIAN_FRONTEND=noninteractive "
    return [call.removeprefix(prefix) for call in machine.calls]


def test_each_package_is_listed_once_with_group_and_reason(machine: Machine) -> None:
    lines = machine.run("scripts/install.sh", "--list").stdout.splitlines()
    rows = [line.split(maxsplit=2) for line in lines]
    assert all(len(row) == 3 for row in rows)
    assert {row[0] for row in rows} == {"run", "build", "test"}
    names = [row[1] for row in rows]
    assert len(names) == len(set(names))


def test_nothing_is_done_where_nothing_is_missing(machine: Machine) -> None:
    done = machine.run("scripts/install.sh", "--deps-only", "--test")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls == []


def test_only_what_is_missing_is_installed_without_an_update(machine: Machine) -> None:
    machine.has_not("cmake", "libgomp1")
    done = machine.run("scripts/install.sh", "--deps-only")
    assert done.returncode == 0
    assert calls_as_root(machine) == [INSTALL.format(packages="libgomp1 cmake")]


def test_what_tests_need_is_installed_only_for_tests(machine: Machine) -> None:
    machine.has_not("pulseaudio")
    assert machine.run("scripts/install.sh", "--deps-only").returncode == 0
    assert machine.calls == []
    assert machine.run("scripts/install.sh", "--deps-only", "--test").returncode == 0
    assert calls_as_root(machine) == [INSTALL.format(packages="pulseaudio")]


def test_lists_are_updated_when_they_lack_a_package(machine: Machine) -> None:
    machine.has_not("cmake")
    machine.has(unknown="cmake\n")
    assert machine.run("scripts/install.sh", "--deps-only").returncode == 0
    assert calls_as_root(machine) == ["apt-get update -q", INSTALL.format(packages="cmake")]


@pytest.mark.skipif(os.geteuid() != 0, reason="the fake sudo runs nothing")
def test_stale_lists_are_updated_once_and_the_install_tried_again(machine: Machine) -> None:
    machine.has_not("cmake")
    machine.has(stale="")
    assert machine.run("scripts/install.sh", "--deps-only").returncode == 0
    install = INSTALL.format(packages="cmake")
    assert machine.calls == [install, "apt-get update -q", install]


def test_dry_run_prints_and_does_nothing(machine: Machine) -> None:
    machine.has_not("cmake")
    done = machine.run("scripts/install.sh", "--deps-only", "--dry-run")
    assert done.returncode == 0
    assert INSTALL.format(packages="cmake") in done.stdout
    assert machine.calls == []


def test_dry_run_says_that_nothing_is_missing(machine: Machine) -> None:
    done = machine.run("scripts/install.sh", "--deps-only", "--dry-run")
    assert done.stdout.startswith("Nothing to do: all ")


def test_an_ordinary_user_installs_with_sudo(machine: Machine) -> None:
    machine.has_not("cmake")
    done = machine.run("scripts/install.sh", "--deps-only", user=NOBODY)
    assert done.returncode == 0
    install = INSTALL.format(packages="cmake")
    assert machine.calls == [f"sudo env DEBIAN_FRONTEND=noninteractive {install}"]


def test_an_ordinary_user_without_sudo_is_told_the_command(machine: Machine) -> None:
    machine.has_not("cmake", "libgomp1")
    (machine.bin / "sudo").unlink()
    done = machine.run("scripts/install.sh", "--deps-only", user=NOBODY)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "apt-get update && apt-get install --no-install-recommends libgomp1 cmake\n"
    )
    assert machine.calls == []


def test_an_unknown_system_is_warned_with_the_list_and_goes_on(machine: Machine) -> None:
    machine.system("fedora", "42")
    for name in ("apt-get", "apt-cache", "dpkg", "dpkg-query"):
        (machine.bin / name).unlink()
    done = machine.run("scripts/install.sh", "--deps-only")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "fedora 42" in done.stderr
    assert all(name in done.stderr for name in ("portaudio19-dev", "libatomic1"))


def test_a_32_bit_system_is_refused(machine: Machine) -> None:
    machine.has(architecture="armhf")
    done = machine.run("scripts/install.sh", "--deps-only")
    assert done.returncode == 1
    assert "64-bit" in done.stderr


def test_pipewire_is_not_driven_out_by_pulseaudio(machine: Machine) -> None:
    machine.has(installed=(machine.folder / "installed").read_text() + "\npipewire-audio\n")
    machine.has_not("pulseaudio", "shellcheck")
    assert machine.run("scripts/install.sh", "--deps-only", "--test").returncode == 0
    assert calls_as_root(machine) == [INSTALL.format(packages="shellcheck")]


def test_a_browser_is_installed_where_apt_has_one(machine: Machine) -> None:
    machine.has_not("chromium")
    assert machine.run("scripts/install.sh", "--deps-only", "--test").returncode == 0
    assert calls_as_root(machine) == [INSTALL.format(packages="chromium")]


@pytest.mark.parametrize("also", [(), ("shellcheck",)])
def test_without_a_browser_its_tests_are_skipped(machine: Machine, also: tuple[str, ...]) -> None:
    machine.has_not("chromium", *also)
    machine.has(absent="chromium\n")
    done = machine.run("scripts/install.sh", "--deps-only", "--test")
    assert done.returncode == 0
    told = "Leaving out chromium: apt has none here. Tests that need a browser are skipped.\n"
    assert done.stderr == told
    install = [INSTALL.format(packages=" ".join(also))] if also else []
    assert calls_as_root(machine) == ["apt-get update -q", *install]


def test_an_unknown_option_is_refused_by_name(machine: Machine) -> None:
    done = machine.run("scripts/install.sh", "--deps")
    assert done.returncode == 1
    assert "unknown option --deps" in done.stderr
