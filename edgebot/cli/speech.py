"""The verbs that only speak or only listen."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgebot.cli.console import out
from edgebot.cli.options import settings_of


def say(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.wav", help="Into a file, not the speaker."),
    ] = None,
) -> None:
    """Say a text with the assistant's voice: [bold]edgebot say "The tea is ready."[/]"""
    settings = settings_of(context)
    words = sys.stdin.read() if text == "-" else text
    if not words.strip():
        raise typer.BadParameter("there is nothing to say")
    from edgebot import speaking

    if output is not None:
        from edgebot.stages.recording import write_wav

        [(audio, rate_hz)] = asyncio.run(speaking.synthesize(settings, [words]))
        write_wav(output, audio, rate_hz)
        return
    from edgebot.hw.audio_device import find_device
    from edgebot.hw.audio_stream import SPEAKER_RATE_HZ
    from edgebot.talking import device_transport

    find_device("speaker", settings.audio.speaker)
    transport = device_transport(settings, only_speaks=True)
    asyncio.run(speaking.say(settings, transport, words, rate_hz=SPEAKER_RATE_HZ))


def listen(
    context: typer.Context,
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING.wav...", help="- is standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a file.")] = False,
) -> None:
    """Print what is heard in recordings, a line each: [bold]edgebot listen NOTE.wav[/]"""
    settings = settings_of(context)
    from edgebot.stages.recording import read_recording

    read = [
        read_recording(sys.stdin.buffer, "standard input")
        if name == "-"
        else read_recording(Path(name), name)
        for name in recordings
    ]
    from edgebot.listening import transcribe

    for recording, heard in zip(read, asyncio.run(transcribe(settings, read)), strict=True):
        if as_json:
            out.print(json.dumps({"file": recording.name, "heard": heard}), markup=False)
        elif len(read) == 1:
            out.print(heard, markup=False)
        else:
            out.print(f"{recording.name}: {heard}", markup=False)
