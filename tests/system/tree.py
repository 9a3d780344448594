"""A Debian of its own, booted with a real systemd, for tests of what is installed there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgebot"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What every Debian with systemd holds; the installation brings the rest itself.
PACKAGES = "ca-certificates,dbus,systemd,systemd-sysv"
# What the host's environment says of the network holds in the tree as well.
_OF_THE_NETWORK = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT"),
)
_OF_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
BOOT_S = 60


def why_not(*more: str) -> str | None:
    """Return why this machine cannot boot a Debian of its own, or None.

    Args:
        more: Programs that are needed beside systemd-nspawn.
    """
    if os.geteuid() != 0:
        return "this needs root, to boot a Debian of its own"
    # Within another systemd's container, what a unit may do is that one's business.
    if Path("/run/host/container-manager").exists():
        return "this machine is itself a container of systemd's"
    for program in ("systemd-nspawn", "nsenter", *more):
        if shutil.which(program) is None:
            return f"this needs {program}"
    return None


def base_tree(suite: str) -> Path:
    """Return a bare Debian, made once and kept.

    Raises:
        OSError: mmdebstrap cannot make one here.
    """
    tree = CACHE / "system" / suite
    if not (tree / "etc/debian_version").exists():
        made = tree.with_name(f"{suite}.new")
        shutil.rmtree(made, ignore_errors=True)
        made.parent.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        done = subprocess.run([*command, suite, made], check=False, timeout=600)
        if done.returncode:
            raise OSError(f"mmdebstrap ended with {done.returncode}")
        apt = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
        proxies = [
            line
            for line in apt.stdout.splitlines()
            if line.startswith(("Acquire::http::", "Acquire::https::"))
        ]
        (made / "etc/apt/apt.conf.d/90host").write_text("\n".join(proxies) + "\n")
        made.rename(tree)
    return tree


class Machine:
    """A booted Debian."""

    def __init__(self, tree: Path, leader: int) -> None:
        self.tree = tree
        self._leader = leader

    def run(
        self, command: str, *, timeout: float = 60, is_checked: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of a shell there, as root."""
        environment = {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            **{name: os.environ[name] for name in _OF_THE_NETWORK if os.environ.get(name)},
            **{name: str(CERTIFICATES) for name in _OF_CERTIFICATES if os.environ.get(name)},
            **variables,
        }
        settings = [f"{name}={value}" for name, value in environment.items()]
        enter = ["nsenter", "--target", str(self._leader)]
        enter += ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"]
        done = subprocess.run(
            [*enter, "/usr/bin/env", "-i", *settings, "/bin/bash", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if is_checked and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def says(self, command: str, **more: float) -> str:
        """Return what a command prints."""
        return self.run(command, **more).stdout.strip()  # type: ignore[arg-type]

    def shows(self, name: str, unit: str = "edgebot.service") -> str:
        """Return a property of a unit."""
        return self.says(f"systemctl show -P {name} {unit}")

    def until(self, command: str, *, within_s: float, every_s: float = 0.1) -> float:
        """Wait until a command succeeds, and return how long that took."""
        begun = time.monotonic()
        while self.run(command, is_checked=False).returncode:
            waited = time.monotonic() - begun
            assert waited < within_s, f"{command}: not within {within_s} s"
            time.sleep(every_s)
        return time.monotonic() - begun

    def files(self) -> set[str]:
        """Return every file that somebody would call installed, but what apt and logs leave."""
        found = self.says(
            "find /etc /opt /usr/local /var/lib /var/log /run/edgebot /root -xdev 2>/dev/null || :"
        )
        left_by_others = ("/var/lib/apt", "/var/lib/dpkg", "/var/log/", "/root/.cache")
        return {
            name
            for name in found.splitlines()
            if not name.startswith(left_by_others) or "edgebot" in Path(name).name
        }


@contextmanager
def changes(kept: Path | None) -> Iterator[Path]:
    """Yield a folder for what changes in a Debian: a kept one, or one that is forgotten."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="edgebot-system.") as name:
        yield Path(name)


@contextmanager
def booted(suite: str, *binds: str, kept: Path | None = None) -> Iterator[Machine]:
    """Boot a Debian whose changes are forgotten at the end, unless a folder is to keep them.

    Args:
        suite: bookworm or trixie.
        binds: Arguments of systemd-nspawn that bring folders in.
        kept: Holds the changes from one time to the next.
    """
    base = base_tree(suite)
    with changes(kept) as name:
        parts = {part: name / part for part in ("upper", "work", "tree")}
        for part in parts.values():
            part.mkdir(exist_ok=True)
        _lay_over(base, parts)
        options = [*binds]
        if CERTIFICATES.exists():
            options.append(f"--bind-ro={CERTIFICATES}")
        with _at_work(parts["tree"], name / "console", options, ()) as machine:
            yield machine


@contextmanager
def booted_here(*binds: str) -> Iterator[Machine]:
    """Boot this machine's own files with a systemd of their own; all changes are forgotten.

    Nothing is fetched and nobody's services are started: what is tried is a unit.

    Args:
        binds: Folders that are to be there as well; a booted tree has a /tmp of its own.

    Raises:
        OSError: This machine cannot do that.
    """
    with tempfile.TemporaryDirectory(prefix="edgebot-here.") as folder:
        name = Path(folder)
        # What changes is laid over the whole disk, and so may not lie on it.
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False).returncode:
            raise OSError("this machine lets nobody mount anything")
        try:
            parts = {part: name / part for part in ("upper", "work", "tree")}
            for part in parts.values():
                part.mkdir()
            try:
                _lay_over(Path("/"), parts)
            except subprocess.CalledProcessError:
                raise OSError("this machine cannot lay a file system over its own") from None
            options = [f"--bind-ro={bind}" for bind in binds]
            with _at_work(
                parts["tree"], name / "console", options, ("--unit=basic.target",)
            ) as machine:
                yield machine
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False)


def _lay_over(base: Path, parts: dict[str, Path]) -> None:
    layers = f"lowerdir={base},upperdir={parts['upper']},workdir={parts['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", layers, str(parts["tree"])]
    subprocess.run(mount, check=True, capture_output=True)


@contextmanager
def _at_work(
    tree: Path, log: Path, options: Sequence[str], of_systemd: Sequence[str]
) -> Iterator[Machine]:
    command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"]
    command += ["--console=pipe", "--capability=CAP_NET_ADMIN", "-D", str(tree), *options]
    with log.open("wb") as console:
        nspawn = subprocess.Popen(
            [*command, "--", *of_systemd],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:
        machine = Machine(tree, _leader_of(nspawn))
        _wait_for_boot(machine, log)
        yield machine
    finally:
        nspawn.terminate()
        try:
            nspawn.wait(timeout=30)
        except subprocess.TimeoutExpired:
            nspawn.kill()
            nspawn.wait()
        subprocess.run(["umount", "--lazy", str(tree)], check=False)


def _leader_of(nspawn: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    for _ in range(BOOT_S * 10):
        if nspawn.poll() is not None:
            raise OSError("systemd-nspawn does not start")
        with suppress(FileNotFoundError):  # it ends while it is looked at
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        time.sleep(0.1)
    raise OSError("systemd does not start in systemd-nspawn")


def _wait_for_boot(machine: Machine, console: Path) -> None:
    for _ in range(BOOT_S * 5):
        state = machine.run("systemctl is-system-running", is_checked=False).stdout.strip()
        if state in ("running", "degraded"):
            return
        time.sleep(0.2)
    raise OSError(f"Debian does not boot: {shlex.quote(console.read_text()[-2000:])}")


def copy_checkout(to: Path) -> None:
    """Copy what the checkout holds, whether committed or not, but not what was built there."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
