"""All checks, in the order in which a person would look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edgebot.config import Settings
from edgebot.doctor.audio import check_cards, check_device
from edgebot.doctor.finding import Finding
from edgebot.doctor.gpio import check_gpio, check_spi
from edgebot.doctor.hearing import hear_probe
from edgebot.doctor.machine import (
    check_disk,
    check_memory,
    check_power,
    check_processor,
    check_temperature,
)
from edgebot.doctor.models import check_models
from edgebot.doctor.probe import Recording, measure
from edgebot.doctor.settings import check_settings
from edgebot.doctor.sound import cancel_echo, explain
from edgebot.errors import DeviceError, EngineError
from edgebot.hw.audio_device import AudioDevice, find_device, list_devices

Hear = Callable[..., Recording]
ROOT = Path("/")


def examine(
    *,
    file: Path | None = None,
    flags: tuple[str, ...] = (),
    environment: Mapping[str, str] = os.environ,
    sound: bool = True,
    when_listening: Callable[[], None] = lambda: None,
    root: Path = ROOT,
) -> Iterator[Finding]:
    """Yield what each check finds, as soon as it is found.

    Args:
        file: The settings file, if not the usual ones.
        flags: `section.key=value` assignments.
        environment: The variables.
        sound: Play and listen as well.
        when_listening: Called right before that.
        root: Where /proc, /sys and /dev are looked for.
    """
    findings, settings = check_settings(file=file, flags=flags, environment=environment)
    yield from findings
    findings, memory_bytes = check_models(settings)
    yield from findings
    yield check_memory(root, memory_bytes)
    yield check_disk(settings.models.dir)
    yield check_processor(root)
    yield check_temperature(root)
    yield check_power(root)
    yield from check_gpio(settings.panel, settings.light, root, environment=environment)
    if spi := check_spi(settings.light, root):
        yield spi
    yield from check_cards(root, settings.board)
    yield from _audio(settings, root, when_listening if sound else None)


def _audio(
    settings: Settings, root: Path, when_listening: Callable[[], None] | None
) -> Iterator[Finding]:
    try:
        devices = list_devices()
    except OSError as error:
        text = f"The sound library does not start: {error.strerror or error}."
        yield Finding("fault", "sound", text, "Restart the sound server, or the machine.")
        return
    microphone_found, microphone = check_device(
        "microphone", settings.audio.microphone, root, find=find_device, devices=devices
    )
    speaker_found, speaker = check_device(
        "speaker", settings.audio.speaker, root, find=find_device, devices=devices
    )
    yield from (microphone_found, speaker_found)
    if when_listening is None:
        yield Finding("skipped", "hearing", "Left out, as asked for.")
    elif microphone is None or speaker is None:
        missing = "microphone" if microphone is None else "speaker"
        yield Finding("skipped", "hearing", f"Nothing to try without a {missing}.")
    elif settings.audio.volume == 0:
        text = "audio.volume is 0: nothing is ever heard."
        yield Finding("warning", "hearing", text, "Set it to 1.0 and try again.")
    else:
        when_listening()
        yield from listen(settings, microphone, speaker)


def listen(
    settings: Settings,
    microphone: AudioDevice,
    speaker: AudioDevice,
    hear: Hear = hear_probe,
) -> Iterator[Finding]:
    """Play and listen, and yield what it means."""
    volume = settings.audio.volume
    try:
        recording = hear(microphone, speaker, volume=volume)
        wanted = settings.echo.cancel != "off"
        measured = measure(recording, cancel_echo if wanted else None)
    except DeviceError as error:
        yield Finding("fault", "hearing", str(error))
        return
    except EngineError as error:
        yield Finding("fault", "echo", f"{error}.", "Install edgebot anew.")
        measured = measure(recording)
    yield from explain(measured, volume=volume, interrupt=settings.turn.interrupt)
