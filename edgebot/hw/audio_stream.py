"""An open microphone and an open speaker.

PortAudio calls back from a thread of its own, so that no write ever blocks: a device that stops is
a growing `silent_s`, not a hung program. Each device runs at its own rate; soxr converts. By
measurement its converter holds sound back by 11 ms on average at quality LQ and by 21 ms at MQ and
HQ, at equal cost; LQ loses what lies above 80 % of the band. So a microphone, whose recognizer
wants the whole band, has MQ, and a speaker at 44.1 kHz LQ: 5 ms, for sound that ends below 18 kHz.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
import soxr

from edgebot.hw.audio_device import AudioDevice, Kind
from edgebot.hw.freshness import Freshness
from edgebot.hw.mixer import Mixer
from edgebot.hw.port_audio import Handle, PortAudio

MICROPHONE_RATE_HZ = 16_000
# Most devices' own rate: only the others cost a conversion.
SPEAKER_RATE_HZ = 48_000
# A short period is a short way to silence; a microphone has time, and callbacks cost something.
SPEAKER_PERIOD_S = 0.01
MICROPHONE_PERIOD_S = 0.02
FRAME_BYTES = int(MICROPHONE_RATE_HZ * MICROPHONE_PERIOD_S) * 2
# While nobody waits for it, so much sound goes its way at once: a piece costs more on its way than
# for what is in it.
PATIENT_S = 0.1


class AudioStream:
    """What a microphone and a speaker have in common; closes at the end of a `with` block."""

    def __init__(self, library: PortAudio, kind: Kind, wanted: str | int, period_s: float) -> None:
        self._called_at: float | None = None
        self._opened_at = time.monotonic()
        self._handle = library.open(kind, wanted, period_s, self._called)
        self._opened_at = time.monotonic()

    @property
    def device(self) -> AudioDevice:
        """What was opened."""
        return self._handle.device

    @property
    def silent_s(self) -> float:
        """Seconds since the device last asked for sound, or delivered some."""
        return time.monotonic() - (self._called_at or self._opened_at)

    @property
    def is_running(self) -> bool:
        """Whether the device has asked for sound, or delivered some, since it was opened."""
        return self._called_at is not None

    @property
    def is_lost(self) -> bool:
        """Whether the device is known to have gone; one that is frozen is not."""
        return not self._handle.is_active

    @property
    def is_given_up(self) -> bool:
        """Whether it was closed so that PortAudio can look for another device."""
        return self._handle.is_given_up

    def _called(self, handle: Handle, sound: bytes | None, frames: int) -> bytes | None:
        self._called_at = time.monotonic()
        return self._exchange(handle, sound, frames)

    def _exchange(self, handle: Handle, sound: bytes | None, frames: int) -> bytes | None:
        raise NotImplementedError

    def close(self) -> None:
        """Give the device back; one that does not answer any more is left behind."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MicrophoneStream(AudioStream):
    """Hands on what a microphone hears.

    Attributes:
        stale: How many pieces came so late that they were thrown away.
    """

    def __init__(
        self,
        library: PortAudio,
        wanted: str | int,
        when_audio: Callable[[bytes], None],
        *,
        is_patient: Callable[[], bool] = lambda: False,
    ) -> None:
        """Open a microphone.

        Args:
            library: Opens it.
            wanted: A name, a part of one, an index, or "default".
            when_audio: Called in PortAudio's thread with 20 ms of 16-bit mono PCM at 16 kHz; with
                several times as much while nobody waits for it.
            is_patient: Tells, in that thread, whether nobody does.

        Raises:
            DeviceError: It cannot be opened.
        """
        self.stale = 0
        self._when_audio = when_audio
        self._is_patient = is_patient
        self._freshness = Freshness()
        self._raw = bytearray()
        self._converter: soxr.ResampleStream | None = None
        self._ready = bytearray()
        super().__init__(library, "microphone", wanted, MICROPHONE_PERIOD_S)

    def _exchange(self, handle: Handle, sound: bytes | None, frames: int) -> bytes | None:
        if not sound:
            return None
        if not self._freshness.is_live(time.monotonic(), frames / handle.rate_hz):
            self.stale += 1
            # What was heard before the gap is no part of what comes after it.
            self._converter = None
            self._raw.clear()
            self._ready.clear()
            return None
        self._raw += sound
        is_patient = self._is_patient()
        waits_s = len(self._raw) / (2 * handle.channels * handle.rate_hz)
        if not is_patient or waits_s >= PATIENT_S:
            self._ready += self._converted(handle, bytes(self._raw))
            self._raw.clear()
            self._hand_on(in_one=is_patient)
        return None

    def _hand_on(self, *, in_one: bool) -> None:
        while whole := len(self._ready) // FRAME_BYTES * FRAME_BYTES:
            size = whole if in_one else FRAME_BYTES
            self._when_audio(bytes(self._ready[:size]))
            del self._ready[:size]

    def _converted(self, handle: Handle, sound: bytes) -> bytes:
        samples = np.frombuffer(sound, dtype="<i2")
        if handle.channels > 1:
            samples = samples.reshape(-1, handle.channels).mean(axis=1).astype("<i2")
        if handle.rate_hz == MICROPHONE_RATE_HZ:
            return bytes(samples.tobytes())
        if self._converter is None:
            self._converter = soxr.ResampleStream(
                handle.rate_hz, MICROPHONE_RATE_HZ, 1, dtype="int16", quality="MQ"
            )
        return bytes(self._converter.resample_chunk(samples).tobytes())


class SpeakerStream(AudioStream):
    """Plays what is written to it, and silence when there is nothing.

    A device that is never still cuts off no first syllable, and its callbacks show that it lives.
    """

    def __init__(
        self,
        library: PortAudio,
        wanted: str | int,
        *,
        rate_hz: int = SPEAKER_RATE_HZ,
        volume: float = 1.0,
        when_played: Callable[[bytes, int], None] | None = None,
    ) -> None:
        """Open a speaker.

        Args:
            library: Opens it.
            wanted: A name, a part of one, an index, or "default".
            rate_hz: The rate of what is written, whatever the device's own.
            volume: Of everything, 0.0 to 1.0.
            when_played: Called in PortAudio's thread with all that is handed to the device,
                silence too, as 16-bit mono PCM, and its rate.

        Raises:
            DeviceError: It cannot be opened.
        """
        self._mixer = Mixer(rate_hz, volume)
        self._when_played = when_played
        self._converter: soxr.ResampleStream | None = None
        self._ready = bytearray()
        super().__init__(library, "speaker", wanted, SPEAKER_PERIOD_S)

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that are written and not yet handed to the device."""
        return self._mixer.waiting_s

    def write(self, audio: bytes) -> None:
        """Append 16-bit mono PCM; returns at once."""
        self._mixer.write(audio)

    def clear(self) -> None:
        """Throw away what waits: silence follows within a period or two."""
        self._mixer.clear()

    def hold(self, held: bool) -> None:
        """Fade out and keep what waits, for no more than 5 s; or go on with it."""
        self._mixer.hold(held)

    def chime(self, audio: bytes) -> None:
        """Play 16-bit mono PCM over whatever sounds."""
        self._mixer.chime(audio)

    def caller(self, audio: bytes) -> None:
        """Play a caller's 16-bit mono PCM, as it comes, over whatever sounds."""
        self._mixer.caller(audio)

    def set_volume(self, volume: float) -> None:
        """Set how loud everything is, 0.0 to 1.0."""
        self._mixer.set_volume(volume)

    def _exchange(self, handle: Handle, sound: bytes | None, frames: int) -> bytes | None:
        if handle.rate_hz == self._mixer.rate_hz:
            mono = self._take(frames)
        else:
            mono = self._take_converted(handle.rate_hz, frames)
        if handle.channels == 1:
            return mono
        return bytes(np.repeat(np.frombuffer(mono, dtype="<i2"), handle.channels).tobytes())

    def _take(self, frames: int) -> bytes:
        audio = self._mixer.take(frames)
        if self._when_played is not None:
            self._when_played(audio, self._mixer.rate_hz)
        return audio

    def _take_converted(self, rate_hz: int, frames: int) -> bytes:
        if self._converter is None:
            self._converter = soxr.ResampleStream(
                self._mixer.rate_hz, rate_hz, 1, dtype="int16", quality="LQ"
            )
        piece = int(self._mixer.rate_hz * SPEAKER_PERIOD_S)
        while len(self._ready) < 2 * frames:
            samples = np.frombuffer(self._take(piece), dtype="<i2")
            self._ready += self._converter.resample_chunk(samples).tobytes()
        audio = bytes(self._ready[: 2 * frames])
        del self._ready[: 2 * frames]
        return audio
