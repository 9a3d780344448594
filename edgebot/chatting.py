"""A conversation by text: the same context and language model, without speech."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from pipecat.frames.frames import ErrorFrame, Frame, LLMMessagesAppendFrame, LLMTextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.aggregators.llm_context import LLMContextMessage
from pipecat.processors.aggregators.llm_response_universal import (
    AssistantTurnStoppedMessage,
    LLMContextAggregatorPair,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from edgebot.app import START_TIMEOUT_S, load_engine
from edgebot.config import Settings
from edgebot.errors import EngineError
from edgebot.stages import context, context_window
from edgebot.stages.read_ahead import read_opening


class TextTap(FrameProcessor):
    """Hands every piece of an answer to a function."""

    def __init__(self) -> None:
        super().__init__()
        self.when_text: Callable[[str], object] = lambda text: None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Show a piece of text; pass everything on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self.when_text(frame.text)
        await self.push_frame(frame, direction)


class TextConversation:
    """Questions and answers as text; see `start`."""

    def __init__(self, worker: PipelineWorker, tap: TextTap) -> None:
        self._worker = worker
        self._tap = tap
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._running: asyncio.Task[None]
        self._fault = "it ended"

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, settings: Settings, *, when_note: Callable[[str], None] = lambda text: None
    ) -> AsyncIterator[TextConversation]:
        """Load the language model and converse until the block ends."""
        make_llm, notes = await load_engine("llm", settings)
        for note in notes:
            when_note(note)
        memory = context.new_context(settings)
        llm, tap = make_llm(), TextTap()
        await read_opening(llm, memory)
        user, assistant = LLMContextAggregatorPair(memory)
        window = context_window.create(llm, memory, settings.llm.context_tokens)
        worker = PipelineWorker(
            Pipeline([user, window, llm, tap, assistant]),
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
            enable_rtvi=False,
            idle_timeout_secs=None,
            processor_unusable_policy=ProcessorUnusablePolicy.CANCEL,
            setup_timeout_secs=START_TIMEOUT_S,
        )
        self = cls(worker, tap)

        async def answered(_: object, message: AssistantTurnStoppedMessage) -> None:
            self._answers.put_nowait(message.content)

        async def failed(_: object, frame: ErrorFrame) -> None:
            self._fault = frame.error
            if frame.processor is None or frame.processor.is_usable:
                when_note(f"There is no answer: {frame.error}.")

        assistant.add_event_handler("on_assistant_turn_stopped", answered)
        worker.add_event_handler("on_pipeline_error", failed)
        runner = WorkerRunner(handle_sigterm=True)
        await runner.add_workers(worker)
        self._running = asyncio.create_task(runner.run())
        try:
            yield self
        finally:
            await worker.cancel()
            await self._running

    async def ask(
        self, question: str, *, when_text: Callable[[str], object] = lambda text: None
    ) -> str:
        """Return the answer to a question.

        Args:
            question: What the user says.
            when_text: Called with each piece of the answer as it comes.

        Raises:
            EngineError: The language model stopped working.
        """
        self._tap.when_text = when_text
        message: LLMContextMessage = {"role": "user", "content": question.strip()}
        await self._worker.queue_frame(LLMMessagesAppendFrame([message], run_llm=True))
        answer = asyncio.create_task(self._answers.get())
        await asyncio.wait([answer, self._running], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise EngineError(f"The conversation cannot go on: {self._fault}.")
        return answer.result()
