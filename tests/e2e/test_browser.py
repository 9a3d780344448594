"""A real Chromium with a recorded voice calls the bridge, and real engines answer.

PICTURES_FOLDER names a folder that keeps what was seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
import soxr

from edgebot.stages.recording import write_wav
from tests.browser import CHROMIUM, Page, browser
from tests.conftest import LLM, STT, TTS, Heard, Spoken, likeness

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="this needs Chromium: apt install chromium"
)

QUESTION = "What is the capital of France?"
GREETING = "Hello, I am Edgebot. How can I help you?"
RATE_HZ = 48_000
PATIENCE_S = 60.0


@dataclass
class Box:
    """The two processes, and the link that the bridge shows."""

    link: str
    engine: asyncio.subprocess.Process
    bridge: asyncio.subprocess.Process

    @property
    def origin(self) -> str:
        return self.link.partition("/client")[0]


@contextlib.asynccontextmanager
async def process(
    *arguments: str, until: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a module, and yield the line that says that it is ready."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        line = ""
        while until not in line:
            line = (await asyncio.wait_for(running.stdout.readline(), PATIENCE_S)).decode()
            assert line, "it ended before it was ready"
        yield running, line.strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), PATIENCE_S) == 0


@contextlib.asynccontextmanager
async def box(folder: Path, models: Path) -> AsyncIterator[Box]:
    socket = folder / "run" / "calls.sock"
    flags = [
        f"models.dir={models}",
        f"stt.model={STT}",
        f"llm.model={LLM}",
        f"tts.model={TTS}",
    ]
    async with (
        process("tests.engine", str(socket), *flags, until="ready") as (engine, _),
        process(
            "edgebot", "--set", "bridge.port=0", "bridge", "--engine", str(socket), until="token="
        ) as (bridge, link),
    ):
        yield Box(link, engine, bridge)


@pytest.fixture
def microphone(spoken: Spoken, tmp_path: Path) -> Path:
    """Silence while it greets, a question, and silence while it answers."""
    samples, rate_hz = soundfile.read(spoken(QUESTION), dtype="float32")
    voice = soxr.resample(samples, rate_hz, RATE_HZ)
    whole = np.concatenate([np.zeros(RATE_HZ * 6), voice, np.zeros(RATE_HZ * 12)])
    file = tmp_path / "microphone.wav"
    write_wav(file, (whole * 32767).astype("<i2").tobytes(), RATE_HZ)
    return file


# The browser records what it plays.
RECORD = """(() => {
    const context = new AudioContext({ sampleRate: 24000 });
    const source = context.createMediaStreamSource(document.getElementById("voice").srcObject);
    const tap = context.createScriptProcessor(4096, 1, 1);
    window.kept = [];
    tap.onaudioprocess = (event) => window.kept.push(...event.inputBuffer.getChannelData(0));
    source.connect(tap);
    tap.connect(context.destination);
})()"""
KEPT = "window.kept.map((sample) => Math.round(sample * 32767)).join(' ')"


async def press_call(page: Page) -> None:
    await page.run("document.getElementById('call').click()")
    await page.until("document.getElementById('voice').srcObject")


async def picture(page: Page, name: str) -> None:
    folder = os.environ.get("PICTURES_FOLDER")
    if folder:
        await page.picture(Path(folder) / f"{name}.png")


async def test_a_person_with_a_browser_asks_and_hears_the_answer(
    tmp_path: Path, models_dir: Path, microphone: Path, heard: Heard
) -> None:
    async with box(tmp_path, models_dir) as found, browser(microphone) as page:
        await page.resize(390, 844, phone=True)
        await page.open(found.link)
        assert await page.run("location.href") == f"{found.origin}/client"
        await press_call(page)
        await page.run(RECORD)
        await page.until("document.querySelector('li.it')?.textContent.includes('help you?')")
        question = await page.until("document.querySelector('li.you .final')?.textContent")
        # The browser's own noise suppression may take the edge off the first word.
        assert likeness(question, QUESTION) > 0.6
        assert "capital of France" in question
        await page.until("document.querySelectorAll('li.it small.times').length")
        answer = await page.run("document.querySelectorAll('li.it')[1].firstChild.textContent")
        assert "Paris" in answer
        latency_ms = await page.until("Number(document.getElementById('latency').dataset.ms)")
        assert 100 < latency_ms < 10_000
        await page.until("document.getElementById('state').textContent === 'listening'")
        await picture(page, "phone")
        # Nothing is wider than the telephone.
        assert await page.run("document.documentElement.scrollWidth") == 390
        await page.resize(1100, 800, phone=False)
        await picture(page, "desk")

        samples = np.array([int(n) for n in (await page.run(KEPT)).split()], dtype="<i2")
        write_wav(tmp_path / "answer.wav", samples.tobytes(), 24_000)
        assert likeness(heard(tmp_path / "answer.wav")[-len(answer) - 20 :], answer) > 0.5

        await page.run("document.getElementById('call').click()")
        await page.until("document.getElementById('call').textContent === 'Call'")
        assert {url.partition("/client")[0].partition("/s")[0] for url in page.requests} == {
            found.origin
        }
        assert page.troubles == []
        print(f"\nvoice to voice, as the page measures it: {latency_ms} ms")


async def test_the_page_says_in_words_what_is_wrong(
    tmp_path: Path, models_dir: Path, microphone: Path
) -> None:
    async with box(tmp_path, models_dir) as found, browser(microphone) as page:
        await page.resize(390, 844, phone=True)
        trouble = "document.getElementById('trouble')"

        async def told() -> str:
            await page.run("document.getElementById('call').click()")
            return str(await page.until(f"!{trouble}.hidden && {trouble}.textContent"))

        await page.open(f"{found.origin}/client")
        assert await told() == (
            "This link has no token: open the link that `edgebot bridge` shows."
        )
        await page.open(f"{found.origin}/client?again#token=wrong")
        assert await told() == (
            "The token is missing or wrong: open the link that `edgebot bridge` shows."
        )
        await picture(page, "wrong-token")
        async with browser(microphone) as other:
            await other.open(found.link)
            await press_call(other)
            await page.run(f"location.hash = '{found.link.partition('#')[2]}'; location.reload()")
            await page.until("document.readyState === 'complete' && document.title")
            await asyncio.sleep(1)
            assert await told() == "Somebody else is talking to it. Please try again later."
            await picture(page, "busy")
        assert await page.run("document.getElementById('call').textContent") == "Call"


async def test_mute_and_typing(tmp_path: Path, models_dir: Path, microphone: Path) -> None:
    async with box(tmp_path, models_dir) as found, browser(microphone) as page:
        await page.open(found.link)
        await press_call(page)
        await page.run("document.getElementById('mute').click()")
        assert await page.run("document.getElementById('mute').textContent") == "Muted"
        await page.until("document.querySelector('li.it')?.textContent.includes('help you?')")
        await page.run(
            f"document.getElementById('text').value = '{QUESTION}';"
            "document.getElementById('type').requestSubmit()"
        )
        answer = await page.until("document.querySelectorAll('li.it')[1]?.textContent")
        assert "Paris" in answer
        await page.until("document.getElementById('state').textContent === 'listening'")
        # What is spoken into a closed microphone is not heard.
        await asyncio.sleep(8)
        assert await page.run("document.querySelectorAll('li.you').length") == 1


async def test_ten_calls_in_a_row_leave_nothing_behind(
    tmp_path: Path, models_dir: Path, microphone: Path
) -> None:
    async with box(tmp_path, models_dir) as found, browser(microphone) as page:
        await page.open(found.link)

        async def one() -> None:
            await press_call(page)
            await page.until("document.getElementById('state').textContent === 'speaking'")
            await page.run("document.getElementById('call').click()")
            await page.until("document.getElementById('call').textContent === 'Call'")

        def kept() -> list[tuple[int, int]]:
            found_ones = [psutil.Process(one.pid) for one in (found.engine, found.bridge)]
            return [(one.num_fds(), one.num_threads()) for one in found_ones]

        def memory_mb() -> float:
            return (
                sum(
                    psutil.Process(one.pid).memory_info().rss
                    for one in (found.engine, found.bridge)
                )
                / 1e6
            )

        for _ in range(3):
            await one()
        await asyncio.sleep(2)
        before, before_mb = kept(), memory_mb()
        for _ in range(10):
            await one()
        await asyncio.sleep(2)
        after = kept()
        assert [fds for fds, _ in after] == [fds for fds, _ in before]
        # asyncio's own pool of threads fills up to its size, and no further.
        pool = (os.cpu_count() or 1) + 4
        assert all(new <= old + pool for (_, new), (_, old) in zip(after, before, strict=True))
        assert memory_mb() - before_mb < 40
        print(f"\nafter ten calls: {memory_mb() - before_mb:+.1f} MB, {kept()}")


CLIENT = Path(__file__).parent / "official_client"


@pytest.fixture(scope="module")
def official_client(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pipecat's own JavaScript client, from its registry, as one script."""
    if shutil.which("npm") is None:
        pytest.skip("this needs npm: apt install npm")
    folder = tmp_path_factory.mktemp("official")
    for file in CLIENT.iterdir():
        shutil.copy(file, folder)
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    for command in (
        ["npm", "install", *quiet],
        [
            "npx",
            "esbuild",
            "main.js",
            "--bundle",
            "--format=iife",
            "--global-name=official",
            "--outfile=official.js",
            "--log-level=error",
        ],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=300)
    return (folder / "official.js").read_text(encoding="utf-8")


async def test_the_official_client_works_as_it_is(
    tmp_path: Path, models_dir: Path, microphone: Path, official_client: str
) -> None:
    async with box(tmp_path, models_dir) as found, browser(microphone) as page:
        # Its sound goes through a script that it makes itself, which our own page would forbid.
        await page.ask("Page.setBypassCSP", enabled=True)
        await page.open(f"{found.origin}/client")
        await page.run(official_client + "\n; window.official = official; 0")
        token = found.link.partition("token=")[2]
        await page.run(f"official.call('{token}').then((client) => {{ window.client = client; }})")

        async def event(name: str, test: str = "true") -> Any:
            look = f"official.events.find((one) => one.name === '{name}' && {test})"
            return (await page.until(look)).get("data")

        assert (await event("ready"))["version"].startswith("2.")
        assert "help you?" in (await event("said"))["text"]
        heard = await event("heard", "one.data.final")
        assert "capital of France" in heard["text"]
        turn = await event("server", "one.data.type === 'turn' && one.data.heard")
        assert "Paris" in turn["said"]
        assert set(turn["times_s"]) >= {"end of turn", "first token", "first sound"}
        await event("metrics")
        await page.run("window.client.disconnect()")
        await event("disconnected")
        assert not await page.run("official.events.some((one) => one.name === 'error')")
        assert {url.partition("/client")[0].partition("/s")[0] for url in page.requests} <= {
            found.origin,
            "blob:" + found.origin,
        }
