"""What systemd, the journal and the status are told of a whole life."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest
from fake_time import run_in_fake_time

from edgebot.errors import MemoryLimitError
from edgebot.service.service import LAG_LIMIT_S, WRITE_EVERY_S, About
from edgebot.service.status import LAST_TURNS, SENTENCES, read_status
from edgebot.state import AssistantState, Facts, Fault

from .parts import Keeper

ASLEEP = Facts(started=True)
LISTENING = Facts(started=True, awake=True)
TEXT = "There is no speaker: plug one in."


def test_systemd_is_told_each_state_once() -> None:
    keeper = Keeper()
    service = keeper.service()
    service.ready()
    service.ready()
    for facts in (ASLEEP, ASLEEP, LISTENING, Facts(started=True, awake=True, thinking=True)):
        service.state(facts)
    assert keeper.told == [
        "STATUS=starting",
        "STATUS=asleep",
        "READY=1\nSTATUS=asleep",
        "STATUS=listening",
        "STATUS=thinking",
    ]
    assert keeper.texts == ["ready"]
    assert keeper.lines[0][1]["EDGEBOT_STATE"] == "asleep"


def test_a_fault_is_ready_when_it_is_shown() -> None:
    keeper = Keeper()
    service = keeper.service()
    service.down(Fault.SPEAKER, TEXT)
    assert keeper.told[-1] == f"READY=1\nSTATUS=fault: {TEXT}"
    assert keeper.texts == [TEXT, "ready"]
    assert keeper.lines[0][1]["PRIORITY"] == "4"
    assert keeper.lines[0][1]["EDGEBOT_FAULT"] == "speaker"
    # A conversation that is tried again does not say that all is well.
    service.state(Facts())
    assert keeper.told[-1] == f"READY=1\nSTATUS=fault: {TEXT}"
    service.down(Fault.MODEL, "The model is damaged.")
    assert keeper.told[-1] == "STATUS=fault: The model is damaged."
    service.ready()
    assert keeper.told[-1] == "STATUS=asleep"
    assert keeper.texts[2:] == [
        "the speaker works again",
        "The model is damaged.",
        "the model works again",
    ]


def test_a_broken_settings_file_stays_told() -> None:
    keeper = Keeper()
    service = keeper.service()
    service.fault(Fault.SETTINGS, "Mend it.")
    assert "READY=1" not in "".join(keeper.told)
    service.ready()
    assert keeper.told[-1] == "READY=1\nSTATUS=fault: Mend it."
    # It hinders no conversation, and is told again when that is over.
    service.state(LISTENING)
    assert keeper.told[-1] == "STATUS=listening"
    service.state(ASLEEP)
    assert keeper.told[-1] == "STATUS=fault: Mend it."
    service.mended(Fault.SETTINGS)
    assert keeper.told[-1] == "STATUS=asleep"


def test_a_fault_of_the_conversation_needs_no_sentence(tmp_path: Path) -> None:
    keeper = Keeper()
    service = keeper.service(status_file=tmp_path / "status.json")
    service.ready()
    service.state(Facts(started=True, faults=frozenset({Fault.MICROPHONE, Fault.ENGINE})))
    service.told(Fault.MICROPHONE, "Plug it in.")
    assert read_status(tmp_path / "status.json").faults == {
        "engine": SENTENCES[Fault.ENGINE],
        "microphone": "Plug it in.",
    }
    service.state(ASLEEP)
    assert read_status(tmp_path / "status.json").faults == {}


@pytest.mark.parametrize("words", [False, True])
def test_words_go_to_the_journal_only_if_wished(tmp_path: Path, words: bool) -> None:
    keeper = Keeper()
    file = tmp_path / "status.json"
    service = keeper.service(about=About("1", words=words), status_file=file)
    service.turn({"first sound": 1.2346, "end of turn": 0.6}, heard="My secret", said="Your secret")
    message, fields = keeper.lines[0]
    assert message == "turn 1"
    assert (fields["EDGEBOT_FIRST_SOUND_MS"], fields["EDGEBOT_END_OF_TURN_MS"]) == ("1235", "600")
    assert fields["EDGEBOT_TURN"] == "1"
    assert (fields.get("EDGEBOT_HEARD"), fields.get("EDGEBOT_SAID")) == (
        ("My secret", "Your secret") if words else (None, None)
    )
    assert "secret" not in file.read_text()
    service.turn({}, heard="", said="", interrupted=True)
    assert keeper.texts == ["turn 1", "turn 2 (interrupted)"]


def test_the_status_holds_the_last_turns(tmp_path: Path) -> None:
    keeper = Keeper()
    file = tmp_path / "status.json"
    service = keeper.service(status_file=file)
    for number in range(LAST_TURNS + 3):
        service.turn({"first sound": number + 0.12345}, heard="a", said="b")
    found = read_status(file)
    assert found.turns == LAST_TURNS + 3
    assert [turn["first sound"] for turn in found.last_turns] == [3.123, 4.123, 5.123, 6.123, 7.123]
    assert found.memory_limit_mb == 100
    assert found.memory_mb > 0
    assert found.state is AssistantState.STARTING


def test_a_full_disk_takes_only_the_status(tmp_path: Path) -> None:
    keeper = Keeper()
    service = keeper.service(status_file=tmp_path / "missing" / "status.json")
    service.ready()
    assert keeper.texts == ["ready"]


# The watchdog


def test_the_watchdog_is_fed_by_progress() -> None:
    keeper = Keeper()
    service = keeper.service()
    service.ready()
    service.fed("microphone")
    service.beat()
    keeper.now_s += 30
    service.beat()
    assert keeper.alive == 1
    assert keeper.told[-1] == "STATUS=stuck: the microphone makes no progress"
    assert keeper.texts[-1] == "stuck: the microphone"
    service.fed("microphone")
    service.beat()
    assert keeper.alive == 2
    # What is muted, or told as a fault, keeps nobody from living.
    for facts in (Facts(started=True, muted=True), Facts(started=True, faults=frozenset(Fault))):
        service.state(facts)
        keeper.now_s += 300
        service.beat()
    assert keeper.alive == 4


def test_a_late_event_loop_is_no_life() -> None:
    keeper = Keeper()
    service = keeper.service()
    service.beat(LAG_LIMIT_S)
    assert (keeper.alive, keeper.texts) == (0, ["the event loop is late"])
    service.beat(LAG_LIMIT_S - 0.1)
    assert keeper.alive == 1


def test_the_status_is_renewed_rarely(tmp_path: Path) -> None:
    keeper = Keeper()
    file = tmp_path / "status.json"
    service = keeper.service(status_file=file)
    writes = set()
    for _ in range(10 * int(WRITE_EVERY_S)):
        keeper.now_s += 1
        service.beat()
        writes.add(json.loads(file.read_text())["written_at"])
    assert len(writes) == 10 + 1


# A life


class MovingKeeper(Keeper):
    """Its clock is the loop's, once there is one."""

    loop: asyncio.AbstractEventLoop | None = None

    def clock(self) -> float:
        return self.loop.time() if self.loop else self.now_s


def test_it_beats_and_says_that_it_stops() -> None:
    keeper = MovingKeeper()
    service = keeper.service(watchdog_s=8.0)
    service.ready()

    async def live() -> None:
        keeper.loop = asyncio.get_running_loop()
        async with service.watching():
            await asyncio.sleep(9.0)

    run_in_fake_time(live())
    assert keeper.alive == 4
    assert keeper.told[-1] == "STOPPING=1\nSTATUS=stopping"
    assert keeper.texts[-1] == "stopping"


def test_the_process_is_renewed_when_it_keeps_too_much() -> None:
    keeper = MovingKeeper(used_bytes=200 << 20)
    service = keeper.service()
    service.ready()
    ended: list[float] = []

    async def live() -> None:
        loop = asyncio.get_running_loop()
        keeper.loop = loop
        over = asyncio.Event()

        def stop() -> None:
            ended.append(loop.time())
            over.set()

        async with service.watching(stop):
            await over.wait()

    with pytest.raises(MemoryLimitError, match="kept 200 MB"):
        run_in_fake_time(live())
    assert len(ended) == 1
    assert keeper.told[-1].startswith("STOPPING=1")
    assert MemoryLimitError.exit_code == 11


def test_by_default_it_ends_as_systemd_would_end_it() -> None:
    keeper = MovingKeeper(used_bytes=200 << 20)
    service = keeper.service()
    service.ready()
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))

    async def live() -> None:
        keeper.loop = asyncio.get_running_loop()
        async with service.watching():
            await asyncio.sleep(60)

    try:
        with pytest.raises(MemoryLimitError):
            run_in_fake_time(live())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM]


def test_every_fault_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(Fault)
