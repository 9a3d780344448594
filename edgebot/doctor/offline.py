"""Does anything leave this machine? What the unit may do, what the process holds, an attempt."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from edgebot.config import Settings
from edgebot.doctor import sandbox
from edgebot.doctor.finding import Finding
from edgebot.doctor.running import BRIDGE_UNIT, LISTENING, UNIT, Running, family, running
from edgebot.doctor.sandbox import Attempt, Run, attempt, properties, sockets_outside
from edgebot.doctor.settings import check_settings
from edgebot.doctor.sockets import Protocol, Socket, interfaces_of, protocol_of, sockets_of
from edgebot.doctor.tree import fields, read_text

_AS_ROOT = "`sudo edgebot doctor --offline` looks at that as well."
_LOCAL_FAMILIES = {"AF_UNIX", "none"}
_ANY_ADDRESS = {"0.0.0.0/0", "::/0"}


def examine_offline(
    *,
    file: Path | None = None,
    flags: tuple[str, ...] = (),
    environment: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
    run: Run = sandbox.run,
    protocol: Protocol = protocol_of,
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0,
) -> Iterator[Finding]:
    """Yield what shows that nothing leaves this machine, or that something could; then a verdict.

    Args:
        file: The settings file, if not the usual ones.
        flags: `section.key=value` assignments.
        environment: The variables.
        root: Where /proc is looked for.
        run: Starts a program of systemd.
        protocol: Tells the protocol of a process's open socket.
        is_root: Tells whether this user may look at everything.
    """
    findings, settings = check_settings(file=file, flags=flags, environment=environment)
    found = [one for one in findings if one.mark == "fault"]
    yield from found
    for one in _examine(settings, root, run, protocol, is_root):
        found.append(one)
        yield one
    yield from verdict(found)


def verdict(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Say in a sentence what the findings come to; faults speak for themselves."""
    if any(one.mark == "fault" for one in findings):
        return
    open_ends = list(dict.fromkeys(one.subject for one in findings if one.mark != "ok"))
    if open_ends:
        text = f"No way out was found, but not everything is proved: see {', '.join(open_ends)}."
        yield Finding("warning", "verdict", text)
    else:
        yield Finding("ok", "verdict", "Nothing that is said here can leave this machine.")


def _examine(
    settings: Settings, root: Path, run: Run, protocol: Protocol, is_root: Callable[[], bool]
) -> Iterator[Finding]:
    yield check_server(settings)
    listening = [found for found in running(root) if found.verb in LISTENING]
    if not listening:
        yield Finding(
            "fault",
            "process",
            "edgebot does not run here: there is no process to look at.",
            "Start it (`sudo systemctl start edgebot`), and ask again.",
        )
    for process in listening:
        yield check_process(process)
        yield from _check_kernel(root, process)
        yield check_sockets(root, process, protocol)
    of_user = any(process.is_of_user for process in listening)
    yield from check_unit(of_user=of_user, may_try=of_user or is_root(), run=run)
    yield check_bridge(root)


def check_server(settings: Settings) -> Finding:
    """Tell whether the settings send words to a language model elsewhere."""
    if settings.llm.engine == "openai":
        return Finding(
            "fault",
            "settings",
            f"What is said goes to {settings.llm.server_url}: so the settings wish it.",
            'Set llm.engine to "llama_cpp", and nothing leaves this machine.',
        )
    return Finding(
        "ok", "settings", "They name no server: hearing, thinking and speaking are here."
    )


def check_process(process: Running) -> Finding:
    """Tell who has started a process."""
    if process.unit:
        return Finding("ok", "process", f"{process}.")
    return Finding(
        "warning",
        "process",
        f"{process}: no sandbox holds it, it opens no connection because it has no reason to.",
        "scripts/install.sh makes a service of it that could not.",
    )


def _check_kernel(root: Path, process: Running) -> Iterator[Finding]:
    status = dict(fields(read_text(root / f"proc/{process.pid}/status") or ""))
    if status.get("Seccomp") == "2" and status.get("NoNewPrivs") == "1":
        text = "The kernel filters its calls, and it can gain no right."
        yield Finding("ok", "filter", f"Process {process.pid}: {text}")
    elif process.unit:
        text = f"The kernel does not filter the calls of process {process.pid}."
        yield Finding("fault", "filter", text, f"`systemctl cat {process.unit}` shows why.")
    interfaces = interfaces_of(root, process.pid)
    if interfaces is None:
        text = "What networks the process sees is not told to this user."
        yield Finding("skipped", "network", text, _AS_ROOT)
        return
    others = [interface.name for interface in interfaces if interface.name != "lo"]
    if others:
        mark = "warning" if not process.unit or process.is_of_user else "fault"
        text = f"It sees this machine's network interfaces: {', '.join(others)}."
        yield Finding(mark, "network", text)  # type: ignore[arg-type]
        return
    passed = sum(one.received_bytes + one.sent_bytes for one in interfaces)
    yield Finding(
        "ok",
        "network",
        "It sees no network interface but a loopback of its own, through which "
        f"{passed or 'no'} byte{'' if passed == 1 else 's'} passed since it started.",
    )


def check_sockets(root: Path, process: Running, protocol: Protocol = protocol_of) -> Finding:
    """List the sockets that a process and its children hold, in words."""
    held: list[Socket] = []
    try:
        for pid in family(root, process.pid):
            held += sockets_of(root, pid, protocol)
    except FileNotFoundError:
        return Finding("skipped", "sockets", "The process has ended meanwhile.", "Ask again.")
    except PermissionError:
        text = f"This user may not see what process {process.pid} holds."
        return Finding("skipped", "sockets", text, _AS_ROOT)
    outside = [one for one in held if one.reach == "network"]
    unknown = [one for one in held if one.reach == "unknown"]
    near = [one for one in held if one.reach == "machine"]
    local = len(held) - len(outside) - len(unknown) - len(near)
    share = "all" if local == len(held) else local
    text = f"It holds {_counted(len(held), 'socket')}, {share} of them to programs of this machine"
    if names := sorted({one.place for one in held if one.reach == "local" and one.place}):
        text += f" (with a name: {', '.join(names)})"
    if near:
        text += f"; {len(near)} to this machine's own address: {_named(near)}"
    if outside:
        text += f"; {len(outside)} to the network: {_named(outside)}"
    if unknown:
        text += f"; {len(unknown)} without an address: {_named(unknown)}"
    if outside:
        return Finding("fault", "sockets", f"{text}.", "Look into what these addresses are.")
    if unknown:
        return Finding("warning", "sockets", f"{text}.", "These may become connections.")
    return Finding("ok", "sockets", f"{text}." if near else f"{text}, none to a network.")


def _named(sockets: list[Socket]) -> str:
    counts = Counter(f"{one.protocol or 'unknown'} {one.place}".strip() for one in sockets)
    return ", ".join(f"{name} ({n} times)" if n > 1 else name for name, n in counts.items())


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def check_unit(*, of_user: bool, may_try: bool, run: Run = sandbox.run) -> Iterator[Finding]:
    """Yield what systemd keeps from the service, and what came of an attempt to get out.

    Args:
        of_user: Whether it is a user's own service.
        may_try: Whether this user may start something in its sandbox.
        run: Starts a program of systemd.
    """
    shown = properties(UNIT, of_user=of_user, run=run)
    if shown is None:
        yield Finding("skipped", "unit", f"There is no {UNIT} here that would hold it.")
        return
    yield _check_properties(shown)
    if not may_try:
        text = "Only root may start a program in the service's sandbox."
        yield Finding("skipped", "attempt", text, _AS_ROOT)
        return
    inside = attempt(UNIT, shown, of_user=of_user, run=run)
    if inside is None:
        text = "No program could be started in the service's sandbox: systemd-run did not do it."
        yield Finding("skipped", "attempt", text, "`systemd-run --pipe true` tells why.")
        return
    yield judge(inside, sockets_outside(run))


def _check_properties(shown: Mapping[str, str]) -> Finding:
    families = set(shown.get("RestrictAddressFamilies", "").split())
    held = []
    if shown.get("PrivateNetwork") == "yes":
        held.append("no network interface (PrivateNetwork)")
    if families and families <= _LOCAL_FAMILIES:
        held.append("no kind of socket but local ones (RestrictAddressFamilies)")
    if set(shown.get("IPAddressDeny", "").split()) >= _ANY_ADDRESS:
        held.append("no address (IPAddressDeny)")
    added = shown.get("DropInPaths", "")
    # The address filter alone would be bypassed where the kernel has no such filter.
    if not held or held == ["no address (IPAddressDeny)"]:
        where = f"It was changed here: {added}" if added else "Install edgebot anew"
        text = f"{UNIT} may use the network."
        return Finding("fault", "unit", text, f"{where}.")
    text = f"systemd gives {UNIT} {', '.join(held)}."
    if shown.get("NeedDaemonReload") == "yes":
        advice = "Run `sudo systemctl daemon-reload` and restart it."
        return Finding("warning", "unit", f"{text} Its file has changed since.", advice)
    return Finding("ok", "unit", text)


def judge(inside: list[Attempt], given_outside: int) -> Finding:
    """Say what came of the attempts in the sandbox, and how many sockets are given without it."""
    passed = [one.kind for one in inside if one.why is None]
    if passed:
        text = f"From inside the service's sandbox a packet left: {', '.join(passed)}."
        return Finding("fault", "attempt", text, f"`systemctl cat {UNIT}` shows what it may do.")
    refusals = Counter((one.step, one.why) for one in inside)
    how = "; ".join(
        f"{n} refused a {step} ({why})" if n > 1 else f"one refused a {step} ({why})"
        for (step, why), n in refusals.items()
    )
    text = (
        "From inside the service's sandbox a program tried to reach the network in "
        f"{len(inside)} ways (TCP and UDP, IPv4 and IPv6): {how}."
    )
    if given_outside:
        text += f" Without the sandbox it is given {_counted(given_outside, 'socket')}."
    return Finding("ok", "attempt", text)


def check_bridge(root: Path) -> Finding:
    """Tell whether the program that does have the network runs."""
    calls = [found for found in running(root) if found.verb == "bridge"]
    if not calls:
        return Finding("ok", "bridge", f"Nobody can call: {BRIDGE_UNIT} does not run.")
    text = (
        f"{BRIDGE_UNIT} runs (process {calls[0].pid}): it has the network, and what a caller says "
        "and hears passes through it. The room's microphone does not."
    )
    return Finding("warning", "bridge", text, f"`sudo systemctl disable --now {BRIDGE_UNIT}`.")
