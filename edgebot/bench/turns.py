"""Asks one question after the other through the whole pipeline, in real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipecat.frames.frames import Frame

from edgebot.app import Box, Conversation, Engines, assemble, unless_ended
from edgebot.bench.questions import Question
from edgebot.bench.room import MakeRoom, PacedRoom, Room
from edgebot.bench.stamps import (
    END_OF_TURN,
    FIRST_AUDIO,
    FIRST_SOUND,
    WITHDRAWN,
    Stamps,
    clock_zero_s,
    first_clause,
    stage_times,
)
from edgebot.config import Settings
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
from edgebot.observe.together import Watcher
from edgebot.observe.turns import Turn, TurnObserver

T = TypeVar("T")

# An answer that has not begun by now does not come.
PATIENCE_S = 30.0
# Between an answer and the next question: room for whatever is put in order in a pause.
PAUSE_S = 1.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and when each stage was done.

    Attributes:
        question: What was asked.
        heard: What was understood.
        said: The answer.
        speech_s: How long the question was, to its last loud sample.
        times_s: Seconds from there to each stage's first result.
        first_clause: What was spoken first.
        answer_s: How long the answer sounded.
        turns: How many turns it was taken for.
        withdrawn: How many answers were begun and withdrawn before anybody heard them.
        gaps_s: How long there was nothing to play each time in the middle of the answer.
    """

    question: str
    heard: str
    said: str
    speech_s: float
    times_s: dict[str, float]
    first_clause: str
    answer_s: float
    turns: int
    withdrawn: int
    gaps_s: list[float]

    @property
    def is_cut_short(self) -> bool:
        """Whether it was taken for more than one turn, or for done before its end."""
        return self.turns > 1 or (self.turns == 1 and END_OF_TURN not in self.times_s)

    @property
    def is_answered(self) -> bool:
        """Whether it was taken as one turn, and an answer was heard."""
        return self.turns == 1 and {END_OF_TURN, FIRST_SOUND} <= self.times_s.keys()


def quiet(settings: Settings) -> Settings:
    """Return settings with which nothing but answers sounds, and no name has to be said first."""
    sections = {
        "assistant": settings.assistant.model_copy(update={"greeting": ""}),
        "wake": settings.wake.model_copy(update={"mode": "always"}),
        "chimes": settings.chimes.model_copy(update={"play": ()}),
    }
    return settings.model_copy(update=sections)


class Questioner:
    """Holds a conversation; see `start`.

    Attributes:
        has_begun: Set when a question begins to sound.
        room: Where it is held.
    """

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.room: Room
        self._end_s: float | None = None
        self._stamps: Stamps
        self._heard: list[str] = []
        self._said: asyncio.Queue[Turn] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._zero_s = 0.0
        self._conversation: Conversation
        self._running: asyncio.Task[None]

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        settings: Settings,
        engines: Engines,
        *,
        make_room: MakeRoom = PacedRoom,
        watchers: Sequence[Watcher] = (),
        when_trouble: Callable[[str], None] = lambda text: None,
    ) -> AsyncIterator[Questioner]:
        """Run the pipeline until the block ends.

        Args:
            settings: From `quiet`.
            engines: From `edgebot.app.load_engines`.
            make_room: Makes the two ends of the pipeline.
            watchers: Are shown every frame.
            when_trouble: Called with what went wrong and does not end the conversation.

        Raises:
            EngineError: A stage can no longer work.
        """
        self = cls()
        stages = await assemble(settings, engines, Box("", when_trouble))
        turns = TurnObserver(when_heard=self._heard.append, when_said=self._said.put_nowait)
        turns.watch(stages.user, stages.assistant)
        self._stamps = Stamps(turns, *watchers)
        self.room = make_room(stages.echo, lambda faults: self._ready.set())
        self.room.is_asleep = lambda: stages.wake is not None and not stages.wake.is_awake
        self._conversation = conversation = Conversation(
            settings,
            stages,
            self.room.transport,
            rate_hz=SPEAKER_RATE_HZ,
            observers=[self._stamps],
            when_trouble=when_trouble,
        )
        self._running = asyncio.create_task(conversation.run())
        try:
            await unless_ended(self._running, self._ready.wait())
            self._zero_s = clock_zero_s(stages.user)
            yield self
        finally:
            await conversation.worker.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def ask(self, question: Question) -> Asked:
        """Say a question, and return when its answer has sounded and all is quiet.

        Raises:
            EngineError: A stage can no longer work.
        """
        await asyncio.sleep(PAUSE_S)
        self._heard.clear()
        self._stamps.marks.clear()
        self.room.begin()
        self._end_s = None
        self.has_begun.set()
        self._end_s = end_s = await unless_ended(self._running, self.room.say(question))
        self.has_begun.clear()
        turn = await self._answer()
        while not self.room.is_still:
            await unless_ended(self._running, asyncio.sleep(_LOOK_EVERY_S))
        return self._asked(question, end_s, turn)

    @property
    def is_heard_out(self) -> bool:
        """Whether the question that was asked last has sounded to its end."""
        return self._end_s is not None

    async def send(self, *frames: Frame) -> None:
        """Put frames into the pipeline."""
        await self._conversation.worker.queue_frames(list(frames))

    def computed_s(self) -> float:
        """Return when the voice has computed sound for the last time, by `time.monotonic`."""
        audio = [mark.at_ns for mark in self._stamps.marks if mark.stage == FIRST_AUDIO]
        return self._zero_s + audio[-1] / 1e9 if audio else 0.0

    async def _answer(self) -> Turn:
        """Wait for an answer that nobody interrupts; after a while there is none."""
        deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
        turn = Turn()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline_s):
                while (
                    not (turn := await unless_ended(self._running, self._said.get())).said
                    or turn.interrupted
                ):
                    pass
        return turn

    def _asked(self, question: Question, end_s: float, turn: Turn) -> Asked:
        marks = list(self._stamps.marks)
        times_s = stage_times(marks, end_s - self._zero_s)
        if (sound_s := self.room.first_sound_s(end_s)) is not None:
            times_s[FIRST_SOUND] = sound_s - end_s
        return Asked(
            question=question.text,
            heard=" ".join(self._heard),
            said=turn.said,
            speech_s=question.end_s,
            times_s=times_s,
            first_clause=first_clause(marks),
            answer_s=self.room.sounded_s,
            turns=len(self._heard),
            withdrawn=sum(mark.stage == WITHDRAWN for mark in marks),
            gaps_s=self.room.gaps_s,
        )


async def ask_all(
    questioner: Questioner,
    questions: Sequence[Question],
    *,
    when_asked: Callable[[Asked], None] = lambda asked: None,
) -> list[Asked]:
    """Ask one question after the other's answer."""
    asked = []
    for question in questions:
        asked.append(await questioner.ask(question))
        when_asked(asked[-1])
    return asked
