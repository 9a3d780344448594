"""The token, where it is kept, and tickets."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edgebot.bridge.tokens import (
    MOST_TICKETS,
    TICKET_LASTS_S,
    Tickets,
    is_token,
    kept_token,
    new_token,
)
from edgebot.errors import ConfigError


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {32}


@pytest.mark.parametrize(
    "given", ["", "righ", "right ", "RIGHT", "rightx", "\N{SNOWMAN}", "\ud800"]
)
def test_nothing_but_the_token_is_the_token(given: str) -> None:
    assert not is_token(given, "right")
    assert is_token("right", "right")


def test_a_folder_keeps_its_token_for_its_owner_alone(tmp_path: Path) -> None:
    token = kept_token(tmp_path)
    assert kept_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["token"]


def test_a_token_may_be_renewed(tmp_path: Path) -> None:
    old = kept_token(tmp_path)
    new = kept_token(tmp_path, renew=True)
    assert new != old
    assert kept_token(tmp_path) == new


def test_an_empty_token_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    assert len(kept_token(tmp_path)) == 32


def test_what_a_power_cut_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".token.part").write_text("half")
    assert len(kept_token(tmp_path)) == 32


def test_a_token_that_cannot_be_kept_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        kept_token(tmp_path / "missing")
    told = f"The token {tmp_path}/missing/token cannot be used: No such file or directory."
    assert str(caught.value) == told


def test_a_token_that_is_no_text_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is no text"):
        kept_token(tmp_path)


def test_a_ticket_is_good_once() -> None:
    tickets = Tickets()
    ticket = tickets.sell()
    assert [tickets.use(ticket), tickets.use(ticket), tickets.use("x")] == ["assistant", None, None]


def test_a_ticket_grows_old() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    first, second = tickets.sell(), tickets.sell()
    clock.now = TICKET_LASTS_S - 0.1
    assert tickets.use(first) == "assistant"
    clock.now = TICKET_LASTS_S
    assert tickets.use(second) is None


def test_of_too_many_tickets_the_oldest_are_forgotten() -> None:
    tickets = Tickets()
    sold = [tickets.sell("intercom") for _ in range(MOST_TICKETS + 2)]
    assert [tickets.use(ticket) for ticket in sold] == [None] * 2 + ["intercom"] * MOST_TICKETS
