"""A conversation through the microphone and the speaker."""

from __future__ import annotations

from collections.abc import Callable

from edgebot.app import Conversation, assemble, load_engines
from edgebot.chimes import chime
from edgebot.config import Settings
from edgebot.hw.audio_device import Kind
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ, AudioStream, MicrophoneStream, SpeakerStream
from edgebot.hw.port_audio import PortAudio
from edgebot.observe.state import StateObserver
from edgebot.observe.turns import Turn, TurnObserver
from edgebot.stages.device import DeviceTransport
from edgebot.state import Facts


async def talk(
    settings: Settings,
    *,
    when_note: Callable[[str], None],
    when_ready: Callable[[], None],
    when_state: Callable[[Facts], None],
    when_heard: Callable[[str], None],
    when_said: Callable[[Turn], None],
) -> None:
    """Converse until SIGINT or SIGTERM.

    Args:
        settings: All of them.
        when_note: Called with what a person should know of the engines.
        when_ready: Called when it listens.
        when_state: Called with each new state.
        when_heard: Called with each question.
        when_said: Called with each turn when its answer was spoken.

    Raises:
        EdgebotError: A model or an engine cannot be used.
    """
    engines = await load_engines(settings)
    for note in engines.notes:
        when_note(note)
    stages = await assemble(settings, engines, sleeps=True)
    turns = TurnObserver(when_heard=when_heard, when_said=when_said)
    turns.watch(stages.user, stages.assistant)
    states = StateObserver(when_state, awake=settings.wake.mode == "always")

    def ready() -> None:
        when_ready()
        states.ready()

    await Conversation(
        settings,
        stages,
        device_transport(settings, when_open=ready, when_note=when_note),
        rate_hz=SPEAKER_RATE_HZ,
        observers=[turns, states],
        when_trouble=when_note,
    ).run()


def device_transport(
    settings: Settings,
    *,
    only_speaks: bool = False,
    when_open: Callable[[], None] = lambda: None,
    when_played: Callable[[bytes, int], None] | None = None,
    when_reopened: Callable[[], None] = lambda: None,
    when_note: Callable[[str], None] = lambda text: None,
) -> DeviceTransport:
    """Return the transport between the configured microphone and speaker.

    Args:
        settings: Name the devices, the volume and the chimes.
        only_speaks: Leave the microphone out, and end with an error where the speaker fails.
        when_open: Called once, when each device works or its fault is known.
        when_played: Called in PortAudio's thread with all that is handed to the speaker, silence
            too, as 16-bit mono PCM, and its rate.
        when_reopened: Called when a device was opened again.
        when_note: Called with one sentence for each fault, and one for its end.
    """
    library = PortAudio()
    wanted: dict[Kind, str | int] = {
        "microphone": settings.audio.microphone,
        "speaker": settings.audio.speaker,
    }

    def remember(kind: Kind, stream: AudioStream) -> None:
        # An index means another device when one of them has come or gone.
        if str(wanted[kind]).isdecimal():
            wanted[kind] = stream.device.name

    def open_microphone(when_audio: Callable[[bytes], None]) -> MicrophoneStream:
        stream = MicrophoneStream(library, wanted["microphone"], when_audio)
        remember("microphone", stream)
        return stream

    def open_speaker() -> SpeakerStream:
        stream = SpeakerStream(library, wanted["speaker"], when_played=when_played)
        remember("speaker", stream)
        return stream

    volume = settings.chimes.volume
    return DeviceTransport(
        open_microphone=None if only_speaks else open_microphone,
        open_speaker=open_speaker,
        speaker_rate_hz=SPEAKER_RATE_HZ,
        volume=settings.audio.volume,
        chimes={name: chime(name, SPEAKER_RATE_HZ, volume) for name in settings.chimes.play},
        lasting=not only_speaks,
        when_open=when_open,
        when_reopened=when_reopened,
        when_note=when_note,
    )
