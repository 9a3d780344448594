"""Sound goes on in longer pieces while nobody waits for it, and as it comes while somebody does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fake_time import run_in_fake_time
from line import Line
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    MetricsFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from edgebot.frames import SleepFrame, TalkFrame
from edgebot.stages.patience import ECHO_S, Patience

RATE_HZ = 16_000
PIECE = RATE_HZ // 50


def piece(number: int) -> bytes:
    """Return 20 ms of sound that are like no others."""
    return bytes([number, 0]) * PIECE


class Bench:
    """The stage, to which frames are handed one after the other."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._numbers = 0

    async def hear(self, count: int) -> list[int]:
        """Hand it pieces of 20 ms; return of how many each was made that went on."""
        before = len(self.sound)
        for _ in range(count):
            self._numbers += 1
            await self.hand(InputAudioRawFrame(piece(self._numbers), RATE_HZ, 1))
        return [len(audio) // 2 // PIECE for audio in self.sound[before:]]

    async def hand(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        await self.line.stage.process_frame(frame, direction)
        await asyncio.sleep(0.001)

    @property
    def sound(self) -> list[bytes]:
        return [frame.audio for frame in self.line.of(InputAudioRawFrame)]

    @property
    def is_whole(self) -> bool:
        """Whether no sound was lost, doubled or put out of order."""
        return b"".join(self.sound) == b"".join(map(piece, range(1, self._numbers + 1)))


def told(test: Callable[[Bench], Awaitable[None]], *, is_whole: bool = True) -> None:
    """Run a test in fake time."""

    async def run() -> None:
        async with Line(Patience()) as line:
            bench = Bench(line)
            await test(bench)
            assert bench.is_whole is is_whole

    run_in_fake_time(run())


def test_while_nobody_waits_a_tenth_of_a_second_goes_on_at_once() -> None:
    async def test(bench: Bench) -> None:
        assert await bench.hear(10) == [5, 5]
        first = bench.line.of(InputAudioRawFrame)[0]
        assert (first.num_frames, first.sample_rate) == (5 * PIECE, RATE_HZ)

    told(test)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (UserStartedSpeakingFrame(), UserStoppedSpeakingFrame()),
        (VADUserStartedSpeakingFrame(), VADUserStoppedSpeakingFrame()),
        (TalkFrame(held=True), TalkFrame(held=False)),
    ],
)
@pytest.mark.parametrize("direction", FrameDirection)
def test_what_somebody_says_goes_on_as_it_comes(
    begins: Frame, ends: Frame, direction: FrameDirection
) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.hear(3) == []
        await bench.hand(begins, direction)
        assert await bench.hear(2) == [1, 1]
        await bench.hand(ends, direction)
        assert await bench.hear(5) == [5]

    told(test)


def test_a_turn_goes_on_in_its_pauses() -> None:
    async def test(bench: Bench) -> None:
        await bench.hand(VADUserStartedSpeakingFrame())
        await bench.hand(UserStartedSpeakingFrame())
        await bench.hand(VADUserStoppedSpeakingFrame())
        assert await bench.hear(2) == [1, 1]

    told(test)


def test_beside_its_own_voice_sound_goes_on_as_it_comes() -> None:
    async def test(bench: Bench) -> None:
        await bench.hand(BotStartedSpeakingFrame(), FrameDirection.UPSTREAM)
        assert await bench.hear(2) == [1, 1]
        await bench.hand(BotStoppedSpeakingFrame(), FrameDirection.UPSTREAM)
        # The room may still bring it.
        await asyncio.sleep(ECHO_S - 0.1)
        assert await bench.hear(2) == [1, 1]
        await asyncio.sleep(0.1)
        assert await bench.hear(5) == [5]

    told(test)


def test_what_was_heard_before_a_frame_goes_on_before_it() -> None:
    async def test(bench: Bench) -> None:
        await bench.hear(3)
        await bench.hand(MetricsFrame(data=[]))
        await bench.hear(2)
        kinds = [type(frame) for frame in bench.line.down]
        assert kinds.index(InputAudioRawFrame) < kinds.index(MetricsFrame)
        # ... but not before what goes the other way.
        await bench.hand(MetricsFrame(data=[]), FrameDirection.UPSTREAM)
        assert len(bench.sound) == 1
        await bench.hand(MetricsFrame(data=[]))

    told(test)


def test_what_was_heard_before_it_falls_asleep_is_dropped() -> None:
    async def test(bench: Bench) -> None:
        assert await bench.hear(3) == []
        await bench.hand(SleepFrame())
        assert await bench.hear(5) == [5]
        assert bench.sound == [b"".join(map(piece, range(4, 9)))]

    told(test, is_whole=False)
