"""What sounds next, to the sample: the voice, chimes over it, holds, cuts and volume."""

from __future__ import annotations

import numpy as np

from edgebot.hw.mixer import (
    CUT_S,
    HOLD_FADE_S,
    LONGEST_HOLD_S,
    Mixer,
)

RATE_HZ = 1000
FADE = int(HOLD_FADE_S * RATE_HZ)
CUT = int(CUT_S * RATE_HZ)


def pcm(*samples: int) -> bytes:
    return np.array(samples, dtype="<i2").tobytes()


def take(mixer: Mixer, frames: int) -> list[int]:
    return [int(sample) for sample in np.frombuffer(mixer.take(frames), dtype="<i2")]


def speaking(samples: int = 1000, level: int = 1000) -> Mixer:
    mixer = Mixer(RATE_HZ)
    mixer.write(pcm(*[level] * samples))
    return mixer


def test_the_voice_comes_as_it_was_written_and_silence_after_it() -> None:
    mixer = Mixer(RATE_HZ)
    mixer.write(pcm(1, -2))
    mixer.write(pcm(32767, -32767))
    assert mixer.waiting_s == 4 / RATE_HZ
    assert take(mixer, 3) == [1, -2, 32767]
    assert take(mixer, 3) == [-32767, 0, 0]
    assert take(mixer, 2) == [0, 0]
    assert mixer.waiting_s == 0


def test_a_cut_leaves_nothing_but_a_short_fade() -> None:
    mixer = speaking()
    take(mixer, 10)
    mixer.clear()
    assert take(mixer, CUT + 3) == [800, 600, 400, 200, 0, 0, 0, 0]
    mixer.clear()
    assert take(mixer, 2) == [0, 0]


def test_after_a_cut_the_next_answer_is_whole() -> None:
    mixer = speaking()
    mixer.clear()
    take(mixer, CUT)
    mixer.write(pcm(7, 8))
    assert take(mixer, 3) == [7, 8, 0]


def test_a_chime_sounds_over_the_voice_and_no_cut_stops_it() -> None:
    mixer = speaking()
    mixer.chime(pcm(10, 20, 30))
    assert take(mixer, 2) == [1010, 1020]
    mixer.clear()
    assert take(mixer, 3) == [830, 600, 400]


def test_chimes_sound_over_each_other_and_over_silence() -> None:
    mixer = Mixer(RATE_HZ)
    mixer.chime(pcm(1, 1, 1))
    assert take(mixer, 1) == [1]
    mixer.chime(pcm(5))
    assert take(mixer, 3) == [6, 1, 0]


def test_too_much_at_once_is_loud_and_not_wrapped_around() -> None:
    mixer = speaking(level=30_000)
    mixer.chime(pcm(30_000))
    assert take(mixer, 1) == [32767]


def test_what_is_held_fades_out_and_is_kept() -> None:
    mixer = speaking()
    mixer.hold(True)
    assert take(mixer, FADE + 2) == [*range(900, -1, -100), 0, 0]
    # The last step of the fade is silent and takes nothing.
    assert mixer.waiting_s == (1000 - FADE + 1) / RATE_HZ
    mixer.write(pcm(5))
    assert take(mixer, 3) == [0, 0, 0]
    mixer.hold(False)
    assert take(mixer, FADE + 1) == [*range(100, 1001, 100), 1000]
    assert mixer.waiting_s == (1001 - 2 * FADE) / RATE_HZ


def test_a_hold_is_no_hold_of_chimes() -> None:
    mixer = speaking()
    mixer.hold(True)
    take(mixer, FADE)
    mixer.chime(pcm(9))
    assert take(mixer, 2) == [9, 0]


def test_what_is_written_into_a_hold_is_not_heard() -> None:
    mixer = Mixer(RATE_HZ)
    mixer.hold(True)
    take(mixer, 1)
    mixer.write(pcm(*[1000] * 100))
    assert take(mixer, 20) == [0] * 20
    assert mixer.waiting_s == 0.1


def test_a_cut_during_a_hold_throws_all_away() -> None:
    mixer = speaking()
    mixer.hold(True)
    take(mixer, FADE)
    mixer.clear()
    assert mixer.waiting_s == 0
    mixer.hold(False)
    take(mixer, 1)
    mixer.write(pcm(4))
    assert take(mixer, 1) == [4]


def test_no_hold_lasts_for_ever() -> None:
    mixer = speaking()
    mixer.hold(True)
    held = int(LONGEST_HOLD_S * RATE_HZ)
    assert take(mixer, held)[FADE:] == [0] * (held - FADE)
    assert take(mixer, FADE + 1)[-2:] == [1000, 1000]


def test_the_volume_is_that_of_everything() -> None:
    mixer = Mixer(RATE_HZ, volume=0.5)
    mixer.write(pcm(1000))
    mixer.chime(pcm(100, 100))
    assert take(mixer, 2) == [550, 50]


def test_a_new_volume_comes_without_a_step() -> None:
    mixer = speaking()
    mixer.set_volume(0.5)
    assert take(mixer, 6) == [1000, 900, 800, 700, 600, 500]
    assert take(mixer, 2) == [500, 500]


def test_no_volume_is_silence() -> None:
    mixer = Mixer(RATE_HZ, volume=0.0)
    mixer.write(pcm(32767))
    mixer.chime(pcm(32767))
    assert take(mixer, 1) == [0]


# A caller


def test_a_caller_is_heard_over_whatever_sounds() -> None:
    mixer = speaking(level=1000)
    mixer.caller(pcm(*[500] * 100))
    assert take(mixer, 20) == [1500] * 20
    mixer.clear()
    # An interruption is the assistant's alone.
    assert take(mixer, 20)[CUT:] == [500] * (20 - CUT)
    assert take(mixer, 80) == [500] * 60 + [0] * 20


def test_a_caller_is_as_loud_as_everything_else() -> None:
    mixer = Mixer(RATE_HZ, volume=0.5)
    mixer.caller(pcm(*[1000] * 100))
    assert take(mixer, 2) == [500, 500]
