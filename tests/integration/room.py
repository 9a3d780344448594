"""A room in which the speaker is heard by the microphone, in simulated time.

All that judges is real: the canceller, the voice detector, the recognizer, Pipecat's own turns.
What sounds is computed: the speaker comes back through the room's response, and a person speaks
into it. A minute of the room takes seconds; the engines' own work takes none of its time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import soxr
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_response_universal import UserTurnStoppedMessage
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from edgebot.config import Settings
from edgebot.frames import HoldFrame
from edgebot.stages import context, interruption
from edgebot.stages.echo import Echo

HEARD_HZ = 16_000
PLAYED_HZ = 24_000
TICK_S = 0.02
# What the speaker's stage keeps in the device, as the real one does.
AHEAD_S = 0.08
# A recognizer takes its time.
TRANSCRIPT_S = 0.2


def response(
    rate_hz: int = HEARD_HZ,
    *,
    level_db: float = -12.0,
    delay_s: float = 0.06,
    decay_s: float = 0.25,
    seed: int = 1,
) -> np.ndarray:
    """Return how a click at the speaker comes back: a delay, the direct sound, a fading room.

    Args:
        rate_hz: The rate of the samples.
        level_db: How loud it is, all in all.
        delay_s: The device's buffers and the way through the air.
        decay_s: In this time the room's sound falls by 60 dB.
        seed: Another one is another room.
    """
    times_s = np.arange(int(decay_s * rate_hz)) / rate_hz
    late = np.random.default_rng(seed).normal(size=len(times_s)) * 10 ** (-3 * times_s / decay_s)
    late[: int(0.002 * rate_hz)] = 0.0
    click = 0.5 * late / np.sqrt((late**2).sum())
    click[0] = 1.0
    click *= 10 ** (level_db / 20) / np.sqrt((click**2).sum())
    return np.concatenate([np.zeros(int(delay_s * rate_hz)), click])


def at_level(samples: np.ndarray, level_db: float) -> np.ndarray:
    """Return speech (-1 to 1) whose loud parts have an RMS of so many dB below full scale."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    rms = np.sqrt((frames**2).mean(axis=1))
    return samples * 10 ** (level_db / 20) / np.sqrt((rms[rms > rms.max() / 10] ** 2).mean())


class Loudspeaker:
    """A device that plays what is written to it, and nothing while it is held."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.is_held = False

    @property
    def waiting_s(self) -> float:
        return len(self._waiting) / (2 * PLAYED_HZ)

    def write(self, audio: bytes) -> None:
        self._waiting += audio

    def clear(self) -> None:
        self._waiting.clear()

    def take(self) -> bytes:
        """Return what sounds in the next tick."""
        size = int(TICK_S * PLAYED_HZ) * 2
        if self.is_held:
            return bytes(size)
        audio = bytes(self._waiting[:size])
        del self._waiting[:size]
        return audio.ljust(size, b"\0")


class SpeakerEnd(BaseOutputTransport):
    """The speaker's stage: held and cleared as the real one is."""

    def __init__(self, speaker: Loudspeaker) -> None:
        super().__init__(
            TransportParams(
                audio_out_enabled=True,
                audio_out_sample_rate=PLAYED_HZ,
                audio_out_end_silence_secs=0,
                audio_out_10ms_chunks=2,
            )
        )
        self._speaker = speaker
        self._interruptions = 0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, HoldFrame):
            self._speaker.is_held = frame.held
        if isinstance(frame, InterruptionFrame):
            self._interruptions += 1
            self._speaker.is_held = False
            self._speaker.clear()
        await super().process_frame(frame, direction)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        interruptions = self._interruptions
        while self._speaker.waiting_s > AHEAD_S:  # noqa: ASYNC110
            await asyncio.sleep(TICK_S / 2)
        if self._interruptions == interruptions:
            self._speaker.write(frame.audio)
        return self._interruptions == interruptions


class MicrophoneEnd(FrameProcessor):
    """The room's clock: each tick the speaker plays and the microphone hears."""

    def __init__(self, speaker: Loudspeaker, echo: Echo | None, click: np.ndarray) -> None:
        super().__init__()
        self._speaker = speaker
        self._echo = echo
        self._click = click
        self._ringing = np.zeros(len(click))
        self._resampler = soxr.ResampleStream(PLAYED_HZ, HEARD_HZ, 1, "float32", "HQ")
        self._at_rate = np.zeros(0)
        self._person = np.zeros(0)
        self._noise = np.random.default_rng(7)
        self._ticking: asyncio.Task[None] | None = None
        self.loud_at: list[float] = []

    def speak(self, samples: np.ndarray) -> None:
        """Let a person speak into the room from now on."""
        self._person = np.concatenate([self._person, samples])

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._ticking = self.create_task(self._tick())

    async def cleanup(self) -> None:
        if self._ticking is not None:
            await self.cancel_task(self._ticking)
            self._ticking = None
        await super().cleanup()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            audio = self._speaker.take()
            if any(audio):
                self.loud_at.append(loop.time())
            if self._echo is not None:
                self._echo.played(audio, PLAYED_HZ)
            await self.push_frame(InputAudioRawFrame(self._heard(audio), HEARD_HZ, 1))

    def _heard(self, audio: bytes) -> bytes:
        played = np.frombuffer(audio, dtype="<i2").astype(np.float32) / 32768
        self._at_rate = np.concatenate([self._at_rate, self._resampler.resample_chunk(played)])
        size = int(TICK_S * HEARD_HZ)
        block, self._at_rate = self._at_rate[:size], self._at_rate[size:]
        block = np.pad(block, (size - len(block), 0))
        ringing = np.pad(self._ringing, (0, size))
        ringing[: size + len(self._click) - 1] += np.convolve(block, self._click)
        heard, self._ringing = ringing[:size], ringing[size:]
        person, self._person = self._person[:size], self._person[size:]
        heard = heard + np.pad(person, (0, size - len(person)))
        heard += self._noise.normal(0.0, 3e-4, size)
        return bytes((np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes())


class Voice(FrameProcessor):
    """Stands where the language model and the voice would stand; an answer is given to it."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)

    async def speak(self, audio: bytes) -> None:
        await self.push_frame(TTSStartedFrame())
        await self.push_frame(TTSAudioRawFrame(audio, PLAYED_HZ, 1))
        await self.push_frame(TTSStoppedFrame())


class Late(FrameProcessor):
    """Hands transcripts on as late as a recognizer would."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)
            return

        async def later() -> None:
            await asyncio.sleep(TRANSCRIPT_S)
            await self.push_frame(frame, direction)

        self.create_task(later())


@dataclass
class Heard:
    """What happened in the room, by its own clock."""

    turns_s: list[float] = field(default_factory=list)
    interruptions_s: list[float] = field(default_factory=list)
    holds_s: list[float] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    transcripts: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Room:
    """A conversation in the room; use it as `async with Room(...) as room`."""

    def __init__(
        self,
        settings: Settings,
        stt: FrameProcessor,
        *,
        echo: Echo | None,
        click: np.ndarray | None = None,
    ) -> None:
        """Put the stages together.

        Args:
            settings: Those of the turn and the guard.
            stt: A recognizer's stage.
            echo: The stage that cancels, or None.
            click: The room's response; None is the usual one.
        """
        self.heard = Heard()
        self._guard = interruption.create(settings, self.heard.troubles.append)
        user, assistant = context.create(settings, context.new_context(settings), guard=self._guard)
        user.add_event_handler("on_user_turn_stopped", self._asked)
        speaker = Loudspeaker()
        self._microphone = MicrophoneEnd(speaker, echo, response() if click is None else click)
        self._voice = Voice()
        self._stopped = asyncio.Event()
        room = self

        class Notes(FrameProcessor):
            async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
                await super().process_frame(frame, direction)
                room.note(frame, direction)
                await self.push_frame(frame, direction)

        stages = [
            self._microphone,
            *([echo] if echo else []),
            stt,
            Late(),
            Notes(),
            user,
            self._voice,
            Notes(),
            SpeakerEnd(speaker),
            assistant,
        ]
        self._worker = PipelineWorker(
            Pipeline(stages),
            params=PipelineParams(audio_in_sample_rate=HEARD_HZ, audio_out_sample_rate=PLAYED_HZ),
            enable_rtvi=False,
            idle_timeout_secs=None,
        )
        self._started = asyncio.Event()

        async def started(worker: PipelineWorker, frame: object) -> None:
            self._started.set()

        self._worker.add_event_handler("on_pipeline_started", started)

    async def _asked(self, _: object, strategy: object, message: UserTurnStoppedMessage) -> None:
        self.heard.questions.append(message.content or "")

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        now = asyncio.get_running_loop().time()
        down = direction is FrameDirection.DOWNSTREAM
        match frame:
            case UserStartedSpeakingFrame() if down:
                self.heard.turns_s.append(now)
            case InterruptionFrame() if down:
                self.heard.interruptions_s.append(now)
            case HoldFrame(held=True):
                self.heard.holds_s.append(now)
            case TranscriptionFrame():
                self.heard.transcripts.append(frame.text)
            case BotStartedSpeakingFrame():
                self._stopped.clear()
            case BotStoppedSpeakingFrame():
                self._stopped.set()

    async def __aenter__(self) -> Room:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        self._running = asyncio.create_task(runner.run())
        await self._started.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._worker.cancel()
        await self._running

    async def begin(self, text: str, audio: bytes) -> None:
        """Let the assistant begin to speak: 16-bit mono PCM at `PLAYED_HZ`."""
        self._stopped.clear()
        if self._guard is not None:
            self._guard.note(text)
        await self._voice.speak(audio)

    async def end(self) -> None:
        """Wait until it is silent, and the room with it."""
        await self._stopped.wait()
        await asyncio.sleep(2.5)

    def speak(self, samples: np.ndarray) -> None:
        """Let a person speak into the room from now on (-1 to 1, 16 kHz)."""
        self._microphone.speak(samples)

    def silent_from(self, after: float) -> float:
        """Return when the speaker fell silent for a tenth of a second after a time."""
        loud = [at for at in self._microphone.loud_at if at >= after]
        last = after
        for at in loud:
            if at - last > 0.1:
                break
            last = at
        return last
