"""What must move, when, and for how long it may stand still."""

from __future__ import annotations

import pytest

from edgebot.service.progress import LIMITS_S, Part, Progress
from edgebot.state import Facts, Fault

from .parts import Keeper

AWAKE = Facts(started=True, awake=True)


def progress(keeper: Keeper, facts: Facts) -> Progress:
    made = Progress(keeper.clock)
    for part in Part:
        made.fed(part)
    made.know(facts)
    return made


@pytest.mark.parametrize(
    ("facts", "parts"),
    [
        (Facts(), []),
        (Facts(started=True), [Part.MICROPHONE]),
        (AWAKE, [Part.MICROPHONE]),
        (Facts(started=True, awake=True, muted=True), []),
        (Facts(started=True, faults=frozenset({Fault.MICROPHONE})), []),
        (Facts(started=True, awake=True, thinking=True), [Part.MICROPHONE, Part.ENGINE]),
        (Facts(started=True, awake=True, speaking=True), [Part.MICROPHONE, Part.SPEAKER]),
        (
            Facts(started=True, speaking=True, thinking=True, faults=frozenset(Fault)),
            [],
        ),
    ],
)
def test_a_part_must_move_while_it_is_needed(facts: Facts, parts: list[Part]) -> None:
    keeper = Keeper()
    made = progress(keeper, facts)
    keeper.now_s += max(LIMITS_S.values()) + 1
    assert made.stuck() == parts


def test_the_limit_is_exact() -> None:
    keeper = Keeper()
    made = progress(keeper, AWAKE)
    keeper.now_s += LIMITS_S[Part.MICROPHONE]
    assert made.stuck() == []
    keeper.now_s += 0.5
    assert made.stuck() == [Part.MICROPHONE]
    made.fed(Part.MICROPHONE)
    assert made.stuck() == []
    made.fed(Part.MICROPHONE, age_s=LIMITS_S[Part.MICROPHONE] + 1)
    made.know(Facts(started=True, awake=True, speaking=True))
    assert made.stuck() == [Part.MICROPHONE]  # the speaker is needed since this moment
    keeper.now_s += 13
    assert made.stuck() == [Part.MICROPHONE, Part.SPEAKER]


def test_the_time_counts_from_when_it_is_needed() -> None:
    keeper = Keeper()
    made = progress(keeper, Facts(started=True, muted=True))
    keeper.now_s += 100
    made.know(AWAKE)
    keeper.now_s += 5
    made.know(Facts(started=True, awake=True, thinking=True))
    assert made.still_s() == {Part.MICROPHONE: 5.0, Part.ENGINE: 0.0}


def test_what_nobody_feeds_is_not_watched() -> None:
    keeper = Keeper()
    made = Progress(keeper.clock)
    made.know(AWAKE)
    keeper.now_s += 1000
    assert made.stuck() == []
