"""Its name, a command and sleep: `edgebot run` as a process that begins asleep."""

from __future__ import annotations

import time

import pytest

from tests.conftest import Spoken, likeness
from tests.e2e.harness import Program, VirtualSound

READY_S = 90.0
ANSWER_S = 30.0
QUESTION = "What is the capital of France?"


def test_it_answers_to_its_name_and_sleeps_again(
    command: list[str], sound: VirtualSound, spoken: Spoken
) -> None:
    short = ["--set", "wake.follow_up_s=3.0"]
    with (
        Program([*command, *short, "run"], sound.environment) as program,
        sound.hear("spk") as speaker,
    ):
        program.wait_for("ready: ", READY_S)
        speaker.wait_for_silence(time.monotonic(), lasts_s=1.0, timeout_s=10)
        asked = time.monotonic()
        sound.play(spoken(QUESTION))
        time.sleep(3.0)
        assert speaker.first_loud(asked) is None
        # A person says a name again that was not heard.
        for _ in range(3):
            asked = time.monotonic()
            sound.play(spoken(f"Hey Jarvis, {QUESTION}"))
            time.sleep(2.0)
            if list(program.find(r"^ *you  ", asked)):
                break
        understood = program.wait_for(r"^ *you  (.*)", ANSWER_S, after=asked).group(1)
        program.wait_for(r"^ *edgebot  .*(?:Paris|France)", ANSWER_S, after=asked)
        assert likeness(understood, QUESTION) > 0.7
        slept = time.monotonic()
        program.wait_for(r"^\(asleep\)", ANSWER_S, after=asked)
        print(f"{understood!r}, asleep again {time.monotonic() - slept:.1f} s after the answer")
        asked = time.monotonic()
        sound.play(spoken("How many legs does a spider have?"))
        time.sleep(3.0)
        assert list(program.find(r"^ *you  ", asked)) == []


def test_a_timer_is_set_and_cancelled_without_the_language_model(
    command: list[str], sound: VirtualSound, spoken: Spoken
) -> None:
    always = ["--set", "wake.mode=always"]
    with (
        Program([*command, *always, "run"], sound.environment) as program,
        sound.hear("spk") as speaker,
    ):
        program.wait_for("ready: ", READY_S)
        speaker.wait_for_silence(time.monotonic(), lasts_s=1.0, timeout_s=10)
        # The smallest recognizer does not understand every wish; a person puts it otherwise.
        for wishes in (
            ("Set a timer for five minutes.", "Set a timer for one hour.", "A ten minute timer."),
            (
                "Cancel the timer.",
                "Stop the timer.",
                "How much time is left?",
                "Cancel all timers.",
            ),
        ):
            told: list[list[str]] = []
            for wish in wishes:
                asked = time.monotonic()
                sound.play(spoken(wish))
                program.wait_for(r"^ *you  ", ANSWER_S, after=asked)
                begun = speaker.wait_for_sound(time.monotonic() - 0.5, ANSWER_S)
                speaker.wait_for_silence(begun, lasts_s=1.0, timeout_s=20)
                told.append([line for at, line in program.lines if at > asked])
                if not any("thinking" in line for line in told[-1]):
                    break
            else:
                pytest.fail(f"the language model was asked each time: {told}")


def test_a_wrong_name_is_refused_in_one_sentence(command: list[str], sound: VirtualSound) -> None:
    with Program([*command, "--set", "wake.words=['jarvis']", "run"], sound.environment) as program:
        assert program.wait(READY_S) == 3
        (line,) = (line for _, line in program.lines if line.startswith("edgebot:"))
        assert "Did you mean 'hey_jarvis'?" in line
