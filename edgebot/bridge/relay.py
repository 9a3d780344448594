"""Carries one call between a transport with a network and the engine's socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.workers.runner import WorkerRunner

from edgebot.bridge.crowd import Rate
from edgebot.stages.wire import Wire, WireError, own_message

# Both directions of the wire; the transports resample to what their network wants.
HEARD_HZ = 16_000
SPOKEN_HZ = 24_000
# How long a caller may take to be there once they were answered.
COMES_WITHIN_S = 15.0
LOOKS_EVERY_S = 2.0
GONE_AFTER_S = 10.0
MOST_MESSAGES_A_SECOND = 100
RTVI_LABEL = "rtvi-ai"


def relay_params() -> TransportParams:
    """Return what the transport of a relayed call is told: the engine paces and ends the sound."""
    return TransportParams(
        audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0
    )


class EngineLink(FrameProcessor):
    """Stands where a pipeline has its stages: what comes goes to the engine, and the other way."""

    def __init__(self, wire: Wire, when_over: Callable[[], None]) -> None:
        """Take the wire.

        Args:
            wire: To the engine, which has answered that it is ready.
            when_over: Called once when the engine is gone, or the client sends too much.
        """
        super().__init__()
        self._wire = wire
        self._when_over = when_over
        self._rate = Rate(MOST_MESSAGES_A_SECOND, 1.0)
        self._reading: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Send sound and RTVI messages to the engine; pass all else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._send(
                OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
            )
        elif isinstance(frame, InputTransportMessageFrame):
            await self._take(frame)
        else:
            await self.push_frame(frame, direction)
            if isinstance(frame, StartFrame):
                self._reading = self.create_task(self._read())

    async def cleanup(self) -> None:
        """Hang up at the engine."""
        await super().cleanup()
        if self._reading is not None:
            await self.cancel_task(self._reading)
            self._reading = None
        await self._wire.close()

    async def _take(self, frame: InputTransportMessageFrame) -> None:
        message = frame.message
        if not self._rate.takes():
            self._when_over()
        elif isinstance(message, dict) and message.get("label") == RTVI_LABEL:
            # None of the two processes' own messages comes from a client.
            rtvi = {key: message[key] for key in ("id", "label", "type", "data") if key in message}
            await self._send(OutputTransportMessageUrgentFrame(message=rtvi))

    async def _send(self, frame: Frame) -> None:
        try:
            await self._wire.send(frame)
        except WireError as error:
            logger.debug(f"Not sent to the engine: {error}")
            if self._wire.is_closed:
                self._when_over()

    async def _read(self) -> None:
        try:
            while True:
                await self._give(await self._wire.receive())
        except WireError:
            self._when_over()

    async def _give(self, frame: Frame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(
                OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
            )
        elif isinstance(frame, InterruptionFrame):
            await self.push_frame(InterruptionFrame())
        elif isinstance(frame, InputTransportMessageFrame) and own_message(frame) is None:
            await self.push_frame(OutputTransportMessageUrgentFrame(message=frame.message))


class Relay:
    """One call, from its answer until somebody hangs up."""

    def __init__(
        self,
        transport: BaseTransport,
        wire: Wire,
        *,
        longest_s: float,
        comes_within_s: float | None = None,
        is_connected: Callable[[], bool] = lambda: True,
        is_empty: Callable[[], bool] = lambda: True,
    ) -> None:
        """Join the two.

        Args:
            transport: Where the caller is.
            wire: To the engine, which has answered that it is ready.
            longest_s: Then it hangs up.
            comes_within_s: How long the first caller may take, if it is not the usual.
            is_connected: Tells whether the caller is still there, for one who goes without a word.
            is_empty: Tells, when somebody has left, whether nobody else is there.
        """
        self._transport, self._wire = transport, wire
        self._longest_s, self._is_connected = longest_s, is_connected
        self._comes_within_s, self._is_empty = comes_within_s, is_empty
        self._there, self._over = asyncio.Event(), asyncio.Event()
        self._worker = PipelineWorker(
            Pipeline([transport.input(), EngineLink(wire, self._over.set), transport.output()]),
            params=PipelineParams(audio_in_sample_rate=HEARD_HZ, audio_out_sample_rate=SPOKEN_HZ),
            enable_rtvi=False,
            idle_timeout_secs=None,
        )
        transport.add_event_handler("on_client_connected", self._came)
        transport.add_event_handler("on_client_disconnected", self._left)

    def hang_up(self) -> None:
        """End the call."""
        self._over.set()

    async def run(self) -> None:
        """Carry the call until it is over; then nothing of it is left."""
        runner = WorkerRunner(handle_sigint=False, force_gc=True)
        await runner.add_workers(self._worker)
        running = asyncio.create_task(runner.run())
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wait([running, watching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            if not running.done():
                await self._worker.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self._wire.close()

    async def _watch(self) -> None:
        """Return when the call is over, or should be."""
        comes_within_s = COMES_WITHIN_S if self._comes_within_s is None else self._comes_within_s
        if not await self._is_over_in(comes_within_s, or_there=True) and self._there.is_set():
            loop = asyncio.get_running_loop()
            began = seen = loop.time()
            while not await self._is_over_in(LOOKS_EVERY_S):
                now = loop.time()
                seen = now if self._is_connected() else seen
                if now - seen > GONE_AFTER_S:
                    return
                if now - began > self._longest_s:
                    await self._say_goodbye()
                    return

    async def _is_over_in(self, seconds: float, *, or_there: bool = False) -> bool:
        events = [self._over, self._there] if or_there else [self._over]
        waiting = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return self._over.is_set()

    async def _say_goodbye(self) -> None:
        minutes = max(1, round(self._longest_s / 60))
        longest = "a minute" if minutes == 1 else f"{minutes} minutes"
        text = f"A call lasts no longer than {longest}. You may call again."
        error = {"error": text, "fatal": True}
        await self._worker.queue_frames(
            [
                OutputTransportMessageUrgentFrame(
                    message={"label": RTVI_LABEL, "type": "error", "data": error}
                ),
                EndFrame(),
            ]
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), 1.0)

    async def _came(self, transport: object, client: object) -> None:
        if not self._there.is_set():
            self._there.set()
            with contextlib.suppress(WireError):
                await self._wire.tell("connected")

    async def _left(self, transport: object, client: object) -> None:
        if self._is_empty():
            self._over.set()
