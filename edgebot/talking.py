"""A conversation through the microphone and the speaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams

from edgebot.app import Conversation, assemble, load_engines
from edgebot.config import AudioSettings, Settings
from edgebot.hw.audio_device import (
    MICROPHONE_RATE_HZ,
    AudioDevice,
    find_device,
    quiet_stderr,
    silence_alsa,
)
from edgebot.observe.state import StateObserver
from edgebot.observe.turns import Turn, TurnObserver
from edgebot.state import AssistantState


async def talk(
    settings: Settings,
    *,
    when_note: Callable[[str], None],
    when_ready: Callable[[], None],
    when_state: Callable[[AssistantState], None],
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
    stages = await assemble(settings, engines)
    turns = TurnObserver(when_heard=when_heard, when_said=when_said)
    turns.watch(stages.user, stages.assistant)
    states = StateObserver(when_state)

    async def ready() -> None:
        when_ready()
        states.ready()

    await Conversation(
        settings,
        stages,
        local_transport(settings.audio, microphone, speaker),
        rate_hz=speaker.rate_hz,
        observers=[turns, states],
        when_ready=ready,
    ).run()


def local_transport(
    audio: AudioSettings, microphone: AudioDevice, speaker: AudioDevice
) -> LocalAudioTransport:
    """Return Pipecat's own transport for two devices."""
    params = speaker_params(audio, speaker)
    params.audio_in_enabled = True
    params.audio_in_sample_rate = MICROPHONE_RATE_HZ
    params.input_device_index = microphone.index
    return open_transport(params)


def speaker_transport(audio: AudioSettings) -> tuple[LocalAudioTransport, int]:
    """Return a transport that only plays, and the rate that it plays at.

    Raises:
        DeviceError: The speaker cannot be used.
    """
    speaker = find_device("speaker", audio.speaker)
    return open_transport(speaker_params(audio, speaker)), speaker.rate_hz


def speaker_params(audio: AudioSettings, speaker: AudioDevice) -> LocalAudioTransportParams:
    """Return what Pipecat must know of a speaker."""
    return LocalAudioTransportParams(
        audio_out_enabled=True,
        audio_out_sample_rate=speaker.rate_hz,
        audio_out_volume=audio.volume,
        audio_out_end_silence_secs=0,
        output_device_index=speaker.index,
    )


def open_transport(params: LocalAudioTransportParams) -> LocalAudioTransport:
    """Open PortAudio without its chatter."""
    with quiet_stderr():
        transport = LocalAudioTransport(params)
    silence_alsa()
    return transport
