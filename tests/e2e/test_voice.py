"""A person at the microphone: `edgebot run` as a process, heard at the speaker."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgebot.stages.recording import write_wav
from tests.conftest import Heard, Spoken, likeness
from tests.e2e.harness import RATE_HZ, Ear, Program, VirtualSound, bare_environment

READY_S = 90.0
ANSWER_S = 30.0
# A pause between two sentences is shorter.
PAUSE_S = 1.2
# The question, and what its answer speaks of: how much the model knows is measured elsewhere.
QUESTIONS = {
    "What is the capital of France?": "Paris|France",
    "How many legs does a spider have?": "legs|spider",
    "What is the capital of Italy?": "Rome|Italy",
}
LONG = "Please tell me a long story about a king and his castle."
WISH = "Please tell me the names of three wild animals."
STORY = (
    "Once upon a time there was a king who lived in a castle by the sea. Every morning he walked "
    "down to the harbour and counted the ships. One day a strange ship came in, with green sails "
    "and nobody on board. The king wondered, and went on board himself, and was never seen again."
)
# As long as that takes to tell, and no longer.
STORY_S = 14.0


@dataclass
class Room:
    """A running assistant, its microphone and its speaker."""

    sound: VirtualSound
    program: Program
    microphone: Ear
    speaker: Ear


@pytest.fixture(scope="class")
def room(command: list[str], sound: VirtualSound) -> Iterator[Room]:
    """One assistant for the conversations of a class, awake, with long answers allowed.

    It ends with the class: it would answer what the other tests say into the same microphone.
    """
    long = ["--set", "llm.max_sentences=0", "--set", "llm.max_tokens=160"]
    awake = ["--set", "wake.mode=always"]
    with (
        Program([*command, *long, *awake, "run"], sound.environment) as program,
        sound.hear("mic") as microphone,
        sound.hear("spk") as speaker,
    ):
        program.wait_for("ready: speak", READY_S)
        speaker.wait_for_silence(time.monotonic(), lasts_s=PAUSE_S, timeout_s=ANSWER_S)
        yield Room(sound, program, microphone, speaker)


def speak_and_listen(room: Room, wav: Path) -> tuple[float, bytes]:
    """Ask, wait until the answer has been spoken, and return the delay in seconds and its sound."""
    start = time.monotonic()
    room.sound.play(wav)
    asked = room.microphone.loud_times(start)[-1]
    begun = room.speaker.wait_for_sound(asked, ANSWER_S)
    ended = room.speaker.wait_for_silence(begun, lasts_s=PAUSE_S, timeout_s=60)
    return begun - asked, room.speaker.sound(begun - 0.2, ended + 0.2)


class TestConversation:
    """Questions that are asked and answered aloud, by one assistant."""

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_spoken_question_is_answered_aloud(
        self, room: Room, spoken: Spoken, heard: Heard, tmp_path: Path, question: str
    ) -> None:
        # A person repeats what was not understood, too: a busy machine loses sound.
        for _ in range(3):
            asked = time.monotonic()
            delay_s, sound = speak_and_listen(room, spoken(question))
            understood = " ".join(m.group(1) for _, m in room.program.find(r"^ *you  (.*)", asked))
            said = [m.group(1) for _, m in room.program.find(r"^ *edgebot  (.*)", asked)][-1]
            write_wav(tmp_path / "answer.wav", sound, RATE_HZ)
            text = heard(tmp_path / "answer.wav")
            print(f"{understood!r} {text!r} {delay_s:.2f} s after the question's end")
            is_understood = likeness(understood, question) > 0.6
            if (
                is_understood
                and re.search(QUESTIONS[question], said)
                and likeness(text, said) > 0.5
            ):
                return
        pytest.fail(f"{question!r} was not answered in three times of asking")

    def test_it_prints_what_it_does_and_nothing_else(self, room: Room) -> None:
        kinds = r"^( +you  .+| edgebot  .+|\((listening|thinking|speaking)\)|ready: speak\.)$"
        assert [line for _, line in room.program.lines if not re.match(kinds, line)] == []


def test_speaking_into_an_answer_silences_it(
    command: list[str], sound: VirtualSound, spoken: Spoken
) -> None:
    """From the first sound of a voice at the microphone to the last sound at the speaker."""
    sets = [f"--set={flag}" for flag in ("wake.mode=always", f"assistant.greeting={STORY}")]
    with (
        Program([*command, *sets, "run"], sound.environment) as program,
        sound.hear("mic") as microphone,
        sound.hear("spk") as speaker,
    ):
        begun = speaker.wait_for_sound(time.monotonic(), READY_S)
        # Until it is known that nothing comes back, a voice over the story may pass for an echo.
        time.sleep(3.0)
        asked = time.monotonic()
        sound.play(spoken(WISH))
        onset = microphone.wait_for_sound(asked, 5)
        silence = speaker.wait_for_silence(onset, lasts_s=0.5, timeout_s=ANSWER_S)
        # The story does not go on: what is said next answers what was understood.
        program.wait_for(r"^ *you  (.*)", ANSWER_S, after=onset)
        program.wait_for(r"^ *edgebot  (.*)", ANSWER_S, after=silence)
        heard = [match.group(1) for _, match in program.find(r"^ *you  (.*)", asked)]
    print(f"from speech to silence: {silence - onset:.2f} s, and it heard {heard}")
    assert silence - begun < STORY_S - 3.0
    assert likeness(" ".join(heard), WISH) > 0.5
    # Detecting a voice takes 0.2 s; the rest is the sound on its way.
    assert silence - onset < 1.0


def test_control_c_ends_it(command: list[str], sound: VirtualSound) -> None:
    with Program([*command, "run"], sound.environment) as program:
        program.wait_for("ready: ", READY_S)
        asked = time.monotonic()
        assert program.end(signal.SIGINT) == 0
        print(f"ended after {time.monotonic() - asked:.2f} s")
        assert "Traceback" not in program.text


def test_a_signal_ends_it_in_the_middle_of_a_word(
    command: list[str], sound: VirtualSound, spoken: Spoken
) -> None:
    awake = ["--set", "wake.mode=always"]
    with (
        Program([*command, *awake, "run"], sound.environment) as program,
        sound.hear("spk") as speaker,
    ):
        program.wait_for("ready: ", READY_S)
        asked = time.monotonic()
        sound.play(spoken(LONG))
        speaker.wait_for_sound(asked + 0.5, ANSWER_S)
        assert program.end(signal.SIGTERM) == 0
        assert "Traceback" not in program.text


def run(arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestDevices:
    """What is said of the devices, and of their absence."""

    @pytest.fixture
    def nowhere(self, command: list[str], tmp_path: Path) -> dict[str, str]:
        """An environment in which there is no sound device."""
        environment = bare_environment(tmp_path)
        listed = run([*command, "devices", "--json"], environment)
        if json.loads(listed.stdout) != []:
            pytest.skip("this machine has sound devices of its own")
        return environment

    def test_they_are_there(self, command: list[str], sound: VirtualSound) -> None:
        done = run([*command, "devices", "--check"], sound.environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        listed = run([*command, "devices"], sound.environment)
        assert "default" in listed.stdout
        assert listed.stderr == ""

    @pytest.mark.parametrize("verb", [["devices", "--check"], ["say", "Hello."]])
    def test_there_are_none(
        self, command: list[str], nowhere: dict[str, str], verb: list[str]
    ) -> None:
        began = time.monotonic()
        done = run([*command, *verb], nowhere)
        print(done.stderr.strip(), f"({time.monotonic() - began:.1f} s)")
        assert done.returncode == 6
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line == "edgebot: There is no speaker: plug one in, or see `edgebot devices`."

    def test_their_server_is_down(self, command: list[str]) -> None:
        with VirtualSound() as own:
            own.stop()
            began = time.monotonic()
            done = run([*command, "say", "Hello."], own.environment)
        print(done.stderr.strip(), f"({time.monotonic() - began:.1f} s)")
        assert done.returncode == 6
        (line,) = done.stderr.splitlines()
        assert line.startswith("edgebot: The")

    def test_there_is_none_of_this_name(self, command: list[str], sound: VirtualSound) -> None:
        for kind in ("microphone", "speaker"):
            flags = ["--set", f"audio.{kind}=Jabra"]
            done = run([*command, *flags, "devices", "--check"], sound.environment)
            assert done.returncode == 6
            (line,) = done.stderr.splitlines()
            assert f"There is no {kind} 'Jabra' (audio.{kind}). There are: " in line
            assert "default" in line


def test_a_text_is_heard_at_the_speaker(
    command: list[str], sound: VirtualSound, heard: Heard, tmp_path: Path
) -> None:
    text = "Your tea is ready in the kitchen."
    with sound.hear("spk") as speaker:
        began = time.monotonic()
        done = run([*command, "say", text], sound.environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        write_wav(tmp_path / "said.wav", speaker.sound(began), RATE_HZ)
    assert likeness(heard(tmp_path / "said.wav"), text) > 0.6
