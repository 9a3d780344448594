"""The states: what follows from what is known, and what may follow what."""

from __future__ import annotations

import itertools
from dataclasses import replace

from edgebot.state import ALLOWED, AssistantState, Facts, Fault

FLAGS = ("started", "awake", "muted", "thinking", "speaking", "ringing", "in_call")
FAULTS = [frozenset[Fault](), frozenset({Fault.SPEAKER}), frozenset(Fault)]
EVERYTHING = [
    Facts(**dict(zip(FLAGS, flags, strict=True)), faults=faults)
    for flags in itertools.product([False, True], repeat=len(FLAGS))
    for faults in FAULTS
]


def test_a_state_reads_as_a_word() -> None:
    words = "starting asleep listening thinking speaking ringing in a call muted fault"
    assert " ".join(AssistantState) == words


def test_every_state_follows_from_something() -> None:
    assert {facts.state for facts in EVERYTHING} == set(AssistantState)


def test_a_closed_microphone_is_always_told() -> None:
    for facts in EVERYTHING:
        if facts.started and facts.muted:
            assert facts.state is AssistantState.MUTED


def test_who_is_heard_elsewhere_is_told_whatever_else_happens() -> None:
    for facts in EVERYTHING:
        if facts.started and facts.in_call:
            assert facts.state in (AssistantState.CALL, AssistantState.MUTED)


def test_nobody_is_put_through_who_has_not_rung() -> None:
    before = {state for state, after in ALLOWED.items() if AssistantState.CALL in after}
    assert before == {AssistantState.STARTING, AssistantState.RINGING, AssistantState.MUTED}


def test_the_table_names_every_state_and_nothing_leads_back_to_the_start() -> None:
    assert set(ALLOWED) == set(AssistantState)
    for before, after in ALLOWED.items():
        assert before not in after
        assert AssistantState.STARTING not in after


def test_every_allowed_transition_can_happen_by_one_piece_of_news() -> None:
    seen = set()
    for facts in EVERYTHING:
        news = [replace(facts, **{flag: not getattr(facts, flag)}) for flag in FLAGS]
        news += [replace(facts, faults=faults) for faults in FAULTS]
        # An answer's first sound ends the thinking; sleep forgets it.
        news.append(replace(facts, speaking=True, thinking=False))
        news.append(replace(facts, awake=False, thinking=False))
        seen |= {(facts.state, after.state) for after in news}
    for before, after in ALLOWED.items():
        for state in after:
            assert (before, state) in seen, f"{before} never leads to {state}"


def test_the_gravest_fault_comes_first() -> None:
    both = Facts(started=True, faults=frozenset({Fault.SPEAKER, Fault.ENGINE}))
    assert both.fault is Fault.ENGINE
    assert replace(both, muted=True).fault is None
    assert Facts().fault is None
