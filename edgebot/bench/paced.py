"""A microphone and a speaker that are none, but keep their time: no sound device is needed.

Each has a thread of its own and exchanges sound at the pace of a real device, in pieces of the same
length, so the stages of the pipeline work as they do in a room. What a device and its buffers add
is missing; it is the same for everybody who uses that device.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from edgebot.bench.levels import PIECE_S, first_loud_s
from edgebot.engines.level import level
from edgebot.hw.audio_stream import (
    FRAME_BYTES,
    MICROPHONE_PERIOD_S,
    MICROPHONE_RATE_HZ,
    PATIENT_S,
    SPEAKER_RATE_HZ,
)
from edgebot.hw.mixer import Mixer

_PATIENT_BYTES = 2 * int(PATIENT_S * MICROPHONE_RATE_HZ)


class PacedDevice:
    """Does something every so many seconds until it is closed; all times are `time.monotonic`."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._closing = threading.Event()
        self._called_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="paced device", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._closing.is_set():
            due_s += self._period_s
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._called_s = time.monotonic()
            self.tick(due_s)

    def tick(self, due_s: float) -> None:
        """Exchange one piece, which is due at such a time."""
        raise NotImplementedError

    @property
    def silent_s(self) -> float:
        """Seconds since the last piece."""
        return time.monotonic() - (self._called_s or time.monotonic())

    @property
    def is_running(self) -> bool:
        """Whether a piece was exchanged."""
        return self._called_s is not None

    @property
    def is_lost(self) -> bool:
        """Return False: nothing can be pulled out."""
        return False

    @property
    def is_given_up(self) -> bool:
        """Return False: nobody else wants it."""
        return False

    def close(self) -> None:
        """Stop, and return when the last piece has been exchanged."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()


class PacedMicrophone(PacedDevice):
    """Hears silence, and what is said to it."""

    def __init__(
        self,
        when_audio: Callable[[bytes], object],
        *,
        is_patient: Callable[[], bool] = lambda: False,
    ) -> None:
        """Name who is handed its sound.

        Args:
            when_audio: Called with 20 ms of 16-bit mono PCM at 16 kHz, or several times as much.
            is_patient: Tells whether nobody waits for it, as `MicrophoneStream` wants it.
        """
        super().__init__(MICROPHONE_PERIOD_S)
        self._when_audio = when_audio
        self._is_patient = is_patient
        self._waiting = bytearray()
        self._lock = threading.Lock()
        self._audio, self._end_bytes = b"", 0
        self._ended: Future[float] | None = None

    def say(self, audio: bytes, end_s: float) -> Future[float]:
        """Hear a recording; the result is when the sample sounded that ends at `end_s` of it."""
        with self._lock:
            self._audio, self._end_bytes = audio, 2 * int(end_s * MICROPHONE_RATE_HZ)
            ended: Future[float] = Future()
            self._ended = ended
        return ended

    def tick(self, due_s: float) -> None:
        """Hand 20 ms on, all of which have sounded by now."""
        with self._lock:
            piece, self._audio = self._audio[:FRAME_BYTES], self._audio[FRAME_BYTES:]
            left, self._end_bytes = self._end_bytes, self._end_bytes - FRAME_BYTES
            ended = self._ended if self._end_bytes <= 0 else None
            if ended is not None:
                self._ended = None
        self._waiting += piece.ljust(FRAME_BYTES, b"\0")
        if not self._is_patient() or len(self._waiting) >= _PATIENT_BYTES:
            waiting = bytes(self._waiting)
            self._waiting.clear()
            self._when_audio(waiting)
        if ended is not None:
            ended.set_result(due_s - (FRAME_BYTES - left) / (2 * MICROPHONE_RATE_HZ))


class PacedSpeaker(PacedDevice):
    """Takes what is written to it as fast as it would sound. It plays no chimes."""

    def __init__(self, when_played: Callable[[bytes, int], None] | None = None) -> None:
        """Name who is handed all that sounds, silence too, and its rate."""
        super().__init__(PIECE_S)
        self._when_played = when_played
        self._mixer = Mixer(SPEAKER_RATE_HZ)
        self._frames = int(SPEAKER_RATE_HZ * PIECE_S)
        self.begin()

    def begin(self) -> None:
        """Forget what has sounded."""
        self._levels: list[tuple[float, float]] = []
        self._gaps_s: list[float] = []
        self._has_sounded = False
        self._dry_since_s: float | None = None

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that are written and have not sounded."""
        return self._mixer.waiting_s

    @property
    def gaps_s(self) -> list[float]:
        """How long there was nothing to play each time, though the answer went on."""
        return list(self._gaps_s)

    @property
    def sounded_s(self) -> float:
        """How long something has sounded."""
        return PIECE_S * sum(rms > 0 for _, rms in self._levels)

    def first_sound_s(self, after_s: float) -> float | None:
        """Return when a voice began to sound after a time, or None."""
        return first_loud_s(list(self._levels), after_s)

    def write(self, audio: bytes) -> None:
        """Append 16-bit mono PCM."""
        self._mixer.write(audio)
        dry_since_s, self._dry_since_s = self._dry_since_s, None
        if dry_since_s is not None:
            self._gaps_s.append(time.monotonic() - dry_since_s)
        self._has_sounded = True

    def clear(self) -> None:
        """Throw away what waits: the answer has ended."""
        self._mixer.clear()
        self._has_sounded, self._dry_since_s = False, None

    def hold(self, held: bool) -> None:
        """Keep what waits, or go on."""
        self._mixer.hold(held)

    def chime(self, audio: bytes) -> None:
        """Play nothing: a chime is no answer."""

    def caller(self, audio: bytes) -> None:
        """Play nothing: nobody calls."""

    def set_volume(self, volume: float) -> None:
        """Play as loud as it was made: a volume changes no time."""

    def tick(self, due_s: float) -> None:
        """Let 10 ms sound from now on."""
        if self._has_sounded and self._dry_since_s is None and self.waiting_s < PIECE_S:
            self._dry_since_s = time.monotonic() + self.waiting_s
        piece = self._mixer.take(self._frames)
        self._levels.append((time.monotonic(), level(piece)))
        if self._when_played is not None:
            self._when_played(piece, SPEAKER_RATE_HZ)
