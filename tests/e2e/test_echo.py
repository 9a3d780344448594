"""An open loudspeaker beside the microphone: `edgebot run` as a process hears itself."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.conftest import Spoken
from tests.e2e.harness import Ear, Program, VirtualSound

READY_S = 90.0
ANSWER_S = 30.0
# A pause between two sentences is shorter.
PAUSE_S = 1.5
WISHES = (
    "Please tell me a long story about a king and his castle.",
    "Explain to me step by step how bread is made.",
    "Tell me about the sea.",
)
# A shorter answer proves nothing.
LONG_S = 6.0


def rms(sound: bytes) -> float:
    samples = np.frombuffer(sound, dtype="<i2").astype(float)
    return float(np.sqrt((samples**2).mean()))


def test_it_does_not_interrupt_itself(
    command: list[str], sound: VirtualSound, spoken: Spoken
) -> None:
    sound.echo()
    # The examples' answers are short, and a chime is no answer.
    flags = ["wake.mode=always", "chimes.volume=0.0", "assistant.examples=[]"]
    flags += ["llm.max_sentences=0", "llm.max_tokens=96"]
    sets = [part for flag in flags for part in ("--set", flag)]
    with (
        Program([*command, *sets, "run"], sound.environment) as program,
        sound.hear("mic") as microphone,
        sound.hear("spk") as speaker,
    ):
        program.wait_for("ready: speak", READY_S)
        speaker.wait_for_silence(time.monotonic(), lasts_s=PAUSE_S, timeout_s=ANSWER_S)
        # The smallest model does not always have much to say, and a machine that is busy with
        # other things tears holes into the way of the echo, which no canceller knows.
        faults: list[str] = []
        for wish in WISHES:
            fault = say_long(wish, program, sound, spoken, microphone, speaker)
            if not fault:
                return
            faults.append(fault)
    pytest.fail(f"in three answers: {', '.join(faults)}")


def say_long(
    wish: str,
    program: Program,
    sound: VirtualSound,
    spoken: Spoken,
    microphone: Ear,
    speaker: Ear,
) -> str:
    """Ask for a long answer, and return what is wrong with it."""
    asked = time.monotonic()
    sound.play(spoken(wish))
    begun = speaker.wait_for_sound(asked + 0.5, ANSWER_S)
    ended = speaker.wait_for_silence(begun, lasts_s=PAUSE_S, timeout_s=60)
    program.wait_for("^ *edgebot  ", ANSWER_S, after=asked)
    time.sleep(2.0)
    lines = [line for at, line in program.lines if at > asked]
    print("\n".join(lines))
    if ended - begun < LONG_S:
        return f"an answer of {ended - begun:.1f} s proves nothing"
    loud = [rms(ear.sound(begun + 0.5, ended - 0.5)) for ear in (speaker, microphone)]
    fall_db = 20 * np.log10(loud[0] / loud[1])
    print(f"an answer of {ended - begun:.1f} s; the microphone heard it {fall_db:.1f} dB softer")
    if not 8 < fall_db < 16:
        return f"the echo was {fall_db:.1f} dB below the voice: it was not there to be heard"
    if any("interrupted" in line for line in lines):
        return "it interrupted itself"
    turns = len([line for line in lines if line.strip().startswith("you ")])
    return "" if turns == 1 else f"it heard {turns} turns"
