"""From a voice to silence at the sink, under PulseAudio: python -m benchmarks.barge_in FOLDER

The whole conversation with its real engines speaks a long sentence into a null sink, and people of
`orders/` speak into it; no echo comes back, which `benchmarks.echo` has. Timed from the first of
their sound at the microphone's sink to the last of its own at the speaker's, each up to some 10 ms
late.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path

from loguru import logger

logger.remove()

from pipecat.frames.frames import InterruptionFrame, TTSSpeakFrame  # noqa: E402

from benchmarks.wake import first_sound  # noqa: E402
from edgebot.app import Box, Conversation, assemble, load_engines  # noqa: E402
from edgebot.config import load_settings  # noqa: E402
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ  # noqa: E402
from edgebot.stages.recording import RATE_HZ, read_recording, write_wav  # noqa: E402
from edgebot.talking import device_transport  # noqa: E402
from tests.e2e.harness import Ear, VirtualSound  # noqa: E402

STORY = (
    "Once there was an old king who lived in a castle above a wide green valley with many little "
    "villages and every morning he went down to the river and looked at the water and the boats "
    "and the people who worked in the fields until the sun stood high above the mountains"
)
# No pause within the story is as long.
SILENCE_S = 0.5
NEVER_S = 6.0


class Person:
    """Speaks into the microphone."""

    def __init__(self, sound: VirtualSound, file: Path) -> None:
        """Cut off what is before the first sound."""
        audio = read_recording(file, file.name).audio
        self._wav = sound.home / "person.wav"
        self._environment = sound.environment
        write_wav(self._wav, audio[first_sound(audio) * 2 :], RATE_HZ)

    async def speak(self) -> None:
        command = ["paplay", "--device=mic", str(self._wav)]
        process = await asyncio.create_subprocess_exec(*command, env=self._environment)
        await process.wait()


async def measure(
    sound: VirtualSound, mic: Ear, spk: Ear, files: list[Path], flags: list[str]
) -> list[float]:
    settings = load_settings(flags=["wake.mode=always", "chimes.volume=0", *flags], environment={})
    opened = asyncio.Event()
    stages = await assemble(settings, await load_engines(settings), Box("virtual", print))
    transport = device_transport(settings, stages.echo, when_open=lambda faults: opened.set())
    conversation = Conversation(settings, stages, transport, rate_hz=SPEAKER_RATE_HZ)
    running = asyncio.create_task(conversation.run())
    await opened.wait()
    delays = []
    for file in files:
        person, asked_s = Person(sound, file), time.monotonic()
        await conversation.worker.queue_frame(TTSSpeakFrame(STORY))
        await asyncio.to_thread(spk.wait_for_sound, asked_s, 10)
        await asyncio.sleep(3.0)
        began_s = time.monotonic()
        speaking = asyncio.create_task(person.speak())
        loud = await asyncio.to_thread(mic.wait_for_sound, began_s, 5)
        try:
            silent = await asyncio.to_thread(
                spk.wait_for_silence, loud, lasts_s=SILENCE_S, timeout_s=NEVER_S
            )
            delays.append(silent - loud)
        except TimeoutError:
            print(f"  {file.stem[:8]} was not taken", flush=True)
        await speaking
        await asyncio.sleep(1.5)
        await conversation.worker.queue_frame(InterruptionFrame())
        await asyncio.sleep(1.5)
    await conversation.worker.cancel()
    await running
    return delays


def main() -> None:
    """Let people speak into its answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args()
    models = f"models.dir={load_settings(flags=[], environment={}).models.dir}"
    recorded = sorted((options.folder / "orders").glob("*.wav"))
    files = [recorded[number % len(recorded)] for number in range(options.people)]
    with VirtualSound() as sound:
        os.environ |= sound.environment
        with sound.hear("mic") as mic, sound.hear("spk") as spk:
            flags = [models, *options.settings]
            delays_ms = [
                1000 * delay for delay in asyncio.run(measure(sound, mic, spk, files, flags))
            ]
    print(
        f"voice to silence at the sink, {len(delays_ms)} of {len(files)} people taken: median "
        f"{statistics.median(delays_ms):.0f} ms, worst {max(delays_ms):.0f} ms"
    )


if __name__ == "__main__":
    main()
