"""The microphone's and the speaker's stage, with devices that are told what to do."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from fake_time import run_in_fake_time
from line import Line, of
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline

from edgebot.errors import DeviceBusyError
from edgebot.frames import ChimeFrame, FaultFrame, HoldFrame, MuteFrame, VolumeFrame
from edgebot.stages.device import DeviceTransport
from edgebot.stages.microphone import NO_MORE_HEARD, RATE_HZ, STALE_AFTER_S
from edgebot.stages.speaker import AHEAD_S, NO_MORE_PLAYED
from edgebot.state import Fault

SPEAKER_HZ = 24_000


class FakeDevice:
    """A device that calls all the time until it stands still or is pulled out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._died_at: float | None = None
        self.is_stuttering = False
        self.is_lost = False
        self.is_given_up = False
        self.closed = 0

    @property
    def silent_s(self) -> float:
        if self.is_stuttering:
            return self._now() % 1.0
        return 0.0 if self._died_at is None else self._now() - self._died_at

    @property
    def is_running(self) -> bool:
        return True

    def freeze(self) -> None:
        """Call no more, as a sound server that stands still."""
        self._died_at = self._now()

    def pull_out(self) -> None:
        """Call no more, and be known to have gone."""
        self.freeze()
        self.is_lost = True

    def close(self) -> None:
        assert not self.closed
        self.closed += 1


class FakeMicrophone(FakeDevice):
    """Delivers what it is told to, from a thread as PortAudio does."""

    def __init__(self, when_audio: Callable[[bytes], None], now: Callable[[], float]) -> None:
        super().__init__(now)
        self.hear = when_audio


class FakeSpeaker(FakeDevice):
    """Plays in the loop's time what is written to it."""

    def __init__(self, now: Callable[[], float], rate_hz: int = SPEAKER_HZ) -> None:
        super().__init__(now)
        self._rate_hz = rate_hz
        self._done_at = now()
        self._held_s: float | None = None
        self.played = b""
        self.most_waiting_s = 0.0
        self.cleared = 0
        self.told: list[tuple[str, object]] = []

    @property
    def waiting_s(self) -> float:
        if self._held_s is not None:
            return self._held_s
        now = self._died_at if self._died_at is not None else self._now()
        return max(0.0, self._done_at - now)

    def write(self, audio: bytes) -> None:
        assert not self.closed
        self.played += audio
        duration_s = len(audio) / (2 * self._rate_hz)
        if self._held_s is not None:
            self._held_s += duration_s
        self._done_at = max(self._done_at, self._now()) + duration_s
        self.most_waiting_s = max(self.most_waiting_s, self.waiting_s)

    def clear(self) -> None:
        waiting = round(self.waiting_s * self._rate_hz) * 2
        self.played = self.played[: len(self.played) - waiting]
        self.cleared += 1
        self._done_at = self._now()
        if self._held_s is not None:
            self._held_s = 0.0

    def hold(self, held: bool) -> None:
        if held and self._held_s is None:
            self._held_s = self.waiting_s
        elif not held and self._held_s is not None:
            self._done_at, self._held_s = self._now() + self._held_s, None
        self.told.append(("hold", held))

    def chime(self, audio: bytes) -> None:
        self.told.append(("chime", audio))

    def caller(self, audio: bytes) -> None:
        self.told.append(("caller", audio))

    def set_volume(self, volume: float) -> None:
        self.told.append(("volume", volume))


class Devices:
    """A transport between fake devices, in a line of its two ends.

    Attributes:
        missing: What cannot be opened at the moment.
        microphones: All that were opened, in their order.
        speakers: Likewise.
        tries: When each device was tried.
        opened: How often the transport said that it was open.
        opened_with: The faults that it said so with.
        reopened: How often it said that a device was opened again.
        notes: What a person was told.
    """

    def __init__(
        self,
        *,
        volume: float = 1.0,
        with_microphone: bool = True,
        missing: tuple[str, ...] = (),
        lasting: bool = True,
    ) -> None:
        self.now = asyncio.get_running_loop().time
        self.missing = set(missing)
        self.microphones: list[FakeMicrophone] = []
        self.speakers: list[FakeSpeaker] = []
        self.tries: dict[str, list[float]] = {"microphone": [], "speaker": []}
        self.opened = self.reopened = 0
        self.opened_with: frozenset[Fault] = frozenset()
        self.notes: list[str] = []
        self.transport = DeviceTransport(
            open_microphone=self._open_microphone if with_microphone else None,
            open_speaker=self._open_speaker,
            speaker_rate_hz=SPEAKER_HZ,
            volume=volume,
            chimes={"woken": b"ding"},
            lasting=lasting,
            when_open=self._open,
            when_reopened=self._reopen,
            when_note=self.notes.append,
        )
        self.line = Line(
            Pipeline([self.transport.input(), self.transport.output()]),
            audio_out_sample_rate=SPEAKER_HZ,
        )

    @property
    def microphone(self) -> FakeMicrophone:
        return self.microphones[-1]

    @property
    def speaker(self) -> FakeSpeaker:
        return self.speakers[-1]

    def _open(self, faults: frozenset[Fault]) -> None:
        self.opened += 1
        self.opened_with = faults

    def _reopen(self) -> None:
        self.reopened += 1

    def _open_microphone(self, when_audio: Callable[[bytes], None]) -> FakeMicrophone:
        self._refuse("microphone")
        self.microphones.append(FakeMicrophone(when_audio, self.now))
        return self.microphone

    def _open_speaker(self) -> FakeSpeaker:
        self._refuse("speaker")
        self.speakers.append(FakeSpeaker(self.now))
        return self.speaker

    def _refuse(self, which: str) -> None:
        self.tries[which].append(self.now())
        if which in self.missing:
            raise DeviceBusyError(f"The {which} is busy.")

    async def ready(self) -> None:
        """Wait until it is known of each device whether it works."""
        await self.line.until(lambda: self.opened)

    def faults(self) -> list[tuple[Fault, str, bool]]:
        """Return all that was told of faults: the microphone's below, the speaker's above."""
        frames = [*self.line.of(FaultFrame), *of(self.line.up, FaultFrame)]
        return [(frame.fault, frame.text, frame.is_over) for frame in frames]


def sound(seconds: float, sample: int = 1000) -> bytes:
    return np.full(int(SPEAKER_HZ * seconds), sample, dtype="<i2").tobytes()


def answer(seconds: float, name: str) -> TTSAudioRawFrame:
    return TTSAudioRawFrame(sound(seconds), SPEAKER_HZ, 1, context_id=name)


def speech(seconds: float, sample: int = 1000) -> TTSAudioRawFrame:
    return TTSAudioRawFrame(sound(seconds, sample), SPEAKER_HZ, 1)


# The microphone


def test_what_the_microphone_hears_comes_in_its_order() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            pieces = [bytes([n]) * 640 for n in range(10)]

            def hear() -> None:
                for piece in pieces:
                    devices.microphone.hear(piece)

            await asyncio.to_thread(hear)
            await line.until_down(InputAudioRawFrame, 10)
        frames = line.of(InputAudioRawFrame)
        assert [frame.audio for frame in frames] == pieces
        assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(RATE_HZ, 1)}

    run_in_fake_time(main())


def test_sound_that_waited_too_long_is_thrown_away() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            devices.microphone.hear(b"old!" * 160)
            asyncio.get_running_loop().skip(STALE_AFTER_S)  # type: ignore[attr-defined]
            devices.microphone.hear(b"new!" * 160)
            await line.until_down(InputAudioRawFrame)
        assert [frame.audio for frame in line.of(InputAudioRawFrame)] == [b"new!" * 160]
        assert devices.transport.input().stale == 1

    run_in_fake_time(main())


def test_no_more_waits_for_a_late_pipeline_than_it_would_take() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            pieces = [bytes([n]) * 640 for n in range(40)]
            for piece in pieces:
                devices.microphone.hear(piece)
            await line.until_down(InputAudioRawFrame, 15)
        assert [frame.audio for frame in line.of(InputAudioRawFrame)] == pieces[25:]
        assert devices.transport.input().stale == 25

    run_in_fake_time(main())


def test_a_jump_of_the_wall_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        devices = Devices()
        jumps = itertools.cycle([4e9, 0.0, 1e9])
        monkeypatch.setattr(time, "time", lambda: next(jumps))
        monkeypatch.setattr(time, "time_ns", lambda: int(next(jumps)))
        async with devices.line as line:
            await devices.ready()
            for _ in range(5):
                devices.microphone.hear(b"ab" * 320)
                await asyncio.sleep(1)
            await line.send(speech(1.0))
            await line.until(lambda: devices.speaker.played == sound(1.0))
        assert len(line.of(InputAudioRawFrame)) == 5
        assert devices.transport.input().stale == 0
        assert devices.faults() == []

    run_in_fake_time(main())


# A device that fails


def end_of(devices: Devices, which: str) -> FakeDevice:
    return devices.microphone if which == "microphone" else devices.speaker


STOPPED = {"microphone": NO_MORE_HEARD, "speaker": NO_MORE_PLAYED}


@pytest.mark.parametrize("which", ["microphone", "speaker"])
def test_a_frozen_device_is_noticed_told_once_and_opened_again(which: str) -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            assert devices.opened_with == set()
            await asyncio.sleep(60)
            assert devices.faults() == []
            frozen = end_of(devices, which)
            frozen.freeze()
            frozen_at = devices.now()
            await line.until(lambda: devices.faults())
            assert 1.2 < devices.now() - frozen_at < 2.0
            await line.until(lambda: len(devices.faults()) == 2)
            assert devices.now() - frozen_at < 3.0
            await asyncio.sleep(60)
        fault = Fault(which)
        over = f"The {which} works again."
        assert devices.faults() == [(fault, STOPPED[which], False), (fault, over, True)]
        assert devices.notes == [STOPPED[which], over]
        assert (frozen.closed, devices.reopened, devices.opened) == (1, 1, 1)
        assert len(devices.microphones) + len(devices.speakers) == 3

    run_in_fake_time(main())


@pytest.mark.parametrize("which", ["microphone", "speaker"])
def test_a_device_that_is_pulled_out_is_noticed_at_once_and_comes_back(which: str) -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await asyncio.sleep(60)
            devices.missing.add(which)
            end_of(devices, which).pull_out()
            gone_at = devices.now()
            await line.until(lambda: devices.faults())
            assert devices.now() - gone_at < 0.5
            await asyncio.sleep(60)
            assert len(devices.faults()) == 1
            devices.missing.clear()
            back_at = devices.now()
            await line.until(lambda: len(devices.faults()) == 2)
            assert devices.now() - back_at < 3.0
        tries = devices.tries[which]
        pauses = [later - earlier for earlier, later in itertools.pairwise(tries[1:])]
        assert pauses[:3] == pytest.approx([1.0, 1.5, 2.0], abs=0.1)
        assert max(pauses) < 2.1
        assert len(devices.notes) == 2

    run_in_fake_time(main())


@pytest.mark.parametrize("which", ["microphone", "speaker"])
def test_a_device_that_is_missing_at_the_start_is_waited_for(which: str) -> None:
    async def main() -> None:
        devices = Devices(missing=(which,))
        async with devices.line as line:
            await devices.ready()
            assert devices.opened_with == {Fault(which)}
            assert devices.faults() == [(Fault(which), f"The {which} is busy.", False)]
            await asyncio.sleep(30)
            assert len(devices.faults()) == 1
            devices.missing.clear()
            plugged_in_at = devices.now()
            await line.until(lambda: len(devices.faults()) == 2)
            assert devices.now() - plugged_in_at < 3.0
            await line.send(speech(0.1))
            await line.until(lambda: len(devices.speaker.played) == len(sound(0.1)))
            devices.microphone.hear(b"ab" * 320)
            await line.until_down(InputAudioRawFrame)
        assert (devices.opened, devices.reopened) == (1, 0)

    run_in_fake_time(main())


def test_a_device_that_calls_once_a_second_does_not_work() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await asyncio.sleep(60)
            devices.microphone.is_stuttering = True
            began_at = devices.now()
            await line.until(lambda: devices.faults())
            assert devices.now() - began_at < 5.0

    run_in_fake_time(main())


def test_a_device_that_fails_again_and_again_is_not_opened_in_a_hurry() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            for count in range(2, 6):
                devices.microphone.pull_out()
                await line.until(lambda count=count: len(devices.microphones) == count)
        tries = devices.tries["microphone"]
        assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(tries))

    run_in_fake_time(main())


def test_a_device_that_is_given_up_for_another_is_opened_again_without_a_word() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            given_up = devices.speaker
            given_up.is_given_up = True
            await line.until(lambda: len(devices.speakers) == 2)
            await asyncio.sleep(10)
        assert devices.faults() == []
        assert (given_up.closed, devices.reopened) == (1, 1)

    run_in_fake_time(main())


def test_the_microphone_that_comes_back_is_heard() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            lost = devices.microphone
            lost.pull_out()
            await line.until(lambda: len(devices.microphones) == 2)
            devices.microphone.hear(b"ab" * 320)
            await line.until_down(InputAudioRawFrame)

    run_in_fake_time(main())


# The mute switch


def test_muted_the_microphone_is_closed() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(MuteFrame(True))
            await line.until(lambda: devices.microphone.closed)
            await asyncio.sleep(60)
            assert len(devices.microphones) == 1
            asked_at = devices.now()
            await line.send(MuteFrame(False))
            await line.until(lambda: len(devices.microphones) == 2)
            assert devices.now() - asked_at < 0.1
            devices.microphone.hear(b"ab" * 320)
            await line.until_down(InputAudioRawFrame)
        assert [frame.muted for frame in line.of(MuteFrame)] == [True, False]
        assert devices.faults() == []
        assert not devices.speakers[1:]

    run_in_fake_time(main())


def test_muted_a_missing_microphone_is_not_tried() -> None:
    async def main() -> None:
        devices = Devices(missing=("microphone",))
        async with devices.line as line:
            await devices.ready()
            await line.send(MuteFrame(True))
            await line.until_down(MuteFrame)
            tries = len(devices.tries["microphone"])
            await asyncio.sleep(60)
            assert len(devices.tries["microphone"]) == tries

    run_in_fake_time(main())


# Without patience


def test_a_transport_that_only_plays_opens_no_microphone() -> None:
    async def main() -> None:
        devices = Devices(with_microphone=False)
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(0.1))
            await line.until(lambda: len(devices.speaker.played) == len(sound(0.1)))
        assert devices.microphones == []

    run_in_fake_time(main())


def test_where_nobody_waits_a_missing_speaker_is_the_end() -> None:
    async def main() -> None:
        devices = Devices(missing=("speaker",), with_microphone=False, lasting=False)
        async with devices.line as line:
            await line.until_up(ErrorFrame)
            await line.cancel()
        error = of(line.up, ErrorFrame)[0]
        assert error.error == "The speaker is busy"
        assert not error.processor.is_usable
        assert devices.faults() == []

    run_in_fake_time(main())


# The speaker


def test_sound_is_played_whole_and_in_its_order() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(0.3, 1), speech(0.3, 2))
            await line.until(lambda: len(devices.speaker.played) == len(sound(0.6)))
        assert devices.speaker.played == sound(0.3, 1) + sound(0.3, 2)

    run_in_fake_time(main())


def test_little_sound_waits_at_the_speaker() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            begun = devices.now()
            await line.send(speech(3.0))
            await line.until(lambda: len(devices.speaker.played) == len(sound(3.0)))
            took = devices.now() - begun
        # A write goes ahead while no more than AHEAD_S waits, and brings 20 ms.
        assert AHEAD_S < devices.speaker.most_waiting_s <= AHEAD_S + 0.02 + 1e-6
        assert took == pytest.approx(3.0, abs=AHEAD_S + 0.03)

    run_in_fake_time(main())


def test_the_speaker_never_runs_dry_in_the_middle() -> None:
    async def main() -> None:
        devices = Devices()
        waits: list[float] = []
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(1.0))
            await line.until(lambda: devices.speaker.played)
            while len(devices.speaker.played) < len(sound(1.0)):
                waits.append(devices.speaker.waiting_s)
                await asyncio.sleep(0.001)
        assert min(waits[1:]) >= AHEAD_S / 2 - 0.002

    run_in_fake_time(main())


def test_an_interruption_falls_silent_at_once() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(3.0, 1))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.5)))
            heard = len(devices.speaker.played) - len(sound(devices.speaker.waiting_s))
            assert heard < len(devices.speaker.played)
            await line.send(InterruptionFrame())
            await line.until(lambda: devices.speaker.cleared)
            await asyncio.sleep(5)
            assert len(devices.speaker.played) == pytest.approx(heard, abs=4)
            # The next answer is played as ever.
            await line.send(speech(0.2, 2))
            await line.until(lambda: devices.speaker.played.endswith(sound(0.2, 2)))

    run_in_fake_time(main())


@pytest.mark.parametrize("fault", [FakeSpeaker.freeze, FakeSpeaker.pull_out])
def test_a_speaker_that_is_lost_in_mid_answer_ends_the_turn(
    fault: Callable[[FakeSpeaker], None],
) -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await asyncio.sleep(60)
            await line.send(speech(10.0))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.5)))
            fault(devices.speaker)
            lost_at = devices.now()
            await line.until_down(BotStoppedSpeakingFrame)
            assert devices.now() - lost_at < 2.0
            await line.until(lambda: len(devices.speakers) == 2)
            await asyncio.sleep(5)
            # The rest of the answer is gone; the next one is heard.
            assert devices.speaker.played == b""
            await line.send(speech(0.2, 2))
            await line.until(lambda: devices.speaker.played == sound(0.2, 2))
        assert len(of(line.up, InterruptionFrame)) == 1

    run_in_fake_time(main())


# From another thread


def test_silence_is_there_before_any_frame() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(answer(3.0, "first"))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.5)))
            cleared = devices.speaker.cleared
            thread = threading.Thread(target=devices.transport.silence)
            thread.start()
            thread.join()
            # The loop has done nothing meanwhile.
            assert devices.speaker.cleared == cleared + 1
            assert devices.speaker.waiting_s == 0
            heard = devices.speaker.played
            await line.send(answer(1.0, "first"))
            await asyncio.sleep(5)
            assert devices.speaker.played == heard
            assert len(line.of(BotStoppedSpeakingFrame)) == 1
            await line.send(answer(0.2, "second"))
            await line.until(lambda: len(devices.speaker.played) > len(heard))
            await asyncio.sleep(1)
        assert devices.speaker.played == heard + sound(0.2)

    run_in_fake_time(main())


@pytest.mark.parametrize("beginning", [InterruptionFrame, LLMFullResponseStartFrame])
def test_after_silence_an_answer_without_a_name_is_heard_too(beginning: type[Frame]) -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(3.0, 1))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.5)))
            devices.transport.silence()
            await line.send(speech(1.0, 1))
            await line.until_down(BotStoppedSpeakingFrame)
            heard = devices.speaker.played
            await line.send(beginning())
            await line.until_down(beginning)
            await line.send(speech(0.2, 2))
            await line.until(lambda: devices.speaker.played == heard + sound(0.2, 2))

    run_in_fake_time(main())


def test_silence_before_the_start_and_after_the_end_does_nothing() -> None:
    async def main() -> Devices:
        devices = Devices()
        devices.transport.silence()
        async with devices.line as line:
            await devices.ready()
            await line.send(answer(0.1, "first"))
            await line.until(lambda: devices.speaker.played == sound(0.1))
        return devices

    run_in_fake_time(main()).transport.silence()


# The frames of our own


def test_a_chime_is_played_over_what_sounds() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(3.0))
            await line.until(lambda: devices.speaker.played)
            await line.send(ChimeFrame("woken"), ChimeFrame("unknown"))
            await line.until_down(ChimeFrame, 2)
            assert devices.speaker.waiting_s > 0
        chimes = [what for kind, what in devices.speaker.told if kind == "chime"]
        assert chimes == [b"ding"]

    run_in_fake_time(main())


def test_the_volume_is_that_of_the_settings_until_it_is_changed() -> None:
    async def main() -> None:
        devices = Devices(volume=0.5)
        async with devices.line as line:
            await devices.ready()
            await line.send(VolumeFrame(0.25))
            await line.until_down(VolumeFrame)
            assert devices.speaker.told == [("volume", 0.5), ("volume", 0.25)]
            devices.speaker.pull_out()
            await line.until(lambda: len(devices.speakers) == 2)
            assert devices.speaker.told == [("volume", 0.25)]

    run_in_fake_time(main())


def test_a_voice_that_is_held_goes_on_where_it_was() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(1.0))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.3)))
            await line.send(HoldFrame(True))
            await line.until_down(HoldFrame)
            await asyncio.sleep(0.2)
            held = len(devices.speaker.played)
            await asyncio.sleep(2)
            assert len(devices.speaker.played) == held < len(sound(0.6))
            assert line.of(BotStoppedSpeakingFrame) == []
            await line.send(HoldFrame(False))
            await line.until(lambda: devices.speaker.played == sound(1.0))

    run_in_fake_time(main())


def test_an_interruption_throws_away_what_is_held() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(1.0, 1))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.3)))
            await line.send(HoldFrame(True))
            await line.until_down(HoldFrame)
            await line.send(InterruptionFrame())
            await line.until_down(InterruptionFrame)
            await asyncio.sleep(2)
            heard = devices.speaker.played
            assert len(heard) < len(sound(0.5))
            # And the next answer is not held.
            await line.send(speech(0.5, 2))
            await line.until(lambda: devices.speaker.played == heard + sound(0.5, 2))

    run_in_fake_time(main())


# The end


@pytest.mark.parametrize("how", ["end", "cancel"])
def test_every_device_is_closed_once(how: str) -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await getattr(line, how)()
        assert devices.microphone.closed == 1
        assert devices.speaker.closed == 1

    run_in_fake_time(main())


def test_the_end_waits_until_all_is_heard() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            begun = devices.now()
            await line.send(speech(1.0))
            await line.end()
            assert devices.now() - begun >= 1.0
        assert devices.speaker.played == sound(1.0)

    run_in_fake_time(main())


def test_cancelling_does_not_wait() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(60.0))
            await line.until(lambda: devices.speaker.played)
            begun = devices.now()
            await line.cancel()
            assert devices.now() - begun < 1.0
        assert devices.speaker.closed == 1

    run_in_fake_time(main())


def test_the_end_does_not_wait_for_a_speaker_that_is_gone() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(OutputAudioRawFrame(sound(0.06), SPEAKER_HZ, 1))
            await line.until(lambda: devices.speaker.played)
            devices.missing.add("speaker")
            devices.speaker.freeze()
            begun = devices.now()
            await line.end()
            assert devices.now() - begun < 2.5
        assert devices.speaker.closed == 1

    run_in_fake_time(main())
