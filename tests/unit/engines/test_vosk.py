"""A recognizer's JSON becomes words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgebot.engines.vosk import Utterance, VoskEngine, Word, parse_result
from edgebot.errors import BrokenModelError


def test_words_with_times_and_confidences() -> None:
    result = {
        "result": [
            {"conf": 1.0, "end": 0.5, "start": 0.25, "word": "good"},
            {"conf": 0.75, "end": 1.0, "start": 0.5, "word": "morning"},
        ],
        "text": "good morning",
    }
    assert parse_result(json.dumps(result)) == Utterance(
        "good morning", (Word("good", 0.25, 0.5, 1.0), Word("morning", 0.5, 1.0, 0.75))
    )


@pytest.mark.parametrize(
    ("text", "utterance"),
    [
        ('{"text": ""}', Utterance("")),
        ("{}", Utterance("")),
        ('{"text": "좋은 아침", "result": []}', Utterance("좋은 아침")),
    ],
)
def test_a_result_may_lack_words(text: str, utterance: Utterance) -> None:
    assert parse_result(text) == utterance


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenModelError) as caught:
        VoskEngine(tmp_path)
    assert str(caught.value) == (
        f"Vosk cannot load {tmp_path}: is it the folder of an unpacked Vosk model?"
    )
