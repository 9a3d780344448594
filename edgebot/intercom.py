"""A call for whoever is beside the box: it rings, they take it, and the two talk through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

import numpy as np
import soxr
from loguru import logger
from pipecat.frames.frames import EndFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from edgebot.config import Settings
from edgebot.control import Control
from edgebot.stages.intercom import RATE_HZ, Caller, Intercom
from edgebot.stages.socket import SocketTransport
from edgebot.stages.wire import Wire

RINGS_EVERY_S = 3.0

MUTED = "Whoever is beside the box has closed its microphone and takes no calls."
BROKEN = "The microphone or the speaker of the box does not work, so nobody can be called there."


class News(StrEnum):
    """What a caller is told, as `state` in a message of the type `intercom`."""

    RINGING = "ringing"
    TAKEN = "taken"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    OVER = "over"


TEXTS = {
    News.RINGING: "The box rings.",
    News.TAKEN: "You are put through.",
    News.REFUSED: "Your call was refused.",
    News.UNANSWERED: "Nobody has answered.",
    News.OVER: "The other side has hung up.",
}


class Handset:
    """The box as a telephone: its panel, its microphone and its speaker, for one call at a time."""

    def __init__(
        self,
        control: Control,
        stage: Intercom,
        play: Callable[[bytes], None],
        speaker_rate_hz: int,
        is_broken: Callable[[], bool] = lambda: False,
    ) -> None:
        """Join the parts.

        Args:
            control: Rings, and knows what a hand does.
            stage: Has the microphone's sound, without an echo.
            play: Plays 16-bit mono PCM over whatever sounds.
            speaker_rate_hz: The rate of what is played.
            is_broken: Tells whether the microphone or the speaker fails.
        """
        self.control = control
        self._stage = stage
        self._play = play
        self._speaker_rate_hz = speaker_rate_hz
        self._is_broken = is_broken
        self._is_ringing = self._is_open = False

    def why_not(self) -> str | None:
        """Return in one sentence why it cannot ring now; None where it can."""
        if self.control.is_muted:
            return MUTED
        return BROKEN if self._is_broken() else None

    def ring(self, answer: Callable[[bool], None]) -> None:
        """Ask whoever is beside the box; `answer` is called with whether they take the call."""
        self._is_ringing = True
        self.control.ring_begins(answer)

    def open(self, when_sound: Callable[[bytes], None], hang_up: Callable[[], None]) -> None:
        """Put the caller through.

        Args:
            when_sound: Called with the microphone's sound, 16-bit mono PCM at 16 kHz.
            hang_up: Called when the person beside the box ends the call.
        """
        self._resampler = soxr.ResampleStream(
            RATE_HZ, self._speaker_rate_hz, 1, dtype="int16", quality="MQ"
        )
        self._stage.when_sound = when_sound
        self._is_ringing, self._is_open = False, True
        self.control.intercom_begins(hang_up)

    def play(self, audio: bytes) -> None:
        """Play the caller's sound, 16-bit mono PCM at 16 kHz, while they are put through."""
        if self._is_open:
            samples = np.frombuffer(audio, dtype="<i2")
            self._play(self._resampler.resample_chunk(samples).tobytes())

    def close(self) -> None:
        """Leave the box to the assistant again."""
        was_ringing, was_open = self._is_ringing, self._is_open
        self._is_ringing = self._is_open = False
        self._stage.when_sound = lambda audio: None
        if was_ringing:
            self.control.ring_ends()
        elif was_open:
            self.control.intercom_ends()


def intercom_params() -> TransportParams:
    """Return what the transport of a caller is told: what two people say has no end of its own."""
    return TransportParams(
        audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0
    )


class IntercomCall:
    """One caller who wants whoever is beside the box; RTVI tells their client what happens."""

    def __init__(
        self, settings: Settings, transport: SocketTransport, wire: Wire, handset: Handset
    ) -> None:
        """Build the caller's own pipeline, which has no engines.

        Args:
            settings: How long it rings.
            transport: Where the caller is.
            wire: Of this transport.
            handset: Of the box.
        """
        self._ring_s = settings.bridge.ring_s
        self._handset = handset
        self._caller = Caller(wire, handset.play)
        self._came = asyncio.Event()
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._is_over = False
        self._worker = PipelineWorker(
            Pipeline([transport.input(), self._caller, transport.output()]),
            params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
            enable_rtvi=True,
            idle_timeout_secs=None,
        )
        transport.add_event_handler("on_client_connected", self._comes)
        transport.add_event_handler("on_client_disconnected", self._leaves)

    async def run(self) -> None:
        """Ring, and carry the call until somebody hangs up; then nothing of it is left."""
        runner = WorkerRunner(handle_sigint=False, handle_sigterm=False, force_gc=True)
        await runner.add_workers(self._worker)
        telephoning = asyncio.create_task(self._telephone())
        try:
            if not self._is_over:
                await runner.run()
        finally:
            self._is_over = True
            telephoning.cancel()
            await asyncio.gather(telephoning, return_exceptions=True)

    async def hang_up(self) -> None:
        """End the call at once."""
        if not self._is_over:
            self._is_over = True
            await self._worker.cancel()

    async def _telephone(self) -> None:
        await self._came.wait()
        try:
            if text := self._handset.why_not():
                await self._tell(News.REFUSED, text)
            else:
                await self._ring_and_talk()
        except Exception as error:  # nobody is to wait for what does not come
            logger.error(f"A call ended with a fault: {error!r}")
        finally:
            self._handset.close()
        # What was told arrives first.
        await self._worker.queue_frame(EndFrame())

    async def _ring_and_talk(self) -> None:
        self._handset.ring(lambda t: self._news.put_nowait(News.TAKEN if t else News.REFUSED))
        await self._tell(News.RINGING)
        answer = await self._answer()
        if answer is News.TAKEN:
            self._handset.open(self._caller.hear, lambda: self._news.put_nowait(News.OVER))
            await self._tell(News.TAKEN)
            # A second tap says the same again.
            while answer is not News.OVER:
                answer = await self._news.get()
        await self._tell(answer)

    async def _answer(self) -> News:
        ringing = asyncio.create_task(self._ring_again())
        try:
            return await asyncio.wait_for(self._news.get(), self._ring_s)
        except TimeoutError:
            return News.UNANSWERED
        finally:
            ringing.cancel()

    async def _ring_again(self) -> None:
        while True:
            self._handset.control.ring_again()
            await asyncio.sleep(RINGS_EVERY_S)

    async def _tell(self, news: News, text: str | None = None) -> None:
        told = {"type": "intercom", "state": news.value, "text": text or TEXTS[news]}
        await self._worker.rtvi.send_server_message(told)

    async def _comes(self, transport: object, client: object) -> None:
        self._came.set()

    async def _leaves(self, transport: object, client: object) -> None:
        await self.hang_up()
