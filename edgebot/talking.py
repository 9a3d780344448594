"""A conversation through the microphone and the speaker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import IO

from edgebot.app import Box, Conversation, assemble, load_engines
from edgebot.config import Settings
from edgebot.control import Control
from edgebot.errors import DeviceError
from edgebot.front import Front, Sounds
from edgebot.hw.audio_device import Kind, find_in, port_audio
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ, AudioStream, MicrophoneStream, SpeakerStream
from edgebot.hw.opened_ahead import OpenedAhead
from edgebot.hw.port_audio import PortAudio
from edgebot.intercom import Handset
from edgebot.observe.health import HealthObserver
from edgebot.observe.state import StateObserver
from edgebot.observe.together import Together
from edgebot.observe.turns import Turn, TurnObserver
from edgebot.pipeline import Stages
from edgebot.stages.device import DeviceTransport
from edgebot.stages.echo import Echo
from edgebot.state import Facts, Fault


async def talk(
    settings: Settings,
    *,
    when_note: Callable[[str], None],
    when_ready: Callable[[], None],
    when_state: Callable[[Facts], None],
    when_heard: Callable[[str], None],
    when_said: Callable[[Turn], None],
    when_moved: Callable[[str], None] = lambda part: None,
    when_fault: Callable[[Fault, str], None] = lambda fault, text: None,
    terminal: IO[str] | None = None,
    front: Front | None = None,
) -> None:
    """Converse until SIGINT or SIGTERM.

    Args:
        settings: All of them.
        when_note: Called with what a person should know of the engines, the devices and the panel.
        when_ready: Called when it works, or shows what does not.
        when_state: Called whenever what can be seen of it has changed.
        when_heard: Called with each question.
        when_said: Called with each turn when its answer was spoken.
        when_moved: Called with "microphone", "speaker" or "engine" whenever it makes progress.
        when_fault: Called with each fault that begins, and its sentence.
        terminal: Its keys are the panel where there is no button.
        front: The panel, where it outlives this conversation; it is shown nothing by this one.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    control = Control(settings, when_trouble=when_note)
    panel = front or Front(settings, when_note, terminal=terminal)
    sounds = Sounds(settings.chimes)
    with contextlib.ExitStack() as ending:
        if front is None:
            ending.callback(panel.close)
        live = {"audio.volume": control.set_volume, **sounds.live}
        panel.joins(control.act, control.chime, live)
        ending.callback(panel.leaves)
        devices = Devices(settings)
        ending.callback(devices.close)
        # The conversation hears of a closed mute switch a moment later.
        devices.open_ahead(with_microphone=not panel.is_muted)
        engines = await load_engines(settings)
        for note in engines.notes:
            when_note(note)
        microphone = await asyncio.to_thread(name_of, "microphone", settings.audio.microphone)
        stages = await assemble(settings, engines, Box(microphone, when_note))

        def show(facts: Facts) -> None:
            if front is None:
                panel.show(facts)
            when_state(facts)

        states = StateObserver(show, awake=settings.wake.mode == "always")
        turns = TurnObserver(when_heard=when_heard, when_said=when_said)
        turns.watch(stages.user, stages.assistant)

        def ready(faults: frozenset[Fault]) -> None:
            states.ready(faults)
            when_ready()

        # A caller is not to wait for longer frames.
        devices.is_asleep = lambda: (
            stages.wake is not None and not stages.wake.is_awake and not states.facts.in_call
        )
        transport = device_transport(
            settings,
            stages.echo,
            devices=devices,
            sounds=sounds,
            when_open=ready,
            when_note=when_note,
        )
        conversation = Conversation(
            settings,
            stages,
            transport,
            rate_hz=SPEAKER_RATE_HZ,
            observers=[Together(turns, states, HealthObserver(when_moved, when_fault))],
            when_trouble=when_note,
        )
        control.connect(conversation.worker.queue_frames, transport.silence)
        async with contextlib.AsyncExitStack() as at_the_end:
            if settings.bridge.enabled:
                # Few have a bridge, and what it imports takes a tenth of a second of every start.
                from edgebot.calls import Calls

                calls = Calls(
                    settings,
                    engines,
                    handset=handset_of(control, stages, transport, states),
                    when_call_begins=lambda: control.call_begins(calls.hang_up),
                    when_call_ends=control.call_ends,
                    when_trouble=when_note,
                )
                await at_the_end.enter_async_context(calls)
            await conversation.run()


def handset_of(
    control: Control, stages: Stages, transport: DeviceTransport, states: StateObserver
) -> Handset | None:
    """Return the box as a telephone; None where a conversation has no intercom."""
    if stages.intercom is None:
        return None

    def is_broken() -> bool:
        return bool(states.facts.faults & {Fault.MICROPHONE, Fault.SPEAKER})

    return Handset(control, stages.intercom, transport.play_caller, SPEAKER_RATE_HZ, is_broken)


def name_of(kind: Kind, wanted: str | int) -> str:
    """Return what the driver calls a configured device; where there is none, what it is set to."""
    try:
        with port_audio() as library:
            return find_in(library, kind, wanted).name
    except DeviceError:
        return str(wanted)


class Devices:
    """The configured microphone and speaker.

    Attributes:
        is_asleep: Tells, in any thread, whether nobody waits for what the microphone hears.
    """

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet.

        Args:
            settings: Their section `audio` names them.
        """
        self.is_asleep: Callable[[], bool] = lambda: False
        self._library = PortAudio()
        self._wanted: dict[Kind, str | int] = {
            "microphone": settings.audio.microphone,
            "speaker": settings.audio.speaker,
        }
        self._microphone: OpenedAhead[MicrophoneStream] | None = None
        self._speaker: OpenedAhead[SpeakerStream] | None = None

    def open_ahead(self, *, with_microphone: bool) -> None:
        """Begin to open the speaker, and the microphone unless it is to stay closed."""
        self._speaker = OpenedAhead(self._open_speaker)
        if with_microphone:
            self._microphone = OpenedAhead(self._open_microphone)

    def _remember(self, kind: Kind, stream: AudioStream) -> None:
        # An index means another device when one of them has come or gone.
        if str(self._wanted[kind]).isdecimal():
            self._wanted[kind] = stream.device.name

    def _open_microphone(self, when_audio: Callable[[bytes], None]) -> MicrophoneStream:
        stream = MicrophoneStream(
            self._library,
            self._wanted["microphone"],
            when_audio,
            is_patient=lambda: self.is_asleep(),
        )
        self._remember("microphone", stream)
        return stream

    def open_microphone(self, when_audio: Callable[[bytes], None]) -> MicrophoneStream:
        """Open the microphone, or take what was opened ahead.

        Raises:
            DeviceError: It cannot be opened.
        """
        ahead = self._microphone
        return ahead.open(when_audio) if ahead else self._open_microphone(when_audio)

    def _open_speaker(self, when_played: Callable[[bytes, int], None]) -> SpeakerStream:
        stream = SpeakerStream(self._library, self._wanted["speaker"], when_played=when_played)
        self._remember("speaker", stream)
        return stream

    def open_speaker(self, when_played: Callable[[bytes, int], None]) -> SpeakerStream:
        """Open the speaker, or take what was opened ahead.

        Raises:
            DeviceError: It cannot be opened.
        """
        ahead = self._speaker
        return ahead.open(when_played) if ahead else self._open_speaker(when_played)

    def close(self) -> None:
        """Give back what was opened and not wanted."""
        for ahead in (self._microphone, self._speaker):
            if ahead is not None:
                ahead.close()


def device_transport(
    settings: Settings,
    echo: Echo | None = None,
    *,
    devices: Devices | None = None,
    only_speaks: bool = False,
    sounds: Sounds | None = None,
    when_open: Callable[[frozenset[Fault]], None] = lambda faults: None,
    when_note: Callable[[str], None] = lambda text: None,
) -> DeviceTransport:
    """Return the transport between the configured microphone and speaker.

    Args:
        settings: Name the devices, the volume and the chimes.
        echo: Is handed all that is played, and told when a device was opened again.
        devices: The devices; None opens those of the settings.
        only_speaks: Leave the microphone out, and end with an error where the speaker fails.
        sounds: The chimes; those of the settings, if they never change.
        when_open: Called once, when each device works or its fault is known, with the faults.
        when_note: Called with one sentence for each fault, and one for its end.
    """
    opened = devices or Devices(settings)
    played = echo.played if echo else lambda audio, rate_hz: None
    return DeviceTransport(
        open_microphone=None if only_speaks else opened.open_microphone,
        open_speaker=lambda: opened.open_speaker(played),
        speaker_rate_hz=SPEAKER_RATE_HZ,
        volume=settings.audio.volume,
        chimes=(sounds or Sounds(settings.chimes)).held,
        lasting=not only_speaks,
        when_open=when_open,
        when_reopened=echo.reset if echo else lambda: None,
        when_note=when_note,
    )
