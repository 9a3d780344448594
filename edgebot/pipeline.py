"""The way of the sound through the house: one ordered list."""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMUserAggregator,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from edgebot.stages.echo import Echo
from edgebot.stages.intercom import Intercom
from edgebot.stages.patience import Patience
from edgebot.stages.wake import WakeGate


@dataclass(frozen=True)
class Stages:
    """The stages between the microphone and the speaker, and the context that two of them share.

    None is a stage that a conversation does without.
    """

    echo: Echo | None
    intercom: Intercom | None
    patience: Patience | None
    wake: WakeGate | None
    stt: FrameProcessor
    read_ahead: FrameProcessor | None
    user: LLMUserAggregator
    commands: FrameProcessor | None
    window: FrameProcessor
    llm: FrameProcessor
    spoken_text: FrameProcessor
    tts: FrameProcessor
    assistant: LLMAssistantAggregator
    context: LLMContext


def build_pipeline(transport: BaseTransport, stages: Stages) -> Pipeline:
    """Join the stages between a transport's two ends."""
    way = [
        transport.input(),  # sound in
        stages.echo,  # its own voice is taken out
        stages.intercom,  # while two people talk, it is the caller's
        stages.patience,  # in longer pieces, while nobody waits for it
        stages.wake,  # asleep, nothing passes
        stages.stt,  # sound → words
        stages.read_ahead,  # the language model reads them already
        stages.user,  # voice detection, whose turn it is; words → context
        stages.commands,  # "stop" needs no language model
        stages.window,  # what no longer fits is dropped
        stages.llm,  # context → answer
        stages.spoken_text,  # answer → clauses
        stages.tts,  # clauses → sound
        transport.output(),  # sound out
        stages.assistant,  # what was really spoken → context
    ]
    return Pipeline([stage for stage in way if stage is not None])
