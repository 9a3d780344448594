"""The floor's arithmetic."""

from __future__ import annotations

import pytest

from edgebot.bench.floor import Floor, floor_section, hold_s
from edgebot.config import Settings, load_settings

from .asked import asked


def settings(*flags: str) -> Settings:
    return load_settings(flags=["turn.stop_s=0.2", *flags], environment={})


def test_the_floor_is_the_sum() -> None:
    floor = Floor(hold_s=0.5, stt_s=0.1, read_s=0.05, write_s=0.2, voice_s=0.04)
    assert floor.work_s == pytest.approx(0.39)
    assert floor.sum_s == pytest.approx(0.89)


def test_work_can_be_done_while_the_turn_is_held_but_not_the_hold_itself() -> None:
    assert Floor(0.5, 0.1, 0.1, 0.1, 0.1).least_s == 0.5
    assert Floor(0.3, 0.1, 0.1, 0.1, 0.1).least_s == pytest.approx(0.4)


def test_a_turn_that_ended_late_was_not_held_so_long() -> None:
    held = settings("turn.hold_s=0.5", "turn.hold_question_s=0.1")
    late = {"end of turn": 2.0}
    assert hold_s(held, asked(heard="It is a box", times_s=late)) == pytest.approx(0.7)
    assert hold_s(held, asked(heard="Where is it?", times_s=late)) == pytest.approx(0.3)


def test_a_turn_that_ended_early_was_held_so_long() -> None:
    early = asked(heard="It is a box", times_s={"end of turn": 0.4})
    assert hold_s(settings("turn.hold_s=0.5"), early) == 0.4


def test_what_smart_turn_waits_for_is_known_by_its_end_only() -> None:
    assert hold_s(settings("turn.end=smart"), asked(times_s={"end of turn": 0.8})) == 0.8


def test_the_section_has_every_part_and_the_ratios() -> None:
    floors = [Floor(0.4, 0.1, 0.1, 0.1, 0.1), Floor(0.6, 0.1, 0.1, 0.1, 0.1)]
    section = floor_section([asked(0.8), asked(1.5)], floors)
    assert section["floor_s"]["p50"] == pytest.approx(0.9)
    assert section["parts"]["hold_s"]["worst"] == 0.6
    assert set(section["parts"]) == {"hold_s", "stt_s", "read_s", "write_s", "voice_s"}
    assert section["ratio"]["first"] == pytest.approx(1.0)
    assert section["ratio"]["worst"] == pytest.approx(1.5)
    assert section["ratio_to_least"]["worst"] == pytest.approx(2.5)


def test_without_an_answer_there_is_no_section() -> None:
    assert floor_section([], []) == {}


def test_each_question_has_its_own_floor() -> None:
    with pytest.raises(ValueError, match="shorter"):
        floor_section([asked(), asked()], [Floor(0, 0, 0, 0, 0)])
