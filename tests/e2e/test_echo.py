"""An open loudspeaker beside the microphone: `edgebot run` as a process hears itself."""

from __future__ import annotations

import time

import numpy as np

from tests.e2e.harness import Program, VirtualSound

READY_S = 90.0
# A pause between two sentences is shorter.
PAUSE_S = 1.5
STORY = (
    "Once upon a time there was a king who lived in a castle by the sea. Every morning he walked "
    "down to the harbour and counted the ships. One day a strange ship came in, with green sails "
    "and nobody on board. The king wondered, and went on board himself, and was never seen again."
)
# A voice says so many words a second, or fewer.
WORDS_A_SECOND = 4.0


def rms(sound: bytes) -> float:
    samples = np.frombuffer(sound, dtype="<i2").astype(float)
    return float(np.sqrt((samples**2).mean()))


def test_it_does_not_interrupt_itself(command: list[str], sound: VirtualSound) -> None:
    sound.echo()
    sets = [f"--set={flag}" for flag in ("wake.mode=always", f"assistant.greeting={STORY}")]
    with (
        Program([*command, *sets, "run"], sound.environment) as program,
        sound.hear("mic") as microphone,
        sound.hear("spk") as speaker,
    ):
        begun = speaker.wait_for_sound(time.monotonic(), READY_S)
        ended = speaker.wait_for_silence(begun, lasts_s=PAUSE_S, timeout_s=60)
        time.sleep(2.0)
        lines = [line for _, line in program.lines]
        loud = [rms(ear.sound(begun + 0.5, ended - 0.5)) for ear in (speaker, microphone)]
    print("\n".join(lines))
    fall_db = 20 * np.log10(loud[0] / loud[1])
    print(f"a story of {ended - begun:.1f} s; the microphone heard it {fall_db:.1f} dB softer")
    # It was there to be heard.
    assert 8 < fall_db < 16
    assert not any("interrupted" in line for line in lines)
    assert not any(line.strip().startswith("you ") for line in lines)
    # Not a word was left out.
    assert ended - begun > len(STORY.split()) / WORDS_A_SECOND
