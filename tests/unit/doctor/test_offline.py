"""Does anything leave? Processes, sockets, systemd and attempts, all in a folder's tree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgebot.doctor.finding import Finding
from edgebot.doctor.offline import check_sockets, examine_offline, judge
from edgebot.doctor.running import Running, running
from edgebot.doctor.sandbox import ATTEMPT, Attempt, attempt, read_attempts, sockets_outside
from edgebot.doctor.sockets import Interface, Socket, interfaces_of, sockets_of

from .tree import FakeMachine

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  inode\n"
UNIX_HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"
TCP = "   0: {} {} 01 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"
UNIX = "0000000000000000: 00000003 00000000 00000000 0001 03 {} {}\n"
DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
"""
INTERFACE = "{:>6}: {} 1 0 0 0 0 0 0 {} 1 0 0 0 0 0 0\n"
SHOWN = {
    "PrivateNetwork": "yes",
    "RestrictAddressFamilies": "AF_UNIX",
    "IPAddressDeny": "::/0 0.0.0.0/0",
    "LoadState": "loaded",
    "NeedDaemonReload": "no",
    "DropInPaths": "",
    "User": "edgebot",
}
REFUSED = [
    [kind, "socket", "Address family not supported by protocol"]
    for kind in ("IPv4 TCP", "IPv4 UDP", "IPv6 TCP", "IPv6 UDP")
]
GIVEN = [[kind, "connection", None] for kind, _, _ in REFUSED]
PROTOCOLS = {"100": "UNIX-STREAM", "101": "TCP", "102": "TCP", "103": "TCPv6", "104": "NETLINK"}


class Systemd:
    """Answers as systemctl and systemd-run do."""

    def __init__(self, **changes: str) -> None:
        self.shown: dict[str, str] | None = {**SHOWN, **changes}
        self.inside: object = REFUSED
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> str | None:
        self.commands.append(command)
        if command[0] == "systemctl":
            if self.shown is None:
                return "LoadState=not-found\n"
            return "".join(f"{name}={value}\n" for name, value in self.shown.items())
        if command[0] == "systemd-run":
            return None if self.inside is None else json.dumps(self.inside)
        return json.dumps(GIVEN)


def protocol(descriptor: Path) -> str:
    return PROTOCOLS.get(str(descriptor.readlink())[len("socket:[") : -1], "")


@pytest.fixture
def served(machine: FakeMachine) -> FakeMachine:
    """A machine whose service runs as process 7, with a child and a journal of systemd's own."""
    machine.process(7, "edgebot", "/dev/null", "socket:[100]")
    machine.write("proc/7/cmdline", "/opt/e/bin/python3\0/usr/local/bin/edgebot\0serve\0")
    machine.write("proc/7/cgroup", "0::/system.slice/edgebot.service\n")
    machine.write("proc/7/status", "Name:\tedgebot\nNoNewPrivs:\t1\nSeccomp:\t2\n")
    machine.write("proc/7/net/unix", UNIX_HEAD)
    machine.write("proc/7/net/dev", DEV + INTERFACE.format("lo", 0, 0))
    machine.write("proc/1/net/unix", UNIX_HEAD + UNIX.format(100, "/run/systemd/notify"))
    machine.write("proc/7/task/7/children", "8 \n")
    machine.process(8, "child")
    return machine


def looked(
    machine: FakeMachine, systemd: Systemd, *flags: str, is_root: bool = True
) -> dict[str, Finding]:
    """Return what was found, by its subject; the last of each counts."""
    machine.write("none.toml", "")
    found = examine_offline(
        file=machine.root / "none.toml",
        flags=flags,
        environment={},
        root=machine.root,
        run=systemd,
        protocol=protocol,
        is_root=lambda: is_root,
    )
    return {one.subject: one for one in found}


def test_a_service_without_a_network_is_proved(served: FakeMachine) -> None:
    found = looked(served, Systemd())
    assert {one.mark for one in found.values()} == {"ok"}
    assert list(found) == [
        *("settings", "process", "filter", "network", "sockets", "unit", "attempt", "bridge"),
        "verdict",
    ]
    assert found["process"].text == "`edgebot serve`, process 7, was started by edgebot.service."
    assert found["network"].text == (
        "It sees no network interface but a loopback of its own, through which no bytes passed "
        "since it started."
    )
    assert found["sockets"].text == (
        "It holds 1 socket, all of them to programs of this machine (with a name: "
        "/run/systemd/notify), none to a network."
    )
    assert found["unit"].text == (
        "systemd gives edgebot.service no network interface (PrivateNetwork), no kind of socket "
        "but local ones (RestrictAddressFamilies), no address (IPAddressDeny)."
    )
    assert found["attempt"].text == (
        "From inside the service's sandbox a program tried to reach the network in 4 ways (TCP "
        "and UDP, IPv4 and IPv6): 4 refused a socket (Address family not supported by protocol). "
        "Without the sandbox it is given 4 sockets."
    )
    assert found["verdict"].text == "Nothing that is said here can leave this machine."


def test_the_attempt_is_made_in_the_units_own_network(served: FakeMachine) -> None:
    systemd = Systemd()
    looked(served, systemd)
    (command,) = [words for words in systemd.commands if words[0] == "systemd-run"]
    assert {word for word in command if word.startswith("--property=")} == {
        "--property=NoNewPrivileges=yes",
        "--property=PrivateNetwork=yes",
        "--property=RestrictAddressFamilies=AF_UNIX",
        "--property=IPAddressDeny=::/0 0.0.0.0/0",
        "--property=JoinsNamespaceOf=edgebot.service",
        "--property=User=edgebot",
    }
    assert command[-1] == ATTEMPT


def test_who_is_not_root_is_told_what_was_not_looked_at(served: FakeMachine) -> None:
    systemd = Systemd()
    found = looked(served, systemd, is_root=False)
    assert found["attempt"].mark == "skipped"
    assert found["attempt"].advice == "`sudo edgebot doctor --offline` looks at that as well."
    assert not [words for words in systemd.commands if words[0] == "systemd-run"]
    assert found["verdict"].text == (
        "No way out was found, but not everything is proved: see attempt."
    )


def test_sockets_that_may_not_be_seen_are_not_called_none(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(root: Path, pid: int, protocol: object) -> list[Socket]:
        raise PermissionError

    monkeypatch.setattr("edgebot.doctor.offline.sockets_of", refuse)
    found = check_sockets(machine.root, Running(7, "serve"))
    assert (found.mark, found.text) == ("skipped", "This user may not see what process 7 holds.")


def test_a_process_that_has_ended_holds_nothing(machine: FakeMachine) -> None:
    assert check_sockets(machine.root, Running(7, "serve")).mark == "skipped"


def test_a_program_that_was_started_by_hand_is_no_proof(machine: FakeMachine) -> None:
    machine.process(9, "edgebot", "socket:[100]")
    machine.write("proc/9/cmdline", "python3\0-m\0edgebot\0--set\0board=gpio\0run\0")
    machine.write("proc/9/net/unix", UNIX_HEAD + UNIX.format(100, ""))
    machine.write("proc/9/net/dev", DEV + INTERFACE.format("eth0", 10, 20))
    systemd = Systemd()
    systemd.shown = None
    found = looked(machine, systemd)
    assert found["process"].mark == "warning"
    assert "`edgebot run`, process 9, was started by hand" in found["process"].text
    assert (found["network"].mark, found["network"].text) == (
        "warning",
        "It sees this machine's network interfaces: eth0.",
    )
    assert found["sockets"].mark == "ok"
    assert "filter" not in found
    assert found["unit"].mark == "skipped"
    assert found["verdict"].mark == "warning"


def test_where_nothing_runs_nothing_is_proved(machine: FakeMachine) -> None:
    found = looked(machine, Systemd())
    assert found["process"].mark == "fault"
    assert found["unit"].mark == "ok"
    assert "verdict" not in found


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"PrivateNetwork": "no", "RestrictAddressFamilies": "AF_UNIX AF_INET"}, "fault"),
        ({"PrivateNetwork": "no", "RestrictAddressFamilies": ""}, "fault"),
        ({"PrivateNetwork": "no", "RestrictAddressFamilies": "~AF_INET"}, "fault"),
        ({"PrivateNetwork": "no"}, "ok"),
        ({"RestrictAddressFamilies": ""}, "ok"),
        ({"NeedDaemonReload": "yes"}, "warning"),
    ],
)
def test_what_systemd_keeps_from_it(
    served: FakeMachine, changes: dict[str, str], mark: str
) -> None:
    assert looked(served, Systemd(**changes))["unit"].mark == mark


def test_a_change_of_the_unit_is_named(served: FakeMachine) -> None:
    changes = {"PrivateNetwork": "no", "RestrictAddressFamilies": "", "DropInPaths": "/etc/x.conf"}
    assert looked(served, Systemd(**changes))["unit"].advice == "It was changed here: /etc/x.conf."


def test_a_packet_that_leaves_is_a_fault() -> None:
    found = judge([Attempt("IPv4 TCP", "connection", "Refused"), Attempt("IPv4 UDP", "", None)], 0)
    assert (found.mark, found.text) == (
        "fault",
        "From inside the service's sandbox a packet left: IPv4 UDP.",
    )


def test_an_attempt_that_does_not_start_proves_nothing(served: FakeMachine) -> None:
    systemd = Systemd()
    systemd.inside = None
    found = looked(served, systemd)
    assert (found["attempt"].mark, found["verdict"].mark) == ("skipped", "warning")


def test_a_network_in_the_service_is_a_fault(served: FakeMachine) -> None:
    served.write(
        "proc/7/net/dev", DEV + INTERFACE.format("lo", 5, 5) + INTERFACE.format("eth0", 1, 2)
    )
    assert looked(served, Systemd())["network"].mark == "fault"


def test_a_process_that_is_not_filtered_is_a_fault(served: FakeMachine) -> None:
    served.write("proc/7/status", "NoNewPrivs:\t1\nSeccomp:\t0\n")
    assert looked(served, Systemd())["filter"].mark == "fault"


def test_words_that_go_to_a_server_are_a_fault(served: FakeMachine) -> None:
    found = looked(served, Systemd(), "llm.engine=openai")
    assert found["settings"].mark == "fault"
    assert "http://127.0.0.1:8080/v1" in found["settings"].text


def test_a_bridge_is_told(served: FakeMachine) -> None:
    served.process(30, "edgebot")
    served.write("proc/30/cmdline", "/opt/e/bin/python3\0/opt/e/bin/edgebot\0bridge\0")
    served.write("proc/30/cgroup", "0::/system.slice/edgebot-bridge.service\n")
    found = looked(served, Systemd())
    assert found["bridge"].mark == "warning"
    assert found["bridge"].text.startswith("edgebot-bridge.service runs (process 30)")


def test_each_kind_of_socket_is_told_apart(machine: FakeMachine) -> None:
    machine.process(7, "edgebot", *(f"socket:[{number}]" for number in range(100, 106)))
    machine.write("proc/7/net/unix", UNIX_HEAD + UNIX.format(100, "/run/sound"))
    loopback, far, nobody = "0100007F:1F90", "050200C0:01BB", "00000000:0000"
    tcp = TCP.format(loopback, "0100007F:C000", 101) + TCP.format(loopback, far, 102)
    machine.write("proc/7/net/tcp", HEAD + tcp)
    six = "00000000000000000000000000000000:1F90"
    machine.write("proc/7/net/tcp6", HEAD + TCP.format(six, nobody, 103))
    found = sockets_of(machine.root, 7, protocol)
    assert found == [
        Socket("UNIX-STREAM", "/run/sound", "local"),
        Socket("TCP", "127.0.0.1:8080 to 127.0.0.1:49152", "machine"),
        Socket("TCP", "127.0.0.1:8080 to 192.0.2.5:443", "network"),
        Socket("TCPv6", "[::]:8080, waiting", "network"),
        Socket("NETLINK", "", "unknown"),
        Socket("", "", "unknown"),
    ]
    told = check_sockets(machine.root, Running(7, "serve"), protocol)
    assert told.mark == "fault"
    assert "192.0.2.5:443" in told.text
    assert "2 without an address: NETLINK, unknown" in told.text


def test_a_real_socket_is_found() -> None:
    import os
    import socket

    with socket.socket(socket.AF_INET) as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        text = f"127.0.0.1:{made.getsockname()[1]}, waiting"
        assert Socket("TCP", text, "machine") in sockets_of(Path("/"), os.getpid())


def test_interfaces_and_what_has_passed(machine: FakeMachine) -> None:
    assert interfaces_of(machine.root, 7) is None
    machine.write("proc/7/net/dev", DEV + INTERFACE.format("wlan0", 30, 4))
    assert interfaces_of(machine.root, 7) == [Interface("wlan0", 30, 4)]


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["python3", "/x/edgebot", "run"], "run"),
        (["python3", "-m", "edgebot", "--config", "run", "serve"], "serve"),
        (["python3", "/x/edgebot", "say", "run"], ""),
        (["vim", "/x/edgebot", "run"], ""),
        (["python3", "/x/edgebot"], ""),
    ],
)
def test_what_a_process_was_started_for(machine: FakeMachine, words: list[str], verb: str) -> None:
    machine.process(7, "x")
    machine.write("proc/7/cmdline", "\0".join([*words, ""]))
    assert [found.verb for found in running(machine.root)] == ([verb] if verb else [])


def test_a_users_own_service(machine: FakeMachine) -> None:
    machine.process(7, "x")
    machine.write("proc/7/cmdline", "python3\0/x/edgebot\0serve\0")
    group = "user.slice/user-1000.slice/user@1000.service/app.slice/edgebot.service"
    machine.write("proc/7/cgroup", f"0::/{group}\n")
    assert running(machine.root) == [Running(7, "serve", "edgebot.service", True)]
    systemd = Systemd()
    assert attempt("edgebot.service", SHOWN, of_user=True, run=systemd)
    assert systemd.commands[-1][:2] == ("systemd-run", "--user")


def test_without_a_sandbox_sockets_are_given_and_nothing_is_sent() -> None:
    assert sockets_outside(lambda command: json.dumps(GIVEN)) == 4
    assert sockets_outside(lambda command: None) == 0
    assert read_attempts("no json") is None


def test_the_attempt_itself_sends_nothing_when_only_sockets_are_asked_for() -> None:
    assert sockets_outside() >= 2
