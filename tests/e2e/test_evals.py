"""Pipecat's evals against the bot, with local models on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from pipecat.evals.scenario import EvalScenarioFile
from pipecat.evals.session import EvalSession, EvalSessionParams

from tests.conftest import LLM, STT, TTS

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
FILE = EvalScenarioFile.load(ROOT / "evals" / "conversations.yaml")


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Run the bot as its documentation says; yield where evals find it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edgebot.bot",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"http://127.0.0.1:{port}/status"):
                        break
                await asyncio.sleep(0.2)
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE_S)


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, models_dir: Path, make_settings: object) -> None:
    for name, value in {
        "MODELS__DIR": str(models_dir),
        "STT__MODEL": STT,
        "LLM__MODEL": LLM,
        "TTS__MODEL": TTS,
    }.items():
        monkeypatch.setitem(os.environ, f"EDGEBOT_{name}", value)
    monkeypatch.syspath_prepend(str(ROOT))


def test_each_kind_of_conversation_is_there() -> None:
    names = [scenario.name.rpartition("/")[2] for scenario in FILE]
    assert names == ["greeting", "question", "interruption", "follow_up", "stop"]


@pytest.mark.skipif(
    "RUN_EVALS" not in os.environ,
    reason="judges what a language model says, in real time: RUN_EVALS=1 runs it",
)
async def test_the_conversations(tmp_path: Path) -> None:
    params = EvalSessionParams(default_timeout_ms=30_000, cache_dir=str(tmp_path))
    failures = []
    async with serving() as url:
        for scenario in FILE:
            result = await EvalSession.from_scenario(scenario, url, params=params).run()
            if not result.passed:
                failures.append((scenario.name, result))
    assert failures == []
