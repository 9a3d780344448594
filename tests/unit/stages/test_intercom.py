"""In a call, the microphone's sound is the caller's alone, and what piles up is dropped."""

from __future__ import annotations

import asyncio
from pathlib import Path

from line import Line
from pipecat.frames.frames import ErrorFrame, Frame, InputAudioRawFrame, InterruptionFrame

from edgebot.frames import CallFrame
from edgebot.stages.intercom import MOST_WAITING, RATE_HZ, Caller, Intercom

from .test_wire import wires


def sound(value: int) -> InputAudioRawFrame:
    return InputAudioRawFrame(bytes([value, 0]) * 320, RATE_HZ, 1)


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.audio[0] for frame in frames if isinstance(frame, InputAudioRawFrame)]


async def test_only_in_a_call_for_a_person_is_the_sound_the_callers() -> None:
    stage, heard = Intercom(), list[int]()
    stage.when_sound = lambda audio: heard.append(audio[0])
    async with Line(stage) as line:
        await line.send(sound(1))
        await line.until(lambda: numbers(line.down) == [1])
        await line.send(CallFrame(connected=True), sound(2))
        await line.until(lambda: numbers(line.down) == [1, 2])
        assert not [frame for frame in line.down if isinstance(frame, InterruptionFrame)]
        await line.send(CallFrame(connected=True, intercom=True))
        # What the assistant was saying is not for the caller's ear.
        await line.until(lambda: [f for f in line.down if isinstance(f, InterruptionFrame)])
        await line.send(sound(3), sound(4))
        await line.until(lambda: heard == [3, 4])
        await line.send(CallFrame(connected=False))
        await line.until(
            lambda: (
                [f.connected for f in line.down if isinstance(f, CallFrame)] == [True, True, False]
            )
        )
        await line.send(sound(5))
        await line.until(lambda: numbers(line.down) == [1, 2, 5])
    assert heard == [3, 4]


async def test_a_caller_says_and_is_sent_sound(tmp_path: Path) -> None:
    heard: list[int] = []
    async with wires(tmp_path) as (near, far, _):
        stage = Caller(near, lambda audio: heard.append(audio[0]))
        async with Line(stage) as line:
            await line.send(sound(1), CallFrame(connected=True))
            await line.until(lambda: heard == [1])
            stage.hear(sound(7).audio)
            frame = await far.receive()
            assert isinstance(frame, InputAudioRawFrame)
            assert (frame.audio, frame.sample_rate) == (sound(7).audio, RATE_HZ)
            assert numbers(line.down) == []


async def test_of_what_piles_up_the_newest_is_sent(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        stage = Caller(near, lambda audio: None)
        for number in range(MOST_WAITING + 5):
            stage.hear(sound(number).audio)
        async with Line(stage):
            came = [(await far.receive()).audio[0] for _ in range(MOST_WAITING)]
            assert came == list(range(5, MOST_WAITING + 5))


async def test_when_the_caller_is_gone_nothing_breaks(tmp_path: Path) -> None:
    async with wires(tmp_path) as (near, far, _):
        stage = Caller(near, lambda audio: None)
        async with Line(stage) as line:
            await far.close()
            await near.close()
            for number in range(40):
                stage.hear(sound(number).audio)
                await asyncio.sleep(0)
            await line.send(CallFrame(connected=True))
            await line.until(lambda: [f for f in line.down if isinstance(f, CallFrame)])
            assert [f for f in line.up if isinstance(f, ErrorFrame)] == []
