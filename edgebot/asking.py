"""A conversation by recordings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgebot.app import Conversation, assemble, load_engines, unless_ended
from edgebot.config import Settings
from edgebot.errors import AudioFileError
from edgebot.observe.turns import Turn, TurnObserver
from edgebot.stages.recording import Recording, RecordingTransport

ANSWER_RATE_HZ = 24_000
# How long after a recording somebody may still be heard to begin or end speaking.
_PATIENCE_S = 8.0


@dataclass(frozen=True)
class Answer:
    """A turn, and its answer as 16-bit mono PCM."""

    turn: Turn
    audio: bytes
    rate_hz: int = ANSWER_RATE_HZ

    def describe(self) -> dict[str, Any]:
        """Return what a program would read."""
        times = {stage: round(seconds, 3) for stage, seconds in self.turn.times_s.items()}
        return {
            "heard": self.turn.heard,
            "said": self.turn.said,
            "answer_s": round(len(self.audio) / (2 * self.rate_hz), 3),
            "times_s": times,
        }


async def ask_recordings(
    settings: Settings,
    recordings: Sequence[Recording],
    *,
    when_note: Callable[[str], None] = lambda text: None,
    when_answer: Callable[[Answer], None] = lambda answer: None,
) -> list[Answer]:
    """Play recordings to the assistant, one after the other's answer, and return the answers.

    Raises:
        AudioFileError: Nobody speaks in a recording, or no word is understood.
        EdgebotError: A model or an engine cannot be used.
    """
    answers = []
    async with Questioner.start(settings, when_note=when_note) as questioner:
        for recording in recordings:
            answer = await questioner.ask(recording)
            when_answer(answer)
            answers.append(answer)
    return answers


class Questioner:
    """Holds a conversation with recordings; see `start`."""

    def __init__(self) -> None:
        self.turns = TurnObserver(when_heard=self._when_heard, when_said=self._when_said)
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._said: asyncio.Queue[Turn] = asyncio.Queue()
        self._ready = asyncio.Event()
        self.transport = RecordingTransport(rate_hz=ANSWER_RATE_HZ)
        self.conversation: Conversation
        self._running: asyncio.Task[None]

    def _when_heard(self, text: str) -> None:
        self._heard.put_nowait(text)

    def _when_said(self, turn: Turn) -> None:
        self._said.put_nowait(turn)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, settings: Settings, *, when_note: Callable[[str], None] = lambda text: None
    ) -> AsyncIterator[Questioner]:
        """Load the engines and run the pipeline until the block ends."""
        self = cls()
        # An answer's recording holds the answer and nothing else.
        assistant = settings.assistant.model_copy(update={"greeting": ""})
        settings = settings.model_copy(update={"assistant": assistant})
        engines = await load_engines(settings)
        for note in engines.notes:
            when_note(note)
        stages = await assemble(settings, engines)
        self.turns.watch(stages.user, stages.assistant)

        async def ready() -> None:
            self._ready.set()

        self.conversation = Conversation(
            settings,
            stages,
            self.transport,
            rate_hz=ANSWER_RATE_HZ,
            observers=[self.turns],
            when_ready=ready,
            when_trouble=when_note,
        )
        self._running = asyncio.create_task(self.conversation.run())
        try:
            await unless_ended(self._running, self._ready.wait())
            yield self
        finally:
            await self.conversation.worker.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def ask(self, recording: Recording) -> Answer:
        """Play a recording and return its answer.

        Raises:
            AudioFileError: Nobody speaks in it, or no word is understood.
            EngineError: An engine stopped working.
        """
        await unless_ended(self._running, self.transport.play(recording))
        try:
            heard = await asyncio.wait_for(
                unless_ended(self._running, self._heard.get()), _PATIENCE_S
            )
        except TimeoutError:
            raise AudioFileError(f"Nobody is heard to speak in {recording.name}.") from None
        if not heard:
            raise AudioFileError(f"Somebody speaks in {recording.name}, but no word is understood.")
        turn = await unless_ended(self._running, self._said.get())
        return Answer(turn, self.transport.take_spoken())
