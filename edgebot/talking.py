"""A conversation through the microphone and the speaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edgebot.app import Conversation, assemble, load_engines
from edgebot.config import AudioSettings, Settings
from edgebot.hw.audio_device import MICROPHONE_RATE_HZ, AudioDevice, find_device
from edgebot.hw.audio_stream import MicrophoneStream, SpeakerStream
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
        EdgebotError: A device, a model or an engine cannot be used.
    """
    speaker = await asyncio.to_thread(find_device, "speaker", settings.audio.speaker)
    microphone = await asyncio.to_thread(find_device, "microphone", settings.audio.microphone)
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
        device_transport(settings.audio, speaker, microphone, when_open=ready),
        rate_hz=speaker.rate_hz,
        observers=[turns, states],
        when_trouble=when_note,
    ).run()


def device_transport(
    audio: AudioSettings,
    speaker: AudioDevice,
    microphone: AudioDevice | None = None,
    *,
    when_open: Callable[[], None] = lambda: None,
) -> DeviceTransport:
    """Return the transport for a speaker and, unless it is only to speak, a microphone."""

    def open_microphone(when_audio: Callable[[bytes], None]) -> MicrophoneStream:
        assert microphone is not None
        return MicrophoneStream(microphone, MICROPHONE_RATE_HZ, when_audio)

    return DeviceTransport(
        open_microphone=open_microphone if microphone else None,
        open_speaker=lambda: SpeakerStream(speaker, speaker.rate_hz),
        speaker_rate_hz=speaker.rate_hz,
        volume=audio.volume,
        when_open=when_open,
    )
