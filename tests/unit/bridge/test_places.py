"""By what names the bridge may be reached."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgebot.bridge.link import qr_code
from edgebot.bridge.places import Places, is_any, own_addresses, own_names
from edgebot.config import BridgeSettings, load_settings

ADDRESSES = ("127.0.0.1", "::1", "fd00::7", "192.168.1.7")


def settings_of(*flags: str) -> BridgeSettings:
    return load_settings(flags=[f"bridge.{flag}" for flag in flags], environment={}).bridge


def places_of(*flags: str, port: int = 7860, addresses: Sequence[str] = ADDRESSES) -> Places:
    return Places(
        settings_of(*flags),
        port,
        addresses=lambda: addresses,
        names=lambda: ["box", "box.local"],
    )


def test_by_itself_it_is_this_machines_alone() -> None:
    places = places_of()
    assert places.is_local
    assert places.hosts() == ["localhost:7860", "127.0.0.1:7860", "[::1]:7860"]
    assert places.origins()[0] == "http://localhost:7860"
    assert places.link("abc") == "http://localhost:7860/client#token=abc"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_is_local(host: str) -> None:
    assert places_of(f"host={host}").is_local


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "box"])
def test_all_else_is_not(host: str) -> None:
    assert not places_of(f"host={host}").is_local


def test_open_to_all_it_has_every_address_and_name_of_the_machine() -> None:
    assert places_of("host=0.0.0.0").hosts() == [
        "192.168.1.7:7860",
        "[fd00::7]:7860",
        "box:7860",
        "box.local:7860",
        "localhost:7860",
        "127.0.0.1:7860",
        "[::1]:7860",
    ]


def test_an_address_that_comes_later_is_known() -> None:
    addresses = ["127.0.0.1"]
    places = places_of("host=0.0.0.0", addresses=addresses)
    assert "10.0.0.2:7860" not in places.hosts()
    addresses.append("10.0.0.2")
    assert "10.0.0.2:7860" in places.hosts()


def test_one_address_is_one() -> None:
    assert places_of("host=192.168.1.7").hosts() == ["192.168.1.7:7860"]


def test_further_names_come_first() -> None:
    hosts = places_of("names=['Kitchen.Example']", "host=192.168.1.7").hosts()
    assert hosts == ["kitchen.example:7860", "192.168.1.7:7860"]


@pytest.mark.parametrize(
    ("flags", "port", "origin"),
    [
        ((), 80, "http://localhost"),
        ((), 443, "http://localhost:443"),
        (("certificate=/c.pem",), 443, "https://localhost"),
        (("certificate=/c.pem",), 7860, "https://localhost:7860"),
    ],
)
def test_a_browser_leaves_the_usual_port_out(flags: Sequence[str], port: int, origin: str) -> None:
    assert places_of(*flags, port=port).origins()[0] == origin


def test_of_this_machine_something_is_known() -> None:
    assert "127.0.0.1" in own_addresses()
    assert own_names()[1].endswith(".local")


@pytest.mark.parametrize(("host", "any_"), [("0.0.0.0", True), ("::", True), ("10.0.0.1", False)])
def test_which_address_means_all(host: str, any_: bool) -> None:
    assert is_any(host) is any_


def test_a_qr_code_is_square_and_fits_a_terminal() -> None:
    lines = qr_code("http://192.168.1.7:7860/client#token=" + "x" * 32).splitlines()
    widths = {len(line.replace("\x1b[7m", "").replace("\x1b[0m", "")) for line in lines}
    assert len(widths) == 1
    assert max(widths) <= 50
    assert len(lines) <= 25
