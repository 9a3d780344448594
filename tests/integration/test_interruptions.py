"""A person who speaks into everything: two hundred interruptions of the whole pipeline.

All stages are the real ones but speech to text: the words of a turn come as a recognizer would
bring them, so that a turn takes no longer than the interruption wants it to.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence

import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)

from edgebot.app import assemble, load_engines
from edgebot.config import Settings
from tests.conftest import likeness
from tests.integration.talk import Cleared, Talk, Written

TIMES = 200
QUESTIONS = (
    "Tell me a story about a king.",
    "What do bees do all day?",
    "Why is the sky blue?",
    "Count from one to twenty.",
    "What is a volcano?",
)
FRANCE = "What is the capital of France?"


Event = Frame | Written | Cleared


def turns(events: Sequence[Event]) -> list[list[Event]]:
    """Cut what came past a place at every interruption."""
    cut: list[list[Event]] = [[]]
    for event in events:
        if isinstance(event, InterruptionFrame):
            cut.append([])
        cut[-1].append(event)
    return cut


def assert_the_voice_is_silent_between_turns(cut: list[list[Event]]) -> int:
    """Check that nothing of a turn leaves the voice after the next one began.

    Returns:
        In how many turns something left it.
    """
    seen: set[str | None] = set()
    for turn in cut:
        contexts = {f.context_id for f in turn if isinstance(f, TTSAudioRawFrame | TTSTextFrame)}
        assert contexts.isdisjoint(seen)
        assert len(contexts) <= 1
        seen |= contexts
        assert_silent_until_answered(turn, (TTSAudioRawFrame, TTSTextFrame))
    return len(seen)


def assert_the_speaker_is_silent_between_turns(cut: list[list[Event]]) -> int:
    """Check that nothing of a turn stays in the speaker when the next one began.

    Returns:
        In how many turns it was handed some sound.
    """
    for turn in cut:
        # The speaker is cleared once more when the interruption has passed; what came until then
        # is gone. Later ones belong to the next interruption.
        cleared = (at for at, event in enumerate(turn) if isinstance(event, Cleared))
        assert_silent_until_answered(turn[next(cleared, 0) :], (Written, TTSTextFrame))
    return sum(any(isinstance(event, Written) for event in turn) for turn in cut)


def assert_silent_until_answered(turn: list[Event], kinds: tuple[type, ...]) -> None:
    started = (at for at, event in enumerate(turn) if isinstance(event, LLMFullResponseStartFrame))
    assert not any(isinstance(event, kinds) for event in turn[: next(started, len(turn))])


@pytest.mark.skipif(
    "EDGEBOT_SOAK" not in os.environ,
    reason="more than a minute of an undisturbed processor: EDGEBOT_SOAK=1 runs it",
)
async def test_two_hundred_interruptions(
    make_settings: Callable[..., Settings], log: list[str]
) -> None:
    settings = make_settings("turn.hold_s=0.0", "llm.max_sentences=4")
    stages = await assemble(settings, await load_engines(settings))
    rng = random.Random(11)
    async with Talk(settings, stages) as talk:
        for _ in range(TIMES):
            here = len(talk.spoken.frames), len(talk.played.frames)
            await talk.say(rng.choice(QUESTIONS))
            # Some turns are interrupted before anything has come of them, some while it writes,
            # some while the voice works and some while it is heard.
            match rng.choice("nnnnwwwwvs"):
                case "w":
                    await talk.spoken.wait_for(LLMFullResponseStartFrame, after=here[0])
                case "v":
                    await talk.spoken.wait_for(TTSAudioRawFrame, after=here[0])
                case "s":
                    await talk.played.wait_for(OutputAudioRawFrame, after=here[1])
            await asyncio.sleep(rng.uniform(0.0, 0.08))
        said = await talk.ask(FRANCE)
    spoken, played = turns(talk.spoken.frames), turns(talk.events)
    begun = assert_the_voice_is_silent_between_turns(spoken)
    heard = assert_the_speaker_is_silent_between_turns(played)
    print(f"{TIMES} interruptions; the voice had begun in {begun} turns, the speaker in {heard}")
    assert log == []
    assert len(spoken) == len(played) == TIMES + 2
    assert heard > TIMES / 20
    assert begun < TIMES
    assert "Paris" in said
    # The last answer's sound is whole, and nobody else's.
    assert likeness(" ".join(f.text for f in spoken[-1] if isinstance(f, TTSTextFrame)), said) == 1
    # What is remembered are the questions, and behind each as much of its answer as was spoken.
    remembered = stages.context.messages
    assert remembered[-1] == {"role": "assistant", "content": said}
    assert remembered[-2]["content"].endswith(FRANCE)
    assert {message["role"] for message in remembered} == {"user", "assistant"}
