"""An interview with Pipecat Flows: five questions, the answers kept, a summary at the end.

    python examples/interview.py -t webrtc

Each question is a node of the flow. A small model would not call functions reliably, so that the
next node follows from the end of an answer, and nothing is left to the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from pipecat.flows import FlowManager, NodeConfig
from pipecat.frames.frames import Frame, LLMContextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport

from edgebot.bot import main, run_bot, transport_params
from edgebot.call import Call
from edgebot.pipeline import Stages

QUESTIONS = (
    ("name", "What is your name?"),
    ("place", "Where do you live?"),
    ("work", "What do you do?"),
    ("food", "What do you like to eat?"),
    ("wish", "What do you wish for?"),
)
SUMMARY = (
    "Thank you, {{ name }}. You live in {{ place }}, you do {{ work }}, "
    "you like {{ food }}, and you wish for {{ wish }}. Goodbye."
)


def question_node(number: int) -> NodeConfig:
    """Return the node that asks a question and waits for its answer."""
    key, question = QUESTIONS[number]
    return NodeConfig(
        name=key,
        task_messages=[],
        pre_actions=[{"type": "tts_say", "text": question}],
        respond_immediately=False,
    )


def summary_node() -> NodeConfig:
    """Return the node that says what was answered, and ends."""
    return NodeConfig(
        name="summary",
        task_messages=[],
        pre_actions=[{"type": "tts_say", "text": SUMMARY}, {"type": "end_conversation"}],
        respond_immediately=False,
    )


class Answers(FrameProcessor):
    """Takes each answer before it reaches the language model."""

    def __init__(self, when_answer: Callable[[str], None]) -> None:
        """Name who is told.

        Args:
            when_answer: Called with each answer.
        """
        super().__init__()
        self._when_answer = when_answer

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand an answer over; pass all else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            message = frame.context.get_messages()[-1]
            self._when_answer(str(message["content"]) if isinstance(message, dict) else "")
        else:
            await self.push_frame(frame, direction)


class Interview:
    """The flow of one call."""

    def __init__(self) -> None:
        self._stages: Stages
        self._flow: FlowManager
        self._number = 0
        self._going_on: set[asyncio.Task[None]] = set()

    @property
    def answers(self) -> dict[str, str]:
        """What was answered until now."""
        return {key: self._flow.state[key] for key, _ in QUESTIONS if key in self._flow.state}

    def change(self, stages: Stages) -> Stages:
        """Put the taker of answers before the language model."""
        self._stages = replace(stages, window=Pipeline([Answers(self._when_answer), stages.window]))
        return self._stages

    def begin(self, call: Call) -> None:
        """Ask the first question when the caller is there."""
        stages = self._stages
        self._flow = FlowManager(
            worker=call.conversation.worker,
            llm=stages.llm,  # type: ignore[arg-type]
            context_aggregator=stages.user,
        )

        async def came(*_: object) -> None:
            await self._flow.initialize(question_node(0))

        call.transport.add_event_handler("on_client_connected", came)

    def _when_answer(self, text: str) -> None:
        if self._number < len(QUESTIONS):
            self._flow.state[QUESTIONS[self._number][0]] = text.strip(" .")
            self._number += 1
            is_over = self._number == len(QUESTIONS)
            node = summary_node() if is_over else question_node(self._number)
            # The flow waits for what it says: not in the pipeline, which would wait for itself.
            task = asyncio.create_task(self._flow.set_node_from_config(node))
            self._going_on.add(task)
            task.add_done_callback(self._going_on.discard)


async def bot(runner_args: RunnerArguments) -> None:
    """Interview one caller."""
    transport = await create_transport(runner_args, transport_params)
    interview = Interview()
    await run_bot(transport, runner_args, change=interview.change, when_call=interview.begin)


if __name__ == "__main__":
    main()
