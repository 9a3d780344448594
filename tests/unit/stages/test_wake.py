"""Asleep and awake: what passes, what is told, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from line import Line
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextUserTurnFrame,
    SystemFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from edgebot.config import load_settings
from edgebot.engines.wakeword import Detection, MicroWakeWordEngine
from edgebot.errors import ConfigError
from edgebot.frames import ChimeFrame, SleepFrame, TalkFrame, WakeFrame
from edgebot.stages.wake import (
    GIVE_UP_AFTER_S,
    HEARD_AFTER_S,
    LEAD_S,
    WOKEN_AT_LEAST_S,
    Mode,
    WakeGate,
    create,
    load_engine,
)

RATE_HZ = 16_000
FRAME_BYTES = 640
SILENCE = b"\0"


class FakeEngine:
    """Hears its name in every frame that is full of "!"."""

    names = ("hey you",)

    def __init__(self) -> None:
        self.heard = ""
        self.strict: list[bool] = []

    def accept(self, audio: bytes, *, strict: bool = False) -> Detection | None:
        self.heard += letters([InputAudioRawFrame(audio, RATE_HZ, 1)])
        self.strict.append(strict)
        return Detection("hey you", 0.04) if audio[:1] == b"!" else None

    def reset(self) -> None:
        raise AssertionError("nobody asks for this")


def sound(text: str) -> list[Frame]:
    """Return frames of 20 ms, each full of one letter."""
    return [InputAudioRawFrame(letter.encode() * FRAME_BYTES, RATE_HZ, 1) for letter in text]


def quiet(seconds: float) -> list[Frame]:
    return sound("." * round(seconds * 50))


def letters(frames: list[Frame]) -> str:
    """Read the letters of the frames of sound; silence that the gate made is nothing."""
    audio = b"".join(frame.audio for frame in frames if isinstance(frame, InputAudioRawFrame))
    return audio[::FRAME_BYTES].replace(SILENCE, b"").decode()


class Mark(SystemFrame):
    """Passes behind all that was handed in before it."""


class Bench:
    """A gate at work, to which frames come from both sides."""

    def __init__(self, line: Line, gate: WakeGate) -> None:
        self._line = line
        self.gate = gate
        self.passed, self.sound = "", b""

    async def down(self, *frames: Frame) -> None:
        """Hand frames in from the microphone's side."""
        for frame in frames:
            await self.gate.queue_frame(frame)

    async def up(self, *frames: Frame) -> None:
        """Hand frames in from the speaker's side, and wait until they have passed."""
        for frame in frames:
            await self.gate.queue_frame(frame, FrameDirection.UPSTREAM)
            await self._line.until(lambda frame=frame: frame in self._line.up)

    async def told(self) -> list[str]:
        """Return what has come out behind the gate since the last time; `passed` is its sound."""
        mark = Mark()
        await self.down(mark)
        await self._line.until(lambda: mark in self._line.down)
        frames = [frame for frame in self._line.down if not isinstance(frame, Mark)]
        self._line.down.clear()
        heard = [frame for frame in frames if isinstance(frame, InputAudioRawFrame)]
        self.sound, self.passed = b"".join(frame.audio for frame in heard), letters(frames)
        return [name(frame) for frame in frames if not isinstance(frame, InputAudioRawFrame)]

    async def hears(self, *frames: Frame) -> str:
        """Hand frames in and return the sound that has passed."""
        await self.down(*frames)
        await self.told()
        return self.passed


def name(frame: Frame) -> str:
    match frame:
        case ChimeFrame():
            return f"chime {frame.chime}"
        case WakeFrame():
            return f"wake {frame.by}"
        case SleepFrame():
            return "cancel" if frame.cancelled else "sleep"
        case TalkFrame():
            return "hold" if frame.held else "let go"
    return type(frame).__name__.removesuffix("Frame")


@asynccontextmanager
async def bench(mode: Mode = "word", **settings: float) -> AsyncIterator[Bench]:
    """Run a gate; `engine=False` is one without an ear."""
    engine = FakeEngine() if settings.pop("engine", mode != "button") else None
    gate = WakeGate(engine=engine, mode=mode, **settings)  # type: ignore[arg-type]
    async with Line(gate) as line:
        yield Bench(line, gate)


def asked() -> LLMContextUserTurnFrame:
    return LLMContextUserTurnFrame(text="why", timestamp="now")


async def test_asleep_nothing_passes_but_to_the_engine() -> None:
    async with bench() as gate:
        assert await gate.hears(*sound("abc")) == ""
        assert gate.gate._engine.heard == "abc"  # type: ignore[union-attr]
        assert not gate.gate.is_awake


async def test_its_name_wakes_it_with_the_sound_behind_the_name() -> None:
    async with bench() as gate:
        await gate.down(*sound("hey!"))
        assert await gate.told() == ["wake word", "chime woken"]
        # The name ended 0.04 s, two frames, before it was noticed.
        assert gate.passed == "y!"
        assert await gate.hears(*sound("what")) == "what"
        assert gate.gate.is_awake


async def test_what_follows_the_name_begins_behind_a_silence() -> None:
    async with bench() as gate:
        await gate.down(*sound("hey!"))
        await gate.told()
        silence = bytes(int(LEAD_S * RATE_HZ) * 2)
        assert gate.sound == silence + b"y" * FRAME_BYTES + b"!" * FRAME_BYTES


async def test_a_press_wakes_it_with_the_sound_before_the_press() -> None:
    async with bench("button", pre_roll_s=0.1) as gate:
        await gate.down(*sound("abcdefgh"), WakeFrame())
        assert await gate.told() == ["wake button", "chime woken"]
        assert gate.passed == "defgh"
        assert await gate.hears(*sound("ij")) == "ij"


async def test_there_may_be_less_sound_than_the_pre_roll() -> None:
    async with bench("button") as gate:
        assert await gate.hears(*sound("ab"), WakeFrame()) == "ab"


async def test_no_sound_is_kept_beyond_what_is_needed() -> None:
    async with bench("button", pre_roll_s=0.5) as gate:
        await gate.hears(*sound("x" * 500))
        assert sum(map(len, gate.gate._recent._pieces)) == (0.5 + 1.0) * RATE_HZ * 2


async def test_a_press_while_it_listens_gives_more_time_and_no_chime() -> None:
    async with bench("button", follow_up_s=8.0) as gate:
        await gate.down(WakeFrame(), *quiet(7.0))
        await gate.told()
        await gate.down(WakeFrame(), *quiet(7.0))
        assert await gate.told() == ["wake button"]
        assert gate.gate.is_awake


@pytest.mark.parametrize(("follow_up_s", "lasts_s"), [(8.0, 8.0), (0.0, WOKEN_AT_LEAST_S)])
async def test_woken_it_sleeps_again_when_nobody_speaks(follow_up_s: float, lasts_s: float) -> None:
    async with bench(follow_up_s=follow_up_s) as gate:
        await gate.down(*sound("!"), *quiet(lasts_s - 0.02))
        assert await gate.told() == ["wake word", "chime woken"]
        await gate.down(*quiet(0.02))
        assert await gate.told() == ["sleep"]
        assert await gate.hears(*sound("abc")) == ""


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (VADUserStartedSpeakingFrame(), VADUserStoppedSpeakingFrame()),
        (UserStartedSpeakingFrame(), UserStoppedSpeakingFrame()),
    ],
)
async def test_it_never_sleeps_while_a_person_speaks(begins: Frame, ends: Frame) -> None:
    async with bench(follow_up_s=5.0) as gate:
        await gate.down(*sound("!"))
        await gate.up(begins)
        await gate.hears(*quiet(100.0))
        assert gate.gate.is_awake
        # What was no question gives no more time.
        await gate.up(ends)
        await gate.down(*quiet(0.02))
        assert (await gate.told())[-1] == "sleep"


async def test_it_never_sleeps_while_an_answer_is_made_or_spoken() -> None:
    async with bench(follow_up_s=5.0) as gate:
        await gate.down(*sound("!"))
        await gate.up(asked())
        await gate.down(*quiet(GIVE_UP_AFTER_S - 1))
        assert "sleep" not in await gate.told()
        await gate.up(BotStartedSpeakingFrame())
        await gate.down(*quiet(100.0))
        assert "sleep" not in await gate.told()
        await gate.up(BotStoppedSpeakingFrame())
        await gate.down(*quiet(4.98))
        assert "sleep" not in await gate.told()
        await gate.down(*quiet(0.02))
        assert await gate.told() == ["sleep"]


@pytest.mark.parametrize("end", [InterruptionFrame(), ErrorFrame("no model")])
async def test_an_answer_that_does_not_come_is_not_waited_for(end: Frame) -> None:
    async with bench(follow_up_s=5.0) as gate:
        await gate.down(*sound("!"))
        await gate.up(asked(), end)
        await gate.down(*quiet(5.0))
        assert (await gate.told())[-1] == "sleep"


async def test_an_answer_of_nothing_is_given_up() -> None:
    async with bench(follow_up_s=5.0) as gate:
        await gate.down(*sound("!"))
        await gate.up(asked())
        await gate.down(*quiet(GIVE_UP_AFTER_S + 5.1))
        assert (await gate.told())[-1] == "sleep"


async def test_it_never_sleeps_while_the_button_is_held() -> None:
    async with bench("button", follow_up_s=5.0) as gate:
        await gate.down(TalkFrame(held=True), *quiet(100.0))
        assert "sleep" not in await gate.told()
        await gate.down(TalkFrame(held=False), *quiet(5.0))
        assert (await gate.told())[-1] == "sleep"


async def test_a_slow_answer_is_announced_once() -> None:
    async with bench() as gate:
        await gate.down(*sound("!"))
        await gate.up(asked())
        await gate.down(*quiet(HEARD_AFTER_S))
        assert "chime heard" not in await gate.told()
        await gate.down(*quiet(3.0))
        assert await gate.told() == ["chime heard"]


async def test_a_quick_answer_is_not_announced() -> None:
    async with bench() as gate:
        await gate.down(*sound("!"))
        await gate.up(asked(), BotStartedSpeakingFrame())
        await gate.down(*quiet(3.0))
        assert "chime heard" not in await gate.told()


@pytest.mark.parametrize("busy", [asked(), BotStartedSpeakingFrame()])
async def test_its_name_interrupts(busy: Frame) -> None:
    async with bench() as gate:
        await gate.down(*sound("!"))
        await gate.up(busy)
        await gate.told()
        await gate.down(*sound("a!b"))
        assert await gate.told() == ["wake word", "Interruption", "chime woken"]
        # The sound had passed already: it is not passed twice.
        assert gate.passed == "a!b"


@pytest.mark.parametrize("busy", [asked(), BotStartedSpeakingFrame()])
async def test_a_press_interrupts(busy: Frame) -> None:
    async with bench("button") as gate:
        await gate.down(WakeFrame())
        await gate.up(busy)
        await gate.told()
        await gate.down(*sound("ab"), WakeFrame(), *sound("c"))
        assert await gate.told() == ["wake button", "Interruption", "chime woken"]
        assert gate.passed == "abc"


async def test_a_press_interrupts_what_it_says_in_its_sleep() -> None:
    async with bench("button") as gate:
        await gate.up(BotStartedSpeakingFrame())
        await gate.down(*sound("ab"), WakeFrame(), *sound("c"))
        assert await gate.told() == ["wake button", "Interruption", "chime woken"]
        assert gate.passed == "c"


async def test_its_name_must_be_clearer_while_it_speaks() -> None:
    async with bench() as gate:
        await gate.hears(*sound("!"))
        await gate.up(BotStartedSpeakingFrame())
        await gate.hears(*sound("a"))
        await gate.up(BotStoppedSpeakingFrame())
        await gate.hears(*sound("b"))
        assert gate.gate._engine.strict == [False, True, False]  # type: ignore[union-attr]


async def test_where_it_hears_itself_only_its_name_is_listened_for_while_it_speaks() -> None:
    async with bench(hears_while_speaking=False) as gate:
        await gate.hears(*sound("!"))
        await gate.up(BotStartedSpeakingFrame())
        assert await gate.hears(*sound("abc")) == ""
        await gate.down(*sound("de!f"))
        assert await gate.told() == ["wake word", "Interruption", "chime woken"]
        assert gate.passed == "e!f"


async def test_its_name_while_it_listens_gives_more_time() -> None:
    async with bench(follow_up_s=8.0) as gate:
        await gate.down(*sound("!"), *quiet(7.0), *sound("!"), *quiet(7.98))
        assert await gate.told() == ["wake word", "chime woken"]
        assert gate.gate.is_awake


async def test_the_pre_roll_holds_nothing_of_the_answer() -> None:
    async with bench("button", pre_roll_s=1.0, follow_up_s=0.0) as gate:
        await gate.down(WakeFrame(), *quiet(5.0))
        await gate.up(BotStartedSpeakingFrame())
        await gate.down(*sound("o" * 10))
        await gate.up(BotStoppedSpeakingFrame())
        await gate.told()
        # Its echo comes a little later than it ends.
        assert await gate.hears(*sound("o" * 15 + "ab"), WakeFrame()) == "ab"


async def test_the_pre_roll_holds_nothing_of_a_chime() -> None:
    async with bench("button", pre_roll_s=1.0) as gate:
        await gate.down(*sound("ab"), ChimeFrame("ready"), *sound("o" * 30 + "cd"))
        assert await gate.hears(WakeFrame()) == "cd"


async def test_a_cancelled_question_is_not_heard_again() -> None:
    async with bench("button", pre_roll_s=1.0) as gate:
        await gate.down(WakeFrame(), *sound("ab"), SleepFrame(cancelled=True))
        assert await gate.told() == ["wake button", "chime woken", "cancel", "chime cancelled"]
        assert await gate.hears(*sound("c"), WakeFrame()) == ""


async def test_cancelling_interrupts_an_answer() -> None:
    async with bench() as gate:
        await gate.down(*sound("!"))
        await gate.up(BotStartedSpeakingFrame())
        await gate.told()
        await gate.down(SleepFrame(cancelled=True), *sound("a"))
        assert await gate.told() == ["cancel", "Interruption", "chime cancelled"]
        assert gate.passed == ""


async def test_falling_asleep_lets_the_voice_detector_come_to_rest() -> None:
    async with bench(stop_s=0.2) as gate:
        await gate.down(*sound("!"))
        await gate.told()
        await gate.down(SleepFrame())
        assert await gate.told() == ["sleep"]
        assert gate.sound == bytes(round(0.5 * RATE_HZ) * 2)


async def test_a_command_sends_it_to_sleep_from_behind() -> None:
    async with bench("always") as gate:
        await gate.up(SleepFrame(cancelled=True))
        # Those behind it have been told already.
        assert await gate.told() == ["chime cancelled"]
        assert await gate.hears(*sound("a")) == ""


async def test_always_awake_it_never_falls_asleep_by_itself() -> None:
    async with bench("always", follow_up_s=1.0) as gate:
        assert await gate.hears(*sound("a"), *quiet(100.0)) == "a" + "." * 5000


async def test_always_awake_it_can_be_sent_to_sleep_and_woken() -> None:
    async with bench("always") as gate:
        await gate.down(SleepFrame(cancelled=True), *sound("a"))
        assert await gate.hears(*sound("b")) == ""
        assert await gate.hears(*sound("!c")) == "b!c"


async def test_a_held_button_opens_an_utterance_and_letting_go_ends_it() -> None:
    async with bench("button", pre_roll_s=0.04) as gate:
        await gate.down(*sound("abc"), TalkFrame(held=True), *sound("d"))
        assert await gate.told() == [
            "wake button",
            "chime woken",
            "hold",
            "VADUserStartedSpeaking",
        ]
        assert gate.passed == "bcd"
        await gate.down(TalkFrame(held=False))
        assert await gate.told() == ["let go", "VADUserStoppedSpeaking"]


async def test_a_button_held_while_it_listens_brings_no_sound_twice() -> None:
    async with bench("button") as gate:
        await gate.hears(WakeFrame(), *sound("ab"))
        await gate.down(TalkFrame(held=True), *sound("c"))
        assert await gate.told() == ["hold", "VADUserStartedSpeaking"]
        assert gate.passed == "c"


async def test_letting_go_of_what_was_not_held_ends_nothing() -> None:
    async with bench("button") as gate:
        await gate.down(TalkFrame(held=False))
        assert await gate.told() == ["let go"]


def test_the_button_alone_needs_no_engine() -> None:
    assert load_engine(load_settings(flags=["wake.mode=button"], environment={})) is None


def test_the_settings_choose_the_engine() -> None:
    settings = load_settings(flags=["wake.words=['alexa', 'okay_nabu']"], environment={})
    engine = load_engine(settings)
    assert isinstance(engine, MicroWakeWordEngine)
    assert engine.names == ("Alexa", "okay Nabu")


def test_an_engine_that_is_not_installed_is_named() -> None:
    settings = load_settings(flags=["wake.engine=openwakeword"], environment={})
    with pytest.raises(ConfigError, match="pip install openwakeword"):
        load_engine(settings)


def test_the_gate_is_set_as_the_settings_say() -> None:
    flags = ["wake.mode=button", "wake.follow_up_s=3.0", "wake.pre_roll_s=0.5", "turn.stop_s=0.3"]
    gate = create(load_settings(flags=[*flags, "turn.interrupt=false"], environment={}), None)
    assert (gate._mode, gate._follow_up_s, gate._pre_roll_s) == ("button", 3.0, 0.5)
    assert (gate._stop_s, gate._hears_while_speaking) == (0.3, False)
