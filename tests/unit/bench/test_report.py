"""What a program reads, how two reports are compared, and the picture."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from edgebot.bench.compare import Compared, compare, numbers
from edgebot.bench.engines import Speeds
from edgebot.bench.plot import draw
from edgebot.bench.report import machine_section, rounded, turns_section
from edgebot.bench.run import engines_section

from .asked import asked

SVG = "{http://www.w3.org/2000/svg}"


def test_the_machine_is_told() -> None:
    section = machine_section({"stt": "a", "llm": "b", "tts": "c"})
    assert set(section) == {"edgebot", "python", "processor", "cores", "memory_mb", "models"}
    assert section["cores"] >= 1
    assert section["models"] == {"stt": "a", "llm": "b", "tts": "c"}


def test_only_answered_questions_have_a_say() -> None:
    section = turns_section(
        [
            asked(1.0, gaps_s=[0.02, 0.03], withdrawn=1),
            asked(None),
            asked(9.0, turns=2),
            asked(2.0),
            # Its turn ended in the middle of it, and the rest went nowhere.
            asked(9.0, times_s={"first sound": 9.0}, answer_s=0.0),
            # Nobody heard it.
            asked(None, turns=0, times_s={}, answer_s=0.0),
        ]
    )
    assert (section["asked"], section["answered"], section["cut_short"]) == (6, 2, 2)
    assert (section["withdrawn"], section["underruns"]) == (1, 2)
    assert section["longest_underrun_s"] == 0.03
    assert section["spoken_s"] == pytest.approx(3.6)
    assert section["stages"]["first sound"] == {
        "first": 1.0,
        "p50": 1.5,
        "p95": 1.95,
        "worst": 2.0,
        "count": 2,
    }
    assert list(section["stages"]) == ["end of turn", "first token", "first sound"]
    assert len(section["questions"]) == 6
    assert json.loads(json.dumps(section)) == section


def test_without_an_answer_there_are_no_stages() -> None:
    assert turns_section([asked(None)])["stages"] == {}


def test_no_more_digits_than_were_measured() -> None:
    assert rounded({"a": [1.23456789, 2], "b": "c", "d": None}) == {
        "a": [1.2346, 2],
        "b": "c",
        "d": None,
    }


def test_the_house_beside_the_bare_engines() -> None:
    speaking = Speeds()
    # The machine was twice as fast the second time.
    speaking.add([5.0, 10.0], 10.0)
    speaking.add([20.0], 20.0)
    house = {
        "bare": [10.0, 10.0, 20.0],
        "tokens_per_s": {"listening": Speeds(), "speaking": speaking},
        "stt": [(0.2, 1.0), (1.2, 11.0)],
        "tts": [(0.5, 1.0), (1.5, 6.0)],
    }
    section = engines_section(house, [(0.1, 1.0), (0.6, 11.0)], [(0.1, 1.0), (1.1, 6.0)], [])
    assert section["tokens_per_s"]["bare"] == 12
    assert section["tokens_per_s"]["speaking"] == pytest.approx(
        {"mean": 3 / (1 / 5 + 1 / 10 + 1 / 20), "ratio": 3 / (2 + 1 + 1)}
    )
    assert "listening" not in section["tokens_per_s"]
    # What a beginning costs falls out: one more second of sound is what counts.
    assert section["stt"] == pytest.approx({"bare": 0.05, "house": 0.1, "ratio": 2.0})
    assert section["tts"] == pytest.approx({"bare": 0.2, "house": 0.2, "ratio": 1.0})


def test_numbers_have_the_names_of_their_places() -> None:
    report = {"a": {"b": 1, "c d": 2.5}, "e": "text", "f": [3], "g": True, "h": None}
    assert list(numbers(report)) == [("a.b", 1.0), ("a.c d", 2.5)]


def test_only_what_both_reports_have_is_compared() -> None:
    old, new = {"a": 2, "b": {"c": 0}, "d": 1}, {"b": {"c": 3}, "a": 1, "e": 5}
    rows = compare(old, new)
    assert rows == [Compared("b.c", 0, 3), Compared("a", 2, 1)]
    assert [row.ratio for row in rows] == [None, 0.5]


def picture(*rows: object) -> ElementTree.Element:
    return ElementTree.fromstring(draw({"turns": turns_section(list(rows))}))  # type: ignore[arg-type]


def test_the_picture_has_a_row_for_each_answered_question() -> None:
    root = picture(asked(1.0, question="A < B & C?"), asked(2.0), asked(None))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts.count("A < B & C?") == 1
    assert texts.count("Where is it?") == 1
    assert {"end of turn", "first token", "first sound"} <= set(texts)
    assert "transcript" not in texts


def test_the_picture_is_drawn_to_scale() -> None:
    root = picture(asked(1.0), asked(2.0))
    sounds = [
        float(str(rect.get("width")))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("fill") == "#4ade80" and rect.get("height") != "12"
    ]
    # From the first token on, at 0.7 s.
    assert sounds[1] / sounds[0] == pytest.approx(1.3 / 0.3, rel=0.01)


@pytest.mark.parametrize("rows", [[], [asked(None)], [asked(0.001)], [asked(900.0)]])
def test_the_picture_of_odd_measurements_is_well_formed(rows: list[object]) -> None:
    assert picture(*rows).tag == f"{SVG}svg"
