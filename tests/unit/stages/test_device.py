"""The microphone's and the speaker's stage, with devices that are told what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from fake_time import run_in_fake_time
from line import Line, of
from pipecat.frames.frames import (
    ErrorFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportReadyFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline

from edgebot.errors import DeviceBusyError
from edgebot.stages.device import AHEAD_S, LOST_AFTER_S, RATE_HZ, DeviceTransport

SPEAKER_HZ = 24_000


class FakeMicrophone:
    """Delivers what it is told to, from a thread as PortAudio does."""

    def __init__(self, when_audio: Callable[[bytes], None], now: Callable[[], float]) -> None:
        self._when_audio = when_audio
        self._now = now
        self._heard_at = now()
        self.is_dead = False
        self.closed = 0

    @property
    def silent_s(self) -> float:
        return self._now() - self._heard_at if self.is_dead else 0.0

    def hear(self, audio: bytes) -> None:
        self._heard_at = self._now()
        self._when_audio(audio)

    def die(self) -> None:
        self._heard_at = self._now()
        self.is_dead = True

    def close(self) -> None:
        self.closed += 1


class FakeSpeaker:
    """Plays in the loop's time what is written to it."""

    def __init__(self, now: Callable[[], float], rate_hz: int = SPEAKER_HZ) -> None:
        self._now = now
        self._rate_hz = rate_hz
        self._done_at = now()
        self._died_at: float | None = None
        self.played = b""
        self.most_waiting_s = 0.0
        self.cleared = 0
        self.closed = 0

    @property
    def silent_s(self) -> float:
        return 0.0 if self._died_at is None else self._now() - self._died_at

    @property
    def waiting_s(self) -> float:
        now = self._died_at if self._died_at is not None else self._now()
        return max(0.0, self._done_at - now)

    def write(self, audio: bytes) -> None:
        assert not self.closed
        self.played += audio
        duration_s = len(audio) / (2 * self._rate_hz)
        self._done_at = max(self._done_at, self._now()) + duration_s
        self.most_waiting_s = max(self.most_waiting_s, self.waiting_s)

    def clear(self) -> None:
        waiting = round(self.waiting_s * self._rate_hz) * 2
        self.played = self.played[: len(self.played) - waiting]
        self.cleared += 1
        self._done_at = self._now()

    def die(self) -> None:
        """Ask for no more sound, as a device that is pulled out."""
        self._died_at = self._now()

    def close(self) -> None:
        self.closed += 1


class Devices:
    """A transport between fake devices, in a line of its two ends."""

    microphone: FakeMicrophone
    speaker: FakeSpeaker

    def __init__(
        self, *, volume: float = 1.0, with_microphone: bool = True, broken: str = ""
    ) -> None:
        self.now = asyncio.get_running_loop().time
        self._with_microphone = with_microphone
        self._broken = broken
        self.transport = DeviceTransport(
            open_microphone=self._open_microphone if with_microphone else None,
            open_speaker=self._open_speaker,
            speaker_rate_hz=SPEAKER_HZ,
            volume=volume,
        )
        self.line = Line(
            Pipeline([self.transport.input(), self.transport.output()]),
            audio_out_sample_rate=SPEAKER_HZ,
        )

    def _open_microphone(self, when_audio: Callable[[bytes], None]) -> FakeMicrophone:
        self._refuse("microphone")
        self.microphone = FakeMicrophone(when_audio, self.now)
        return self.microphone

    def _open_speaker(self) -> FakeSpeaker:
        self._refuse("speaker")
        self.speaker = FakeSpeaker(self.now)
        return self.speaker

    def _refuse(self, which: str) -> None:
        if which == self._broken:
            raise DeviceBusyError(f"The {which} is busy.")

    async def ready(self) -> None:
        """Wait until the devices are open."""
        await self.line.until_up(OutputTransportReadyFrame)
        await self.line.until(lambda: hasattr(self, "microphone") or not self._with_microphone)


def sound(seconds: float, sample: int = 1000) -> bytes:
    return np.full(int(SPEAKER_HZ * seconds), sample, dtype="<i2").tobytes()


def speech(seconds: float, sample: int = 1000) -> TTSAudioRawFrame:
    return TTSAudioRawFrame(sound(seconds, sample), SPEAKER_HZ, 1)


# The microphone


def test_what_the_microphone_hears_comes_in_its_order() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            pieces = [bytes([n]) * 640 for n in range(50)]

            def hear() -> None:
                for piece in pieces:
                    devices.microphone.hear(piece)

            await asyncio.to_thread(hear)
            await line.until_down(InputAudioRawFrame, 50)
        frames = line.of(InputAudioRawFrame)
        assert [frame.audio for frame in frames] == pieces
        assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(RATE_HZ, 1)}

    run_in_fake_time(main())


def test_a_microphone_that_falls_silent_is_a_fault() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await asyncio.sleep(60)
            assert of(line.up, ErrorFrame) == []
            devices.microphone.die()
            died_at = devices.now()
            await line.until_up(ErrorFrame)
            assert LOST_AFTER_S < devices.now() - died_at <= 1.5 * LOST_AFTER_S
            await asyncio.sleep(60)
        (error,) = of(line.up, ErrorFrame)
        assert error.error == "the microphone delivers no more sound"
        assert not devices.transport.input().is_usable
        assert devices.microphone.closed == 1

    run_in_fake_time(main())


def test_a_transport_that_only_plays_opens_no_microphone() -> None:
    async def main() -> None:
        devices = Devices(with_microphone=False)
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(0.1))
            await line.until(lambda: len(devices.speaker.played) == len(sound(0.1)))
        assert not hasattr(devices, "microphone")

    run_in_fake_time(main())


@pytest.mark.parametrize("which", ["microphone", "speaker"])
def test_a_device_that_cannot_be_opened_is_a_fault(which: str) -> None:
    async def main() -> None:
        devices = Devices(broken=which)
        async with devices.line as line:
            await line.until_up(ErrorFrame)
            await line.cancel()
        (error,) = of(line.up, ErrorFrame)
        assert error.error == f"The {which} is busy"
        assert isinstance(error.exception, DeviceBusyError)
        assert not error.processor.is_usable

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


def test_the_volume_is_that_of_the_settings() -> None:
    async def main() -> None:
        devices = Devices(volume=0.5)
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(0.1, 1000))
            await line.until(lambda: len(devices.speaker.played) == len(sound(0.1)))
        assert set(np.frombuffer(devices.speaker.played, "<i2")) == {500}

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


def test_a_speaker_that_takes_no_more_sound_is_a_fault() -> None:
    async def main() -> None:
        devices = Devices()
        async with devices.line as line:
            await devices.ready()
            await line.send(speech(10.0))
            await line.until(lambda: len(devices.speaker.played) > len(sound(0.5)))
            devices.speaker.die()
            died_at = devices.now()
            await line.until_up(ErrorFrame)
            assert LOST_AFTER_S < devices.now() - died_at <= LOST_AFTER_S + 0.2
            await line.cancel()
        (error,) = of(line.up, ErrorFrame)
        assert error.error == "the speaker takes no more sound"
        assert not devices.transport.output().is_usable
        assert devices.speaker.closed == 1

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
            devices.speaker.die()
            await asyncio.sleep(LOST_AFTER_S + 1)
            begun = devices.now()
            await line.end()
            assert devices.now() - begun < 0.5
        assert devices.speaker.closed == 1

    run_in_fake_time(main())
