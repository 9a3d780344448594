"""scripts/setup.sh and scripts/run.sh: everything once, and faults in one sentence."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from .machine import ROOT, Machine


def llama_pin() -> str:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    (pin,) = (line for line in lines if line.startswith("llama-cpp-python=="))
    return pin


VENV = "venv"
PIP = "pip install --constraint constraints.txt --upgrade pip"
COMPILE = (
    "pip wheel --no-cache-dir --no-deps --wheel-dir home/.cache/edgebot/wheels/KEY.new"
    f" {llama_pin()}"
)
LLAMA = "pip install --no-deps --force-reinstall home/.cache/edgebot/wheels/KEY/llama.whl"
EDGEBOT = "pip install --constraint constraints.txt --editable ."
PULL = "edgebot models pull"
AGAIN = [PIP, LLAMA, EDGEBOT]
FIRST = [VENV, PIP, COMPILE, LLAMA, EDGEBOT]


def test_the_first_set_up_makes_everything(machine: Machine) -> None:
    assert machine.run("scripts/setup.sh").returncode == 0
    assert machine.calls == [*FIRST, PULL]


def test_the_second_set_up_does_nothing(machine: Machine) -> None:
    machine.run("scripts/setup.sh")
    done = machine.run("scripts/setup.sh")
    assert (done.returncode, done.stdout) == (0, "")
    assert machine.calls == [*FIRST, PULL]


def test_models_that_are_gone_are_pulled_again(machine: Machine) -> None:
    machine.run("scripts/setup.sh")
    machine.has(models="")
    assert machine.run("scripts/setup.sh").returncode == 0
    assert machine.calls == [*FIRST, PULL, PULL]


def test_the_tests_set_up_serves_make_run_as_well(machine: Machine) -> None:
    assert machine.run("scripts/setup.sh", "--dev").returncode == 0
    assert f"{EDGEBOT}[dev]" in machine.calls
    assert machine.calls[-1] == "edgebot models pull vosk-model-small-ko"
    before = machine.calls
    assert machine.run("scripts/setup.sh").returncode == 0
    assert machine.calls == before


def test_make_run_does_not_serve_the_tests(machine: Machine) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    machine.run("scripts/setup.sh", "--dev", "--no-models")
    assert machine.calls[5:] == [PIP, LLAMA, f"{EDGEBOT}[dev]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "scripts/setup.sh"])
def test_what_changes_is_installed_again(machine: Machine, name: str) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    with (machine.checkout / name).open("a") as file:
        file.write("\n# changed\n")
    machine.run("scripts/setup.sh", "--no-models")
    assert machine.calls == [*FIRST, *AGAIN]


def test_a_checkout_that_moves_gets_a_new_environment(machine: Machine) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    machine.checkout = machine.checkout.rename(machine.folder / "elsewhere")
    machine.run("scripts/setup.sh", "--no-models")
    assert machine.calls == [*FIRST, VENV, *AGAIN]


@pytest.mark.parametrize("what", ["processor", "options", "CMAKE_ARGS"])
def test_llama_is_compiled_anew_for_other_processors_and_options(
    machine: Machine, what: str
) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    variables = {}
    if what == "processor":
        machine.has(processor="#define __ARM_FEATURE_DOTPROD 1\n")
    elif what == "options":
        (machine.checkout / "scripts/llama-lean.cmake").write_text("set(A B)\n")
    else:
        variables["CMAKE_ARGS"] = "-DGGML_OPENMP=OFF"
    machine.run("scripts/setup.sh", "--dev", "--no-models", **variables)
    assert machine.calls == [*FIRST, PIP, COMPILE, LLAMA, f"{EDGEBOT}[dev]"]


def test_without_a_cache_the_wheel_stays_in_the_checkout(machine: Machine) -> None:
    (machine.folder / "home").write_text("not a folder")
    assert machine.run("scripts/setup.sh", "--no-models").returncode == 0
    assert machine.calls[3] == LLAMA.replace("home/.cache/edgebot", "checkout/.venv")


def test_a_failing_pip_shows_its_last_words_and_is_tried_again(machine: Machine) -> None:
    machine.has(broken_pip="")
    done = machine.run("scripts/setup.sh")
    assert done.returncode == 1
    assert "error: no such compiler" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(str(machine.checkout / ".venv/setup.log"))
    (machine.folder / "broken-pip").unlink()
    assert machine.run("scripts/setup.sh").returncode == 0
    assert machine.calls == [VENV, PIP, *FIRST[1:], PULL]


def test_an_old_python_is_refused_in_one_sentence(machine: Machine) -> None:
    machine.has(old_python="")
    done = machine.run("scripts/setup.sh", PYTHON="python3")
    assert done.returncode == 1
    assert done.stderr == (
        "setup: edgebot needs Python 3.11 or later; set PYTHON to one (found: Python 3.9.2).\n"
    )
    assert machine.calls == []


def test_compile_jobs_are_bounded_and_can_be_chosen(machine: Machine) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    jobs = (machine.folder / "jobs").read_text().splitlines()
    cores = int(subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout)
    assert all(1 <= int(line.split()[1]) <= cores for line in jobs)
    machine.run("scripts/setup.sh", "--dev", "--no-models", CMAKE_BUILD_PARALLEL_LEVEL="7")
    assert (machine.folder / "jobs").read_text().splitlines()[-1] == "jobs 7"


def test_stopping_the_set_up_stops_the_compiler(machine: Machine) -> None:
    machine.has(slow_pip="")
    compiler = machine.folder / "compiler"
    setup = subprocess.Popen(
        [machine.bin / "bash", machine.checkout / "scripts/setup.sh"],
        env=machine.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pid = wait_for_number(compiler)
    setup.send_signal(signal.SIGTERM)
    assert setup.wait(timeout=10) == 130
    assert not is_running(pid)


def wait_for_number(path: Path) -> int:
    """Wait until another process has written a number to a file."""
    for _ in range(500):
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.02)
    pytest.fail(f"{path.name} does not come")


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(("status", "verb"), [("0", "run"), ("6", "demo")])
def test_running_chooses_by_the_devices(machine: Machine, status: str, verb: str) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    machine.has(devices=status)
    done = machine.run("scripts/run.sh", "--loud")
    assert done.returncode == 0
    assert machine.calls[5:] == ["edgebot devices --check", f"edgebot {verb} --loud"]
    assert done.stdout.count("\n") == (verb == "demo")


def test_running_passes_other_faults_on(machine: Machine) -> None:
    machine.run("scripts/setup.sh", "--no-models")
    machine.has(devices="3")
    assert machine.run("scripts/run.sh").returncode == 3
    assert machine.calls[5:] == ["edgebot devices --check"]
