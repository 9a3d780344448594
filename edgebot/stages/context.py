"""What the conversation remembers, and when it is whose turn."""

from __future__ import annotations

from collections.abc import Sequence

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy, TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import (
    UserTurnStrategies,
    default_user_turn_start_strategies,
)

from edgebot.config import Settings
from edgebot.machine import computes_fast
from edgebot.stages import hold
from edgebot.stages.end_of_turn import EagerTurnStop
from edgebot.stages.interruption import voice_params
from edgebot.stages.melody import Melody
from edgebot.stages.smart_turn import SmartTurn
from edgebot.stages.turns import MutedWhileSpeaking, TalkButtonTurnStop, WakefulTurnStart


def new_context(settings: Settings) -> LLMContext:
    """Return a conversation that holds the examples only; the prompt is the language model's."""
    context, assistant = LLMContext(), settings.assistant
    for exchange in assistant.examples:
        context.add_message({"role": "user", "content": assistant.named(exchange.user)})
        context.add_message({"role": "assistant", "content": assistant.named(exchange.assistant)})
    return context


def create(
    settings: Settings,
    context: LLMContext,
    *,
    guard: BaseUserTurnStartStrategy | None = None,
    names: Sequence[str] = (),
) -> LLMContextAggregatorPair:
    """Return the two sides of the context: the user's with the voice detector, the assistant's.

    Args:
        settings: Its section `turn`.
        context: From `new_context`.
        guard: Judges which voice starts a turn (`interruption.create`); None takes every one.
        names: What the assistant is called by.
    """
    turn = settings.turn
    return LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(params=voice_params(turn)),
            user_turn_strategies=UserTurnStrategies(
                start=[
                    WakefulTurnStart(),
                    *([guard] if guard else default_user_turn_start_strategies()),
                ],
                stop=[TalkButtonTurnStop(end_of_turn(settings, names))],
            ),
            user_mute_strategies=[] if turn.interrupt else [MutedWhileSpeaking()],
            # A cough is no question: the model is not asked when nothing was understood.
            empty_user_turn=None,
        ),
    )


def end_of_turn(settings: Settings, names: Sequence[str] = ()) -> BaseUserTurnStopStrategy:
    """Return what decides that the user has finished.

    Args:
        settings: Its section `turn`, and the language.
        names: What the assistant is called by.
    """
    turn = settings.turn
    if turn.end == "smart":
        # Imported here because it brings a second model into memory.
        from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

        return TurnAnalyzerUserTurnStopStrategy(turn_analyzer=LocalSmartTurnAnalyzerV3())
    hears_melody = turn.end == "melody" or (turn.end == "auto" and computes_fast())
    return EagerTurnStop(
        hold_s=hold.create(settings, names).after,
        is_eager=turn.eager,
        start_s=turn.start_s,
        melody=Melody(SmartTurn().completeness) if hears_melody else None,
    )
