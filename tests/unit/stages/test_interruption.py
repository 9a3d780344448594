"""Whose voice it is, frame by frame, on a clock that does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from fake_time import run_in_fake_time
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADParamsUpdateFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_controller import UserTurnController
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.asyncio.task_manager import TaskManager

from edgebot.config import load_settings
from edgebot.frames import HoldFrame, SleepFrame, WakeFrame
from edgebot.stages.interruption import (
    ECHO_ENDS_S,
    TOO_OFTEN,
    TROUBLE,
    GuardedUserTurnStartStrategy,
    SpokenText,
    create,
)

STORY = "Once upon a time there was a king. He lived in a castle by the sea."
VOICE = VADParams(start_secs=0.2, stop_secs=0.2, confidence=0.7, min_volume=0.0)
DECIDE_S = VOICE.stop_secs + ECHO_ENDS_S
TRANSCRIPT_S = 0.5


class Setup:
    """As much of a pipeline's setup as strategies look at."""

    def __init__(self) -> None:
        self.task_manager = TaskManager()


class Scene:
    """The guard in Pipecat's own turn controller; `events` is all that comes of it, in order."""

    def __init__(
        self, *, by_voice: bool = True, guard: GuardedUserTurnStartStrategy | None = None
    ) -> None:
        self.troubles: list[str] = []
        self.guard = guard or GuardedUserTurnStartStrategy(
            voice=VOICE, by_voice=by_voice, when_trouble=self.troubles.append
        )
        self.events: list[str] = []
        self.params: list[VADParams] = []
        self._stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.4)
        self._controller = UserTurnController(
            user_turn_strategies=UserTurnStrategies(start=[self.guard], stop=[self._stop])
        )
        self._controller.add_event_handler("on_push_frame", self._pushed)
        self._controller.add_event_handler("on_user_turn_started", self._turn_started)
        self._controller.add_event_handler("on_user_turn_stopped", self._turn_stopped)
        self._controller.add_event_handler("on_reset_aggregation", self._forgotten)

    async def _pushed(self, _: object, frame: Frame, *direction: object) -> None:
        if isinstance(frame, HoldFrame):
            self.events.append("hold" if frame.held else "go on")
        elif isinstance(frame, VADParamsUpdateFrame):
            self.params.append(frame.params)

    async def _turn_started(self, _: object, *strategy: object) -> None:
        self.events.append("turn")

    async def _turn_stopped(self, _: object, *strategy: object) -> None:
        self.events.append("end")

    async def _forgotten(self, _: object, strategy: BaseUserTurnStartStrategy) -> None:
        self.events.append("forget")

    async def start(self) -> None:
        await self._controller.setup(cast(FrameProcessorSetup, Setup()))
        await self.send(STTMetadataFrame("ear", ttfs_p99_latency=TRANSCRIPT_S))

    async def end(self) -> None:
        await self._controller.cleanup()

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self._controller.process_frame(frame)

    async def speaks(self, text: str = STORY) -> None:
        """Let the assistant speak."""
        self.guard.note(text)
        await self.send(BotStartedSpeakingFrame())
        await asyncio.sleep(2)

    async def falls_silent(self) -> None:
        await self.send(BotStoppedSpeakingFrame())

    async def voice(self, seconds: float | None = None) -> None:
        """Let the voice detector notice a voice, and its end if it is told when."""
        await self.send(VADUserStartedSpeakingFrame(start_secs=0.2))
        if seconds is not None:
            await asyncio.sleep(seconds)
            await self.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))

    async def words(self, text: str) -> None:
        await self.send(TranscriptionFrame(text, "", "", finalized=True))


def play(
    act: Callable[[Scene], Awaitable[None]],
    *,
    by_voice: bool = True,
    guard: GuardedUserTurnStartStrategy | None = None,
) -> Scene:
    """Run an act and return what came of it."""
    scene: list[Scene] = []

    async def main() -> None:
        scene.append(Scene(by_voice=by_voice, guard=guard))
        await scene[0].start()
        await act(scene[0])
        await scene[0].end()

    run_in_fake_time(main())
    return scene[0]


class TestWhileItIsSilent:
    """Every voice begins a turn at once."""

    def test_a_voice_begins_a_turn(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.voice()
            assert scene.events == ["turn"]

        play(act)

    @pytest.mark.parametrize("kind", [TranscriptionFrame, InterimTranscriptionFrame])
    def test_words_that_no_voice_was_noticed_for_begin_a_turn(self, kind: type) -> None:
        async def act(scene: Scene) -> None:
            await scene.send(kind("", "", ""), kind("hello", "", ""))
            assert scene.events == ["turn"]

        play(act)

    def test_long_after_its_own_voice_nothing_is_doubted(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.falls_silent()
            await asyncio.sleep(1)
            await scene.voice()
            assert scene.events == ["turn"]

        play(act)

    def test_what_it_has_just_said_may_be_asked_about(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.falls_silent()
            await asyncio.sleep(1)
            await scene.voice(0.8)
            await scene.words("in a castle by the sea")
            await asyncio.sleep(1)
            assert scene.events == ["turn", "end"]

        play(act)


class TestWhileItSpeaks:
    """A voice makes it hold its own; what follows decides."""

    def test_it_is_held_at_once(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            assert scene.events == ["hold"]

        play(act)

    def test_a_voice_that_goes_on_though_nothing_sounds_is_a_persons(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await asyncio.sleep(DECIDE_S - 0.01)
            assert scene.events == ["hold"]
            await asyncio.sleep(0.02)
            assert scene.events == ["hold", "turn", "go on"] or scene.events == [
                "hold",
                "go on",
                "turn",
            ]

        play(act)

    def test_its_own_words_are_no_interruption(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice(0.5)
            await asyncio.sleep(0.2)
            assert scene.events == ["hold"]
            await scene.words("There was a king.")
            assert scene.events == ["hold", "forget", "go on"]
            await asyncio.sleep(5)
            assert scene.events == ["hold", "forget", "go on"]

        play(act)

    def test_other_words_are_an_interruption_with_all_of_them(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice(0.5)
            await asyncio.sleep(0.2)
            await scene.words("What time is it?")
            assert sorted(scene.events) == ["go on", "hold", "turn"]
            await asyncio.sleep(1)
            # Nothing was forgotten, and the turn ends by itself.
            assert scene.events[-1] == "end"
            assert "forget" not in scene.events

        play(act)

    def test_a_cough_is_a_short_pause(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice(0.3)
            await asyncio.sleep(TRANSCRIPT_S - 0.01)
            assert scene.events == ["hold"]
            await asyncio.sleep(0.02)
            assert scene.events == ["hold", "go on"]

        play(act)

    def test_no_pause_is_longer_than_two_seconds(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.send(STTMetadataFrame("ear", ttfs_p99_latency=9.0))
            await scene.speaks()
            await scene.voice(0.3)
            await asyncio.sleep(1.69)
            assert scene.events == ["hold"]
            await asyncio.sleep(0.02)
            assert scene.events == ["hold", "go on"]

        play(act)

    def test_a_voice_that_begins_anew_while_it_is_held_is_a_persons(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice(0.3)
            await asyncio.sleep(0.1)
            await scene.voice()
            assert sorted(scene.events) == ["go on", "hold", "turn"]

        play(act)

    def test_words_that_come_late_still_count(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice(0.3)
            await asyncio.sleep(1)
            await scene.words("Stop.")
            assert scene.events == ["hold", "go on", "turn"]

        play(act)

    def test_a_voice_that_begins_and_ends_with_its_own_is_its_own(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.send(BotStartedSpeakingFrame())
            await asyncio.sleep(0.3)
            await scene.voice(0.4)
            await scene.words("One two.")
            assert scene.events == ["hold", "forget", "go on"]
            # So is one that begins when its own goes on, and no other.
            await asyncio.sleep(0.3)
            await scene.voice(0.4)
            await scene.words("Bonnet.")
            assert scene.events == ["hold", "forget", "go on"] * 2
            await asyncio.sleep(1)
            await scene.voice(0.4)
            await scene.words("One two.")
            assert sorted(scene.events[6:]) == ["go on", "hold", "turn"]

        play(act)

    def test_who_speaks_from_its_first_word_on_is_heard(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.send(BotStartedSpeakingFrame())
            await asyncio.sleep(0.3)
            await scene.voice()
            await asyncio.sleep(DECIDE_S + 0.01)
            assert sorted(scene.events) == ["go on", "hold", "turn"]

        play(act)

    def test_interim_words_decide_nothing(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await scene.send(InterimTranscriptionFrame("there was", "", ""))
            assert scene.events == ["hold"]

        play(act)

    def test_the_room_may_ring_a_little_longer_than_it_speaks(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.falls_silent()
            await asyncio.sleep(0.3)
            await scene.voice(0.3)
            await scene.words("by the sea")
            assert scene.events == ["forget"]

        play(act)

    def test_who_answers_quickly_is_heard(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.falls_silent()
            await asyncio.sleep(0.3)
            await scene.voice()
            await asyncio.sleep(DECIDE_S + 0.01)
            assert scene.events == ["turn"]

        play(act)

    def test_an_interruption_by_the_button_lets_go(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await scene.send(InterruptionFrame())
            assert scene.events == ["hold", "go on"]

        play(act)

    def test_its_name_is_a_persons(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await scene.send(WakeFrame("word"))
            assert sorted(scene.events) == ["go on", "hold", "turn"]

        play(act)

    def test_a_press_is_a_persons(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.send(WakeFrame("button"))
            assert scene.events == []
            await scene.send(VADUserStartedSpeakingFrame(start_secs=0.0))
            assert scene.events == ["turn"]

        play(act)

    def test_sleep_ends_all_doubt(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await scene.send(SleepFrame())
            await asyncio.sleep(5)
            assert scene.events == ["hold", "go on"]

        play(act)

    def test_the_voice_detector_listens_more_closely_and_is_not_set_under_a_voice(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            (closer,) = scene.params
            assert (closer.start_secs, closer.confidence) == pytest.approx((0.13, 0.5))
            assert closer.stop_secs == VOICE.stop_secs
            await scene.voice()
            await scene.falls_silent()
            assert len(scene.params) == 1
            await scene.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
            assert scene.params == [closer, VOICE]

        play(act)


class TestWhereCancellingDoesNotWork:
    """After some echoes only the button and the name interrupt."""

    async def echo(self, scene: Scene) -> None:
        await scene.voice(0.4)
        await scene.words("there was a king")
        await asyncio.sleep(3)

    def test_it_says_so_once_and_holds_no_more(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            for times in range(1, TOO_OFTEN + 3):
                await self.echo(scene)
                assert scene.troubles == [TROUBLE] * (times >= TOO_OFTEN)
            assert scene.events.count("hold") == TOO_OFTEN
            scene.events.clear()
            await scene.voice(1.5)
            await scene.words("What time is it?")
            await asyncio.sleep(3)
            assert scene.events == ["forget"]

        play(act)

    def test_now_and_then_is_no_trouble(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            for _ in range(10):
                await self.echo(scene)
                await asyncio.sleep(30)
            assert scene.troubles == []
            assert scene.events.count("hold") == 10

        play(act)

    def test_silence_does_not_count_as_speech(self) -> None:
        async def act(scene: Scene) -> None:
            for _ in range(TOO_OFTEN):
                await scene.speaks()
                await self.echo(scene)
                await scene.falls_silent()
                await asyncio.sleep(1000)
            assert scene.troubles == [TROUBLE]

        play(act)

    def test_who_speaks_on_when_it_has_ended_is_heard(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await asyncio.sleep(2)
            assert scene.events == []
            await scene.falls_silent()
            await asyncio.sleep(DECIDE_S + 0.01)
            assert scene.events == ["turn"]

        play(act, by_voice=False)

    def test_a_voice_that_ends_with_its_own_is_its_own_whatever_was_understood(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice()
            await scene.falls_silent()
            await asyncio.sleep(0.4)
            await scene.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
            await scene.words("One sofa tide.")
            await asyncio.sleep(3)
            assert scene.events == ["forget"]

        play(act, by_voice=False)

    def test_words_that_come_under_the_next_voice_decide_nothing_of_it(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.speaks()
            await scene.voice(1.0)
            await scene.voice()
            await scene.words("there was a king")
            assert scene.events == ["forget"]
            await scene.falls_silent()
            await asyncio.sleep(0.4)
            await scene.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
            await asyncio.sleep(0.3)
            await scene.words("One sofa tide.")
            assert scene.events == ["forget", "forget"]

        play(act, by_voice=False)

    def test_while_it_is_silent_everything_is_as_before(self) -> None:
        async def act(scene: Scene) -> None:
            await scene.voice()
            assert scene.events == ["turn"]

        play(act, by_voice=False)


@pytest.mark.parametrize(
    ("heard", "repeated"),
    [
        ("There was a king.", True),
        ("upon a time there was the king he lived", True),
        ("a castle by the see", True),
        ("castle", True),
        ("lived in", True),
        ("What time is it?", False),
        ("Stop.", False),
        ("Stop talking, please.", False),
        ("That is enough.", False),
        ("The king is dead, tell me something else.", False),
        ("No.", False),
        ("...", False),
        ("", False),
    ],
)
def test_an_echo_is_known_by_its_words(heard: str, repeated: bool) -> None:
    spoken = SpokenText()
    for sentence in STORY.split(". "):
        spoken.add(sentence)
    assert spoken.is_repeated_by(heard) is repeated


def test_nothing_repeats_what_was_never_said() -> None:
    assert not SpokenText().is_repeated_by("hello")


def test_what_was_said_long_ago_is_forgotten() -> None:
    spoken = SpokenText()
    spoken.add("There was a king.")
    spoken.add("So he went to bed and slept. " * 30)
    assert not spoken.is_repeated_by("there was a king")


@pytest.mark.parametrize(("guard", "made"), [("true", True), ("false", False)])
def test_the_setting_decides_whether_there_is_one(guard: str, made: bool) -> None:
    settings = load_settings(flags=[f"echo.guard={guard}"], environment={})
    assert (create(settings) is not None) is made


@pytest.mark.parametrize(
    ("interrupt", "events"), [("true", ["hold", "go on", "turn"]), ("false", [])]
)
def test_the_setting_decides_whether_a_voice_interrupts(interrupt: str, events: list[str]) -> None:
    guard = create(load_settings(flags=[f"turn.interrupt={interrupt}"], environment={}))

    async def act(scene: Scene) -> None:
        await scene.speaks()
        await scene.voice(1.5)
        assert scene.events == events

    play(act, guard=guard)
