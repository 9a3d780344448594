"""The devices that are none, without their threads."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgebot.bench.levels import PIECE_S
from edgebot.bench.paced import PacedDevice, PacedMicrophone, PacedSpeaker
from edgebot.hw.audio_stream import FRAME_BYTES, SPEAKER_RATE_HZ

LOUD = np.full(int(SPEAKER_RATE_HZ * PIECE_S), 3000, dtype="<i2").tobytes()


def test_a_microphone_hears_silence() -> None:
    heard: list[bytes] = []
    PacedMicrophone(heard.append).tick(1.0)
    assert heard == [bytes(FRAME_BYTES)]


def test_a_recording_is_heard_piece_by_piece_and_then_silence() -> None:
    heard: list[bytes] = []
    microphone = PacedMicrophone(heard.append)
    audio = bytes(range(1, 251)) * 4
    microphone.say(audio, 0.01)
    for number in range(3):
        microphone.tick(float(number))
    assert b"".join(heard) == audio.ljust(3 * FRAME_BYTES, b"\0")


@pytest.mark.parametrize(
    ("end_s", "sounded_s"),
    # A piece that is due at 10.00 has sounded from 9.98 on.
    [(0.0, 9.98), (0.005, 9.985), (0.02, 10.0), (0.025, 10.005), (0.05, 10.03)],
)
def test_the_end_is_when_its_sample_sounded(end_s: float, sounded_s: float) -> None:
    microphone = PacedMicrophone(lambda audio: None)
    ended = microphone.say(bytes(5 * FRAME_BYTES), end_s)
    for number in range(5):
        microphone.tick(10 + 0.02 * number)
    assert ended.result(0) == pytest.approx(sounded_s)


def test_nobody_is_told_before_the_end() -> None:
    microphone = PacedMicrophone(lambda audio: None)
    ended = microphone.say(bytes(5 * FRAME_BYTES), 0.05)
    microphone.tick(10)
    microphone.tick(10.02)
    assert not ended.done()


def test_while_nobody_waits_sound_comes_in_longer_pieces() -> None:
    heard: list[bytes] = []
    patient = True
    microphone = PacedMicrophone(heard.append, is_patient=lambda: patient)
    for number in range(7):
        microphone.tick(float(number))
    assert [len(audio) for audio in heard] == [5 * FRAME_BYTES]
    patient = False
    microphone.tick(8.0)
    assert [len(audio) for audio in heard] == [5 * FRAME_BYTES, 3 * FRAME_BYTES]


def test_a_speaker_plays_what_is_written_and_then_silence() -> None:
    played: list[bytes] = []
    speaker = PacedSpeaker(lambda audio, rate_hz: played.append(audio))
    speaker.write(LOUD)
    speaker.tick(1.0)
    speaker.tick(1.01)
    assert played == [LOUD, bytes(len(LOUD))]
    assert speaker.sounded_s == pytest.approx(PIECE_S)


def test_a_chime_is_no_answer() -> None:
    played: list[bytes] = []
    speaker = PacedSpeaker(lambda audio, rate_hz: played.append(audio))
    speaker.chime(LOUD)
    speaker.tick(1.0)
    assert played == [bytes(len(LOUD))]


def test_the_first_sound_is_no_click() -> None:
    speaker = PacedSpeaker()
    before_s = time.monotonic()
    speaker.write(LOUD * 2)
    speaker.tick(1.0)
    speaker.tick(1.0)
    assert speaker.first_sound_s(before_s) is None
    speaker.write(LOUD)
    speaker.tick(1.0)
    found_s = speaker.first_sound_s(before_s)
    assert found_s is not None
    assert before_s < found_s < time.monotonic()


def test_a_gap_is_counted_only_in_the_middle_of_an_answer() -> None:
    speaker = PacedSpeaker()
    speaker.tick(1.0)
    speaker.write(LOUD)
    speaker.tick(1.0)
    assert speaker.gaps_s == []
    # Nothing is left, and more comes.
    speaker.tick(1.0)
    speaker.write(LOUD)
    assert len(speaker.gaps_s) == 1
    speaker.tick(1.0)
    # The end of an answer is no gap.
    speaker.tick(1.0)
    assert len(speaker.gaps_s) == 1
    speaker.begin()
    speaker.write(LOUD)
    assert speaker.gaps_s == []


def test_the_end_of_what_was_thrown_away_is_no_gap() -> None:
    speaker = PacedSpeaker()
    speaker.write(LOUD)
    speaker.tick(1.0)
    speaker.clear()
    speaker.tick(1.0)
    speaker.write(LOUD)
    assert speaker.gaps_s == []


class Counter(PacedDevice):
    def __init__(self) -> None:
        super().__init__(0.001)
        self.due: list[float] = []

    def tick(self, due_s: float) -> None:
        self.due.append(due_s)


def test_the_pace_is_kept_and_ends() -> None:
    device = Counter()
    assert not device.is_running
    device.start()
    while len(device.due) < 5:
        time.sleep(0.001)
    assert device.is_running
    device.close()
    count = len(device.due)
    steps = [later - earlier for earlier, later in zip(device.due, device.due[1:], strict=False)]
    assert steps == pytest.approx([0.001] * (count - 1))
    device.close()
    assert len(device.due) == count
