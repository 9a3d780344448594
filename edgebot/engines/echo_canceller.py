"""WebRTC's echo canceller in this process: what is played is taken out of what is heard."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import Any, Protocol

import numpy as np
import soxr

from edgebot.engines.echo_return import EchoReturn
from edgebot.errors import EngineError

RATE_HZ = 16_000
# The library ends the whole process when a frame has any other length.
FRAME_S = 0.01
FRAME_BYTES = int(RATE_HZ * FRAME_S) * 2
# It finds an echo that comes back up to half a second late; a second of sound covers that.
LATE_FRAMES, TAIL_FRAMES = 50, 100
# More sound that was played and never heard belongs to a microphone that stands still.
WAITING_S = 1.0
# A greater difference in the number of frames is no jitter: a device has stood still.
LARGEST_STEP = 50
# How fast the usual difference follows the devices' clocks: in about a second.
FOLLOW = 0.01


class Processor(Protocol):
    """What the canceller needs of the library; both change 10 ms of sound in place."""

    def process_reverse(self, audio: bytearray, rate_hz: int) -> None: ...
    def process(self, audio: bytearray, rate_hz: int) -> None: ...


class MakeProcessor(Protocol):
    """What makes a `Processor`."""

    def __call__(self, *, noise_suppression: bool, gain_control: bool) -> Processor: ...


class WebRtcProcessor:
    """The audio processing module of WebRTC, as livekit packs it. No network is used."""

    def __init__(self, *, noise_suppression: bool, gain_control: bool) -> None:
        """Load the library: some 80 ms and 15 MB the first time, and four threads that wait.

        Args:
            noise_suppression: Take steady noise out.
            gain_control: Make soft voices louder.

        Raises:
            EngineError: The library cannot be loaded.
        """
        # Imported here because a device that cancels echo itself needs none of it.
        try:
            from livekit import rtc

            self._frame = rtc.AudioFrame
            self._module: Any = rtc.AudioProcessingModule(
                echo_cancellation=True,
                high_pass_filter=True,
                noise_suppression=noise_suppression,
                auto_gain_control=gain_control,
            )
        except Exception as error:  # the loader's, the library's own
            raise EngineError(
                f"the echo canceller cannot be loaded ({error}): "
                'reinstall the package livekit, or set echo.cancel to "off"'
            ) from None

    def process_reverse(self, audio: bytearray, rate_hz: int) -> None:
        """Take note of 10 ms that are played."""
        self._module.process_reverse_stream(self._frame(audio, rate_hz, 1, len(audio) // 2))

    def process(self, audio: bytearray, rate_hz: int) -> None:
        """Clean 10 ms that were heard."""
        self._module.process_stream(self._frame(audio, rate_hz, 1, len(audio) // 2))


class Played:
    """Sound on its way to the speaker, cut into 10 ms; thread-safe and bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._waiting_s = 0.0
        self._rate_hz = 0
        self._resampler: soxr.ResampleStream | None = None
        self._rest = bytearray()

    def add(self, audio: bytes, rate_hz: int) -> None:
        """Append 16-bit mono PCM, silence too; the oldest is dropped when nobody takes it."""
        duration_s = len(audio) / (2 * rate_hz)
        with self._lock:
            self._waiting.append((audio, rate_hz))
            self._waiting_s += duration_s
            while self._waiting_s > WAITING_S + 1e-6 and len(self._waiting) > 1:
                old, old_rate_hz = self._waiting.popleft()
                self._waiting_s -= len(old) / (2 * old_rate_hz)

    def take(self) -> list[tuple[bytearray, int]]:
        """Return all whole frames that wait, with their rate."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            self._waiting_s = 0.0
        frames: list[tuple[bytearray, int]] = []
        for audio, rate_hz in waiting:
            audio, rate_hz = self._at_a_whole_rate(audio, rate_hz)
            self._rest += audio
            size = rate_hz // 100 * 2
            while len(self._rest) >= size:
                frames.append((self._rest[:size], rate_hz))
                del self._rest[:size]
        return frames

    def _at_a_whole_rate(self, audio: bytes, rate_hz: int) -> tuple[bytes, int]:
        """Return sound at a rate of which 10 ms are a whole number of samples."""
        if rate_hz != self._rate_hz:
            self._rate_hz = rate_hz
            self._rest.clear()
            whole = rate_hz % 100 == 0
            self._resampler = (
                None if whole else soxr.ResampleStream(rate_hz, RATE_HZ, 1, "int16", "MQ")
            )
        if self._resampler is None:
            return audio, rate_hz
        samples = self._resampler.resample_chunk(np.frombuffer(audio, dtype="<i2"))
        return samples.astype("<i2").tobytes(), RATE_HZ


class EchoCanceller:
    """Takes what is played out of what is heard.

    `played` and `reset` may be called from any thread, `load` and `clean` from one at a time. An
    echo is found by counting: the library is shown one frame that was played for each that was
    heard. While nothing sounds, both are left out, which costs next to nothing; what it has learnt
    of the room stays, because the count goes on where it stood.

    Where nothing comes back (headphones, a device that cancels echo itself) the sound passes as it
    was heard: the library would take most of a voice away that speaks over an answer.
    """

    def __init__(
        self,
        *,
        noise_suppression: bool = False,
        gain_control: bool = False,
        make_processor: MakeProcessor = WebRtcProcessor,
    ) -> None:
        """Choose what else is done to the sound; nothing is loaded yet.

        Args:
            noise_suppression: Take steady noise out.
            gain_control: Make soft voices louder.
            make_processor: Loads the library.
        """
        self._always_works = noise_suppression or gain_control
        self._make_processor = partial(
            make_processor, noise_suppression=noise_suppression, gain_control=gain_control
        )
        self._processor: Processor | None = None
        self._is_stale = False
        self._played = Played()
        self._begin()

    def _begin(self) -> None:
        # Frames played less frames heard: all of them, and those that the library was shown.
        self._lead = self._shown_lead = 0
        # What `_lead` is but for jitter, and what `_shown_lead` is beside it.
        self._usual_lead = self._usual_distance = 0.0
        self._quiet_frames = TAIL_FRAMES
        self._return = EchoReturn()

    def load(self) -> None:
        """Load the library.

        Raises:
            EngineError: It cannot be loaded.
        """
        self._processor = self._make_processor()

    @property
    def is_idle(self) -> bool:
        """Whether nothing that was played can still be heard."""
        return self._quiet_frames >= TAIL_FRAMES

    def reset(self) -> None:
        """Forget the room: a device was opened anew, and the delay is another one."""
        self._is_stale = True

    def played(self, audio: bytes, rate_hz: int) -> None:
        """Take note of what is handed to the speaker, silence too. Returns at once.

        Args:
            audio: 16-bit mono PCM, any length.
            rate_hz: Its rate.
        """
        self._played.add(audio, rate_hz)

    def clean(self, audio: bytes) -> bytes:
        """Return what was heard without what was played.

        Args:
            audio: Whole frames of 10 ms, 16-bit mono PCM at 16 kHz.

        Raises:
            EngineError: The library failed, or is not loaded.
            ValueError: The sound is no whole number of frames.
        """
        if len(audio) % FRAME_BYTES:
            raise ValueError(f"{len(audio)} bytes are no whole number of 10 ms frames")
        if self._processor is None:
            raise EngineError("the echo canceller is not loaded")
        if self._is_stale:
            self._is_stale = False
            self._begin()
            self._processor = self._make_processor()
        cleaned = bytearray()
        try:
            self._show_played(self._processor)
            if self.is_idle:
                self._return.rest(audio, len(audio) / (2 * RATE_HZ))
            for start in range(0, len(audio), FRAME_BYTES):
                frame = bytearray(audio[start : start + FRAME_BYTES])
                self._clean_frame(self._processor, frame)
                cleaned += frame
        except Exception as error:  # the library raises whatever its other side sends
            raise EngineError(f"the echo canceller failed: {error}") from None
        return bytes(cleaned)

    def _show_played(self, processor: Processor) -> None:
        for frame, rate_hz in self._played.take():
            sounds = frame != bytes(len(frame))
            if sounds and self._leaves_out:
                self._catch_up(processor)
            self._quiet_frames = 0 if sounds else self._quiet_frames + 1
            self._lead += 1
            if not self._leaves_out:
                processor.process_reverse(frame, rate_hz)
                self._shown_lead += 1
                self._return.play(frame)

    def _clean_frame(self, processor: Processor, frame: bytearray) -> None:
        self._lead -= 1
        self._usual_lead += FOLLOW * (self._lead - self._usual_lead)
        if not self._leaves_out:
            heard = bytes(frame)
            processor.process(frame, RATE_HZ)
            if self._quiet_frames < LATE_FRAMES:
                self._return.hear(heard)
            if self._return.is_none and not self._always_works:
                frame[:] = heard
            self._shown_lead -= 1
            self._usual_distance = self._shown_lead - (self._lead - self._usual_lead)

    @property
    def _leaves_out(self) -> bool:
        return self.is_idle and not self._always_works

    def _catch_up(self, processor: Processor) -> None:
        """Bring the library's count to where it would stand had it been shown all frames."""
        # Jitter is made up for; what the devices' clocks have drifted meanwhile is not.
        due = round(self._usual_distance + self._lead - self._usual_lead)
        step = due - self._shown_lead
        if abs(step) > LARGEST_STEP:
            return
        for _ in range(step):
            processor.process_reverse(bytearray(FRAME_BYTES), RATE_HZ)
        for _ in range(-step):
            processor.process(bytearray(FRAME_BYTES), RATE_HZ)
        self._shown_lead = due
