"""A real Chromium with a recorded voice calls the bridge, and real engines answer.

PICTURES_FOLDER names a folder that keeps what was seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
import soxr

from edgebot.hw.gestures import Action
from edgebot.stages.recording import write_wav
from tests.browser import CHROMIUM, Page, browser
from tests.conftest import LLM, STT, TTS, Heard, Spoken, likeness
from tests.e2e.harness import Program, wait_until

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="this needs Chromium: apt install chromium"
)

QUESTION = "What is the capital of France?"
GREETING = "Hello, I am Edgebot. How can I help you?"
RATE_HZ = 48_000
# Before the question, while it greets.
SILENCE_S = 6
PATIENCE_S = 60.0


@dataclass
class Box:
    """The two processes, and the link that the bridge shows."""

    link: str
    engine: Program
    bridge: Program

    @property
    def origin(self) -> str:
        return self.link.partition("/client")[0]

    @property
    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(one.process.pid) for one in (self.engine, self.bridge)]

    async def until_free(self) -> None:
        """Wait until the last call has left nothing behind."""

        def is_free() -> bool:
            return self.engine.text.count("begins") == self.engine.text.count("ends")

        await asyncio.to_thread(wait_until, is_free, PATIENCE_S, "the end of a call")

    def do(self, action: Action) -> None:
        """Let a hand do something at the box's panel."""
        stdin = self.engine.process.stdin
        assert stdin is not None
        stdin.write(f"{action.value}\n")
        stdin.flush()


@contextlib.contextmanager
def running(socket: Path, *flags: str) -> Iterator[Box]:
    python, environment = [sys.executable, "-u", "-m"], dict(os.environ)
    bridge = ["edgebot", "--set", "bridge.port=0", "bridge", "--engine", str(socket)]
    command = [*python, "tests.engine", str(socket), *flags]
    with Program(command, environment, subprocess.PIPE) as engine:
        engine.wait_for("ready", PATIENCE_S)
        with Program([*python, *bridge], environment) as bridging:
            link = bridging.wait_for(r"http\S+token=\S+", PATIENCE_S)[0]
            yield Box(link, engine, bridging)
            assert bridging.end() == 0
        assert engine.end() == 0


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Box]:
    """Both processes with real models, for all tests of this module."""
    flags = (f"models.dir={models_dir}", f"stt.model={STT}", f"llm.model={LLM}", f"tts.model={TTS}")
    with running(tmp_path_factory.mktemp("run") / "calls.sock", *flags) as found:
        yield found


@pytest.fixture
def microphone(spoken: Spoken, tmp_path: Path) -> Path:
    """Silence while it greets, a question, and silence while it answers."""
    samples, rate_hz = soundfile.read(spoken(QUESTION), dtype="float32")
    voice = soxr.resample(samples, rate_hz, RATE_HZ)
    whole = np.concatenate([np.zeros(RATE_HZ * SILENCE_S), voice, np.zeros(RATE_HZ * 12)])
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
# The answer behind the greeting; what it says comes in the pieces in which it is spoken.
SAID = (
    "[...(document.querySelectorAll('li.it')[1]?.querySelectorAll('span') ?? [])]"
    ".map((piece) => piece.textContent).join('')"
)
KEPT = "window.kept.map((sample) => Math.round(sample * 32767)).join(' ')"


async def press_call(page: Page) -> None:
    await page.run("document.getElementById('call').click()")
    await page.until("document.getElementById('voice').srcObject")


async def picture(page: Page, name: str) -> None:
    folder = os.environ.get("PICTURES_FOLDER")
    if folder:
        await page.picture(Path(folder) / f"{name}.png")


async def test_a_person_with_a_browser_asks_and_hears_the_answer(
    box: Box, tmp_path: Path, microphone: Path, heard: Heard
) -> None:
    async with browser(microphone) as page:
        await page.resize(390, 844, phone=True)
        await page.open(box.link)
        assert await page.run("location.href") == f"{box.origin}/client"
        await press_call(page)
        await page.run(RECORD)
        await page.until("document.querySelector('li.it')?.textContent.includes('help you?')")
        question = await page.until("document.querySelector('li.you .final')?.textContent")
        # The browser's own noise suppression may take the edge off the first word.
        assert likeness(question, QUESTION) > 0.6
        assert "capital of France" in question
        await page.until("document.querySelectorAll('li.it small.times').length")
        answer = await page.until(f"{SAID}.includes('Paris') && {SAID}")
        assert (
            await page.run("document.querySelectorAll('li.it')[1].lastChild.className") == "times"
        )
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
            box.origin
        }
        assert page.troubles == []
        print(f"\nvoice to voice, as the page measures it: {latency_ms} ms")


async def test_the_page_says_in_words_what_is_wrong(box: Box, microphone: Path) -> None:
    await box.until_free()
    async with browser(microphone) as page:
        await page.resize(390, 844, phone=True)
        trouble = "document.getElementById('trouble')"

        async def told() -> str:
            await page.run("document.getElementById('call').click()")
            return str(await page.until(f"!{trouble}.hidden && {trouble}.textContent"))

        await page.open(f"{box.origin}/client")
        assert await told() == (
            "This link has no token: open the link that `edgebot bridge` shows."
        )
        await page.open(f"{box.origin}/client?again#token=wrong")
        assert await told() == (
            "The token is missing or wrong: open the link that `edgebot bridge` shows."
        )
        await picture(page, "wrong-token")
        async with browser(microphone) as other:
            await other.open(box.link)
            await press_call(other)
            await page.run(f"location.hash = '{box.link.partition('#')[2]}'; location.reload()")
            await page.until("document.readyState === 'complete' && document.title")
            await asyncio.sleep(1)
            assert await told() == "Somebody else is talking to it. Please try again later."
            await picture(page, "busy")
        assert await page.run("document.getElementById('call').textContent") == "Call"


async def test_mute_and_typing(box: Box, microphone: Path) -> None:
    await box.until_free()
    async with browser(microphone) as page:
        await page.open(box.link)
        began = time.monotonic()
        await press_call(page)
        await page.run("document.getElementById('mute').click()")
        assert await page.run("document.getElementById('mute').textContent") == "Muted"
        await page.until("document.querySelector('li.it')?.textContent.includes('help you?')")
        await page.run(
            f"document.getElementById('text').value = '{QUESTION}';"
            "document.getElementById('type').requestSubmit()"
        )
        await page.until(f"{SAID}.includes('Paris')")
        await page.until("document.getElementById('state').textContent === 'listening'")
        # What is spoken into a closed microphone is not heard, nor a little later.
        await asyncio.sleep(max(0.0, began + SILENCE_S + 5.0 - time.monotonic()))
        assert await page.run("document.querySelectorAll('li.you').length") == 1


async def test_a_call_for_the_person_beside_the_box(box: Box, microphone: Path) -> None:
    await box.until_free()
    async with browser(microphone) as page:
        await page.resize(390, 844, phone=True)
        await page.open(box.link)
        state, trouble = "document.getElementById('state')", "document.getElementById('trouble')"
        await page.run("document.querySelector('[value=intercom]').click()")
        await picture(page, "whom")
        await press_call(page)
        await page.until(f"{state}.textContent === 'ringing …'")
        assert await page.run("document.getElementById('type').hidden")
        await picture(page, "ringing")
        box.do(Action.TAKE_CALL)
        await page.until(f"{state}.textContent === 'in a call'")
        await picture(page, "in-a-call")
        box.do(Action.HANG_UP)
        told = await page.until(f"!{trouble}.hidden && {trouble}.textContent")
        assert told == "The other side has hung up."
        await page.until("document.getElementById('call').textContent === 'Call'")
        # The next call is refused.
        await press_call(page)
        await page.until(f"{state}.textContent === 'ringing …'")
        box.do(Action.REFUSE_CALL)
        told = await page.until(f"!{trouble}.hidden && {trouble}.textContent")
        assert told == "Your call was refused."
        assert await page.run("document.documentElement.scrollWidth") == 390
        assert page.troubles == []


async def test_ten_calls_in_a_row_leave_nothing_behind(box: Box, microphone: Path) -> None:
    await box.until_free()
    async with browser(microphone) as page:
        await page.open(box.link)

        async def one() -> None:
            await press_call(page)
            await page.until("document.getElementById('state').textContent === 'speaking'")
            await page.run("document.getElementById('call').click()")
            await page.until("document.getElementById('call').textContent === 'Call'")
            await box.until_free()

        def kept() -> list[tuple[int, int]]:
            return [(one.num_fds(), one.num_threads()) for one in box.processes]

        def memory_mb() -> float:
            return float(sum(one.memory_info().rss for one in box.processes)) / 1e6

        for _ in range(2):
            await one()
        await asyncio.sleep(1)
        before, before_mb = kept(), memory_mb()
        for _ in range(10):
            await one()
        await asyncio.sleep(1)
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
    # npm of the packages that the tests install, or else the machine's own.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    npm, npx = shutil.which("npm", path=path), shutil.which("npx", path=path)
    if npm is None or npx is None:
        pytest.skip("this needs npm: scripts/setup.sh --dev")
    folder = tmp_path_factory.mktemp("official")
    for file in CLIENT.iterdir():
        shutil.copy(file, folder)

    def run(*command: str) -> subprocess.CompletedProcess[bytes]:
        environment = os.environ | {"PATH": path}
        return subprocess.run(command, cwd=folder, env=environment, check=False, timeout=300)

    if run(npm, "ping", "--fetch-retries=0", "--loglevel=error").returncode:
        pytest.skip("this needs the npm registry, which does not answer")
    quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
    run(npm, "install", *quiet).check_returncode()
    bundle = ("--bundle", "--format=iife", "--global-name=official", "--outfile=official.js")
    run(npx, "esbuild", "main.js", *bundle, "--log-level=error").check_returncode()
    return (folder / "official.js").read_text(encoding="utf-8")


async def test_the_official_client_works_as_it_is(
    box: Box, microphone: Path, official_client: str
) -> None:
    await box.until_free()
    async with browser(microphone) as page:
        # Its sound goes through a script that it makes itself, which our own page would forbid.
        await page.ask("Page.setBypassCSP", enabled=True)
        await page.open(f"{box.origin}/client")
        await page.run(official_client + "\n; window.official = official; 0")
        token = box.link.partition("token=")[2]
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
            box.origin,
            "blob:" + box.origin,
        }
