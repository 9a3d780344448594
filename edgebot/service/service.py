"""The assistant as a service: who is told what of it, and when it must be renewed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edgebot.errors import MemoryLimitError
from edgebot.service import vitals
from edgebot.service.ceiling import CHECK_EVERY_S, Ceiling
from edgebot.service.journal import Journal, Priority
from edgebot.service.notify import Notifier
from edgebot.service.progress import Part, Progress
from edgebot.service.status import LAST_TURNS, SENTENCES, Status, next_action, write_status
from edgebot.state import Facts, Fault

BEAT_S = 3.0
# An event loop that is always so late is no conversation any more.
LAG_LIMIT_S = 2.0
# `edgebot status` shows numbers that are at most so old.
WRITE_EVERY_S = 15.0


@dataclass(frozen=True)
class About:
    """What does not change while the process lives.

    Attributes:
        version: Of edgebot.
        wake: How it is woken, for a person.
        model_set: The set of models in force.
        models: The model of each role.
        words: Whether what was heard and said goes to the journal.
        always_awake: Whether it listens to all that is said, also while it rests.
    """

    version: str
    wake: str = "speak"
    model_set: str = ""
    models: Mapping[str, str] | None = None
    words: bool = False
    always_awake: bool = False


def at_rest(facts: Facts, always_awake: bool) -> Facts:
    """Leave out what does not hinder a conversation, while one is held.

    With settings that cannot be read the last good ones are in force, and whoever speaks with it
    must see whether it listens. The fault is shown as soon as it rests again.

    Args:
        facts: What is known.
        always_awake: Whether it listens while it rests, too.
    """
    is_busy = facts.speaking or facts.thinking or (facts.awake and not always_awake)
    return replace(facts, faults=facts.faults - {Fault.SETTINGS}) if is_busy else facts


class Service:
    """Takes note of all that the assistant does, and tells systemd, the journal and the status.

    Every method may be called where nobody runs it as a service; then little happens.
    """

    def __init__(
        self,
        about: About,
        *,
        notifier: Notifier,
        journal: Journal,
        ceiling: Ceiling,
        status_file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Name who is told.

        Args:
            about: What does not change.
            notifier: Tells systemd.
            journal: Takes the lines.
            ceiling: Tells when to renew the process.
            status_file: Where the status goes; None is nowhere.
            clock: Seconds that only grow.
            wall_clock: Seconds since 1970.
        """
        self._about = about
        self._notifier = notifier
        self._journal = journal
        self._ceiling = ceiling
        self._status_file = status_file
        self._clock = clock
        self._wall_clock = wall_clock
        self._progress = Progress(clock)
        self._began = clock()
        self._written_at = -WRITE_EVERY_S
        self._checked_at = clock()
        self._facts = Facts()
        self._texts: dict[Fault, str] = {}
        self._sentences: dict[Fault, str] = {}
        self._down: set[Fault] = set()
        self._lags: list[float] = []
        self._told = ""
        self._is_over = False
        self._when_shown: Callable[[Facts], None] = lambda facts: None
        self._when_fault: Callable[[], None] = lambda: None
        self._status = Status(
            version=about.version,
            pid=os.getpid(),
            state=Facts().state,
            started_at=wall_clock(),
            written_at=wall_clock(),
            model_set=about.model_set,
            models=about.models or {},
            memory_limit_mb=ceiling.limit_bytes >> 20,
        )
        self._show()

    def watch(self, when_shown: Callable[[Facts], None], when_fault: Callable[[], None]) -> None:
        """Name who shows the state to a person.

        Args:
            when_shown: Called now, and whenever something has changed.
            when_fault: Called when something is wrong that no conversation tells of.
        """
        self._when_shown, self._when_fault = when_shown, when_fault
        if self._texts:
            when_fault()
        self._show()

    # What the assistant tells

    def ready(self) -> None:
        """Models are loaded and the microphone delivers: what kept it down is over."""
        for fault in tuple(self._down):
            self.mended(fault)
        self._tell_ready()

    def down(self, fault: Fault, text: str) -> None:
        """It cannot work, and stays up to show why; `ready` ends that.

        Args:
            fault: What is wrong.
            text: One sentence for a person: what is wrong and what to do.
        """
        for other in tuple(self._down - {fault}):
            self.mended(other)
        self._down.add(fault)
        # No conversation runs any more: what was known of it is over.
        self._facts = Facts(started=self._facts.started, faults=frozenset(self._texts))
        self.fault(fault, text)
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self._status.ready_at is not None:
            return
        self._status = replace(self._status, ready_at=self._wall_clock())
        self._facts = replace(self._facts, started=True)
        self._show()
        self._notifier.ready(self._told)
        self._line("ready", fields={"ready_ms": round((self._clock() - self._began) * 1000)})

    def state(self, facts: Facts) -> None:
        """Take note of what it is doing."""
        # What is wrong outside of the conversation is wrong whatever the conversation says, and
        # who has shown a fault is no longer starting.
        self._facts = replace(
            facts,
            started=facts.started or self._status.ready_at is not None,
            faults=facts.faults | self._texts.keys(),
        )
        self._show()

    def fault(self, fault: Fault, text: str) -> None:
        """Take note that something is wrong.

        Args:
            fault: What.
            text: One sentence for a person: what is wrong and what to do.
        """
        is_new = self._texts.get(fault) != text
        self._texts[fault] = text
        self._facts = replace(self._facts, faults=self._facts.faults | {fault})
        self._show()
        if is_new:
            self._line(text, priority=Priority.WARNING, fields={"fault": fault})
            self._when_fault()

    def told(self, fault: Fault, text: str) -> None:
        """Keep the sentence of a fault that the conversation itself shows.

        Args:
            fault: Which one; whether it holds is what `state` is told.
            text: One sentence for a person.
        """
        self._sentences[fault] = text
        self._show()

    def mended(self, fault: Fault) -> None:
        """Take note that something works again."""
        self._down.discard(fault)
        if self._texts.pop(fault, None) is None:
            return
        self._facts = replace(self._facts, faults=self._facts.faults - {fault})
        self._show()
        self._line(f"the {fault} works again", fields={"fault": fault})

    def turn(
        self, times_s: Mapping[str, float], *, heard: str, said: str, interrupted: bool = False
    ) -> None:
        """Take note of a turn that is over; its words go nowhere unless that is wished for."""
        number = self._status.turns + 1
        last = (*self._status.last_turns, {k: round(v, 3) for k, v in times_s.items()})
        self._status = replace(self._status, turns=number, last_turns=last[-LAST_TURNS:])
        self._show()
        fields: dict[str, object] = {
            f"{stage.replace(' ', '_')}_ms": round(seconds * 1000)
            for stage, seconds in times_s.items()
        }
        if self._about.words:
            fields |= {"heard": heard, "said": said}
        ending = " (interrupted)" if interrupted else ""
        self._line(f"turn {number}{ending}", fields={"turn": number, **fields})

    def note(self, text: str) -> None:
        """Take note of what a person should know."""
        self._line(text, priority=Priority.NOTICE)

    def reloading(self) -> None:
        """It reads its settings again; `reloaded` ends that."""
        self._notifier.reloading()

    def reloaded(self, text: str, *, words: bool, limit_mb: int) -> None:
        """It has read its settings again.

        Args:
            text: What was applied and what was not.
            words: Whether what was heard and said goes to the journal.
            limit_mb: The memory limit; 0 is derived from the machine.
        """
        self._about = replace(self._about, words=words)
        self._ceiling.limit(limit_mb)
        self._status = replace(self._status, memory_limit_mb=self._ceiling.limit_bytes >> 20)
        self._write()
        self._line(text, priority=Priority.NOTICE)
        self._notifier.ready(f"{self._told.rstrip('.')}. {text}")

    def fed(self, part: Part | str, age_s: float = 0.0) -> None:
        """Take note that the microphone, the speaker or an engine moved; cheap enough for frames.

        Args:
            part: Which of them.
            age_s: How long ago.
        """
        self._progress.fed(Part(part), age_s)

    # What runs beside it

    @asynccontextmanager
    async def watching(self, stop: Callable[[], object] | None = None) -> AsyncIterator[None]:
        """Beat while the block runs; at its end systemd is told.

        Args:
            stop: Ends the block in order; without it, SIGTERM does.

        Raises:
            MemoryLimitError: The process kept too much memory; start it again.
        """
        end = stop or (lambda: os.kill(os.getpid(), signal.SIGTERM))
        beating = asyncio.create_task(self._beat_for_ever(end))
        try:
            yield
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            self._notifier.stopping("stopping")
            self._line("stopping")
        if self._is_over:
            raise MemoryLimitError(
                f"edgebot kept {self._ceiling.used_bytes >> 20} MB of memory, more than "
                "service.memory_limit_mb; it starts again."
            )

    async def _beat_for_ever(self, stop: Callable[[], object]) -> None:
        period = BEAT_S
        if self._notifier.watchdog_s:
            period = min(period, self._notifier.watchdog_s / 4)
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + period
            await asyncio.sleep(period)
            self.beat(loop.time() - due)
            if self._is_due() and not self._is_over:
                self._is_over = True
                stop()

    def beat(self, lag_s: float = 0.0) -> None:
        """Feed the watchdog if everything moves that should, and renew the status.

        Args:
            lag_s: How late the event loop was.
        """
        self._lags = [*self._lags, lag_s][-20:]
        stuck = self._progress.stuck()
        if stuck:
            names = " and ".join(stuck)
            self._notifier.status(f"stuck: the {names} makes no progress")
            self._line(f"stuck: the {names}", priority=Priority.ERROR, fields={"stuck": names})
        elif lag_s < LAG_LIMIT_S:
            self._notifier.alive()
        else:
            fields = {"lag_ms": round(lag_s * 1000)}
            self._line("the event loop is late", priority=Priority.WARNING, fields=fields)
        if self._clock() - self._written_at >= WRITE_EVERY_S:
            self._write()

    def _is_due(self) -> bool:
        if self._clock() - self._checked_at < CHECK_EVERY_S:
            return False
        self._checked_at = self._clock()
        return self._ceiling.is_due()

    # Who is told

    def _show(self) -> None:
        self._progress.know(self._facts)
        self._ceiling.know(self._facts)
        shown = at_rest(self._facts, self._about.always_awake)
        state = shown.state
        faults = {
            str(f): self._texts.get(f) or self._sentences.get(f) or SENTENCES[f]
            for f in Fault
            if f in self._facts.faults
        }
        self._status = replace(
            self._status,
            state=state,
            faults=faults,
            next_action=next_action(state, faults, self._about.wake),
        )
        told = str(state)
        if shown.fault:
            told = f"{state}: {faults[shown.fault]}"
        if told != self._told:
            self._told = told
            self._notifier.status(told)
        self._when_shown(shown)
        self._write()

    def _write(self) -> None:
        self._written_at = self._clock()
        if self._status_file is None:
            return
        self._status = replace(
            self._status,
            written_at=self._wall_clock(),
            memory_mb=vitals.memory_bytes() >> 20,
            temperature_c=vitals.temperature_c(),
            throttled=tuple(vitals.throttled()),
            loop_lag_s=round(max(self._lags, default=0.0), 3),
        )
        # A full disk takes the status away, not the conversation.
        with suppress(OSError):
            write_status(self._status_file, self._status)

    def _line(
        self,
        text: str,
        priority: Priority = Priority.INFO,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        self._journal.line(
            text, priority=priority, fields={"state": self._status.state, **(fields or {})}
        )
