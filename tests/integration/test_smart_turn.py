"""The real Smart Turn, on what the project's own voice says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from edgebot.bench.levels import last_loud_s
from edgebot.stages.recording import read_recording
from edgebot.stages.smart_turn import LOOKS_AT_S, RATE_HZ, SmartTurn
from tests.conftest import Spoken


def ended(path: Path, silent_s: float = 0.2) -> bytes:
    """Return a recording with so much silence behind its last loud sample."""
    audio = read_recording(path, path.name).audio
    loud = audio[: int(last_loud_s(audio, RATE_HZ) * RATE_HZ) * 2]
    return loud + bytes(int(silent_s * RATE_HZ) * 2)


@pytest.fixture(scope="module")
def judge() -> SmartTurn:
    return SmartTurn()


def test_a_whole_wish_sounds_complete_and_half_of_it_does_not(
    judge: SmartTurn, spoken: Spoken
) -> None:
    wish = ended(spoken("I want a coffee with milk and sugar."))
    half = wish[: len(wish) // 4 * 2] + bytes(RATE_HZ // 5 * 2)
    assert judge.completeness(wish) > 0.8
    assert judge.completeness(half) < 0.2


@pytest.mark.parametrize("seconds", [0.5, LOOKS_AT_S + 2.0])
def test_it_says_what_pipecats_own_says(judge: SmartTurn, spoken: Spoken, seconds: float) -> None:
    sound = ended(spoken("What is the capital of France?"))
    audio = (sound * 9)[-int(seconds * RATE_HZ) * 2 :]
    samples = np.frombuffer(audio, dtype="<i2").astype(np.float32) / 32768
    theirs = LocalSmartTurnAnalyzerV3()._predict_endpoint(samples)["probability"]
    assert judge.completeness(audio) == pytest.approx(theirs, abs=0.01)
