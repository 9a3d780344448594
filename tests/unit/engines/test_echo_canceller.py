"""What the echo canceller shows the library, with a library that takes it down."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.engines.echo_canceller import (
    FRAME_BYTES,
    LATE_FRAMES,
    TAIL_FRAMES,
    WAITING_S,
    EchoCanceller,
    Played,
)
from edgebot.errors import EngineError

RATE_HZ = 16_000
SILENCE = bytes(FRAME_BYTES)
SOUND = np.full(FRAME_BYTES // 2, 1000, "<i2").tobytes()


class FakeProcessor:
    """Takes down what it is shown; what it cleans becomes half as loud."""

    def __init__(self, *, noise_suppression: bool, gain_control: bool) -> None:
        self.options = noise_suppression, gain_control
        self.shown: list[tuple[str, bytes, int]] = []
        self.fault: Exception | None = None

    def process_reverse(self, audio: bytearray, rate_hz: int) -> None:
        self.shown.append(("played", bytes(audio), rate_hz))

    def process(self, audio: bytearray, rate_hz: int) -> None:
        if self.fault:
            raise self.fault
        self.shown.append(("heard", bytes(audio), rate_hz))
        audio[:] = (np.frombuffer(audio, dtype="<i2") // 2).astype("<i2").tobytes()

    @property
    def order(self) -> str:
        """A letter for each frame: p for played, h for heard."""
        return "".join(kind[0] for kind, _, _ in self.shown)


class Library:
    """Makes processors, and remembers them."""

    def __init__(self) -> None:
        self.made: list[FakeProcessor] = []

    def __call__(self, *, noise_suppression: bool, gain_control: bool) -> FakeProcessor:
        self.made.append(
            FakeProcessor(noise_suppression=noise_suppression, gain_control=gain_control)
        )
        return self.made[-1]


def canceller(**options: bool) -> tuple[EchoCanceller, Library]:
    library = Library()
    echo = EchoCanceller(make_processor=library, **options)
    echo.load()
    return echo, library


def test_what_is_played_is_shown_before_what_is_heard() -> None:
    echo, library = canceller()
    echo.played(SOUND * 2, RATE_HZ)
    heard = np.arange(FRAME_BYTES, dtype="<i2").tobytes()
    assert echo.clean(heard) == (np.frombuffer(heard, "<i2") // 2).tobytes()
    (processor,) = library.made
    assert processor.shown == [
        ("played", SOUND, RATE_HZ),
        ("played", SOUND, RATE_HZ),
        ("heard", heard[:FRAME_BYTES], RATE_HZ),
        ("heard", heard[FRAME_BYTES:], RATE_HZ),
    ]


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    library = Library()
    echo = EchoCanceller(make_processor=library, noise_suppression=True)
    echo.played(SOUND, RATE_HZ)
    assert library.made == []
    with pytest.raises(EngineError, match="not loaded"):
        echo.clean(SILENCE)
    echo.load()
    assert [processor.options for processor in library.made] == [(True, False)]


def test_silence_passes_untouched_when_nothing_was_played() -> None:
    echo, library = canceller()
    for _ in range(10):
        echo.played(SILENCE, RATE_HZ)
        assert echo.clean(SOUND) == SOUND
    assert library.made[0].shown == []


@pytest.mark.parametrize("option", ["noise_suppression", "gain_control"])
def test_what_else_it_does_to_the_sound_it_does_always(option: str) -> None:
    echo, library = canceller(**{option: True})
    echo.played(SILENCE, RATE_HZ)
    assert echo.clean(SOUND) != SOUND
    assert library.made[0].order == "ph"


def test_it_works_as_long_as_the_room_may_sound() -> None:
    echo, library = canceller()
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    for _ in range(TAIL_FRAMES + 5):
        echo.played(SILENCE, RATE_HZ)
        echo.clean(SILENCE)
    # The last frame of the tail is not shown any more.
    assert library.made[0].order == "ph" * TAIL_FRAMES
    assert echo.is_idle


def idle(echo: EchoCanceller, ticks: int) -> None:
    """Let nothing sound for so many frames."""
    for _ in range(ticks):
        echo.played(SILENCE, RATE_HZ)
        echo.clean(SILENCE)


@pytest.mark.parametrize("early", [0, 1, 3])
def test_after_a_pause_its_count_goes_on_where_it_stood(early: int) -> None:
    echo, library = canceller()
    # Frames played less frames heard; the library must be shown no other difference.
    idle(echo, 1000)
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    idle(echo, TAIL_FRAMES + 500)
    (processor,) = library.made
    processor.shown.clear()
    # The speaker asks for its sound a little before the microphone brings the time's own.
    for _ in range(early):
        echo.played(SILENCE, RATE_HZ)
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    assert processor.order == "p" * early + "ph"
    assert [any(audio) for _, audio, _ in processor.shown] == [False] * early + [True, False]


def test_after_a_pause_a_microphone_that_is_early_is_made_up_for() -> None:
    echo, library = canceller()
    idle(echo, 1000)
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    idle(echo, TAIL_FRAMES + 500)
    (processor,) = library.made
    processor.shown.clear()
    echo.clean(SILENCE * 2)
    echo.played(SOUND * 3, RATE_HZ)
    echo.clean(SILENCE)
    assert processor.order == "hhppph"


def test_a_device_that_stood_still_is_not_made_up_for() -> None:
    echo, library = canceller()
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    idle(echo, TAIL_FRAMES)
    library.made[0].shown.clear()
    echo.clean(SILENCE * 200)
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    assert library.made[0].order == "ph"


def test_a_reset_begins_with_a_new_room() -> None:
    echo, library = canceller(noise_suppression=True)
    echo.played(SOUND, RATE_HZ)
    echo.clean(SILENCE)
    echo.reset()
    assert len(library.made) == 1
    echo.clean(SILENCE)
    assert [processor.order for processor in library.made] == ["ph", "h"]
    assert library.made[1].options == (True, False)
    echo.clean(SILENCE)
    assert len(library.made) == 2


def test_a_fault_of_the_library_is_an_error_with_its_cause() -> None:
    echo, library = canceller()
    echo.played(SOUND, RATE_HZ)
    library.made[0].fault = RuntimeError("no memory")
    with pytest.raises(EngineError, match=r"^the echo canceller failed: no memory$"):
        echo.clean(SILENCE)


@pytest.mark.parametrize("size", [1, FRAME_BYTES - 2, FRAME_BYTES + 2])
def test_a_frame_that_would_end_the_process_is_refused(size: int) -> None:
    echo, library = canceller()
    with pytest.raises(ValueError, match=f"{size} bytes"):
        echo.clean(bytes(size))
    assert library.made[0].shown == []


@given(
    st.lists(st.integers(0, 2000), max_size=20),
    st.sampled_from([8_000, 16_000, 24_000, 44_100, 48_000]),
)
def test_played_sound_of_any_length_becomes_whole_frames_in_order(
    sizes: list[int], rate_hz: int
) -> None:
    samples = np.arange(sum(sizes), dtype="<i2")
    waiting = Played()
    frames: list[tuple[bytearray, int]] = []
    start = 0
    for size in sizes:
        waiting.add(samples[start : start + size].tobytes(), rate_hz)
        frames += waiting.take()
        start += size
    whole = len(samples) // (rate_hz // 100)
    assert len(frames) == whole
    assert {(len(audio), rate) for audio, rate in frames} <= {(rate_hz // 100 * 2, rate_hz)}
    assert b"".join(audio for audio, _ in frames) == samples[: whole * (rate_hz // 100)].tobytes()


def test_a_rate_without_whole_frames_is_resampled() -> None:
    waiting = Played()
    times = np.arange(22_050) / 22_050
    tone = (np.sin(2 * np.pi * 440 * times) * 10_000).astype("<i2")
    for start in range(0, len(tone), 441):
        waiting.add(tone[start : start + 441].tobytes(), 22_050)
    frames = waiting.take()
    assert {(len(audio), rate) for audio, rate in frames} == {(FRAME_BYTES, RATE_HZ)}
    assert 95 <= len(frames) <= 100
    heard = np.frombuffer(b"".join(audio for audio, _ in frames), "<i2")
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * RATE_HZ / len(heard) == pytest.approx(440, abs=1.5)


def test_what_nobody_takes_is_bounded_and_the_newest_is_kept() -> None:
    waiting = Played()
    for number in range(300):
        waiting.add(np.full(FRAME_BYTES // 2, number, "<i2").tobytes(), RATE_HZ)
    frames = waiting.take()
    assert len(frames) == WAITING_S * 100
    assert frames[-1][0][:2] == np.array(299, "<i2").tobytes()
    assert waiting.take() == []


def test_sound_is_added_from_another_thread_without_loss() -> None:
    waiting = Played()
    taken = 0

    def play() -> None:
        for _ in range(90):
            waiting.add(SOUND, RATE_HZ)

    thread = threading.Thread(target=play)
    thread.start()
    while thread.is_alive():
        taken += len(waiting.take())
    assert taken + len(waiting.take()) == 90


def test_the_module_alone_does_not_load_the_library() -> None:
    code = "import sys, edgebot.engines.echo_canceller; print('livekit' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "False"


def sound(rms: int) -> bytes:
    return np.full(FRAME_BYTES // 2, rms, "<i2").tobytes()


def second(echo: EchoCanceller, heard: bytes, played: bytes = SOUND) -> bytes:
    """Play and hear for a second, and return what comes out."""
    cleaned = b""
    for _ in range(100):
        echo.played(played, RATE_HZ)
        cleaned += echo.clean(heard)
    return cleaned


def passes_a_voice(echo: EchoCanceller) -> bool:
    """Return whether a voice over what is played comes out as it was heard."""
    echo.played(SOUND, RATE_HZ)
    return echo.clean(sound(800)) == sound(800)


def test_where_nothing_comes_back_a_voice_passes_as_it_was_heard() -> None:
    echo, _ = canceller()
    second(echo, SILENCE)
    assert passes_a_voice(echo)


def test_what_the_room_itself_sounds_like_is_no_echo() -> None:
    echo, _ = canceller()
    second(echo, sound(40), played=SILENCE)
    second(echo, sound(48))
    assert passes_a_voice(echo)


def test_who_speaks_long_after_what_was_played_is_no_echo() -> None:
    echo, _ = canceller()
    for _ in range(3):
        for played, heard, frames in (
            (SOUND, SILENCE, 40),
            (SILENCE, SILENCE, LATE_FRAMES),
            (SILENCE, sound(800), TAIL_FRAMES - LATE_FRAMES - 1),
        ):
            for _ in range(frames):
                echo.played(played, RATE_HZ)
                echo.clean(heard)
    assert passes_a_voice(echo)


def test_an_echo_that_is_cancelled_is_one_still() -> None:
    echo, _ = canceller()
    # Half of it, which is what the library leaves, would count as nothing.
    second(echo, sound(8))
    assert not passes_a_voice(echo)


@pytest.mark.parametrize("options", [{"noise_suppression": True}, {"gain_control": True}])
def test_what_else_is_wished_is_done_where_nothing_comes_back(options: dict[str, bool]) -> None:
    echo, _ = canceller(**options)
    second(echo, SILENCE)
    echo.played(SOUND, RATE_HZ)
    assert echo.clean(sound(800)) == sound(400)


def test_an_echo_that_begins_is_cancelled_after_a_second() -> None:
    echo, _ = canceller()
    second(echo, SILENCE)
    assert second(echo, sound(250))[: FRAME_BYTES * 99] == sound(250) * 99
    assert second(echo, sound(250)) == sound(125) * 100


def test_a_room_that_is_forgotten_is_judged_anew() -> None:
    echo, _ = canceller()
    second(echo, SILENCE)
    echo.reset()
    echo.played(SOUND, RATE_HZ)
    assert echo.clean(sound(800)) == sound(400)
