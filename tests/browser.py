"""A real Chromium without a window, spoken to by its own protocol; it hears a recording."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_S = 60.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Nothing of its own goes out: only what the page asks for is seen.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)


class Page:
    """One page.

    Attributes:
        requests: Every address that was asked for.
        troubles: What the browser's console says is wrong.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.troubles: list[str] = []
        self._socket = socket
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        """Take what the browser tells, until it is gone."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            elif told["method"] == "Runtime.exceptionThrown":
                self.troubles.append(json.dumps(told["params"]["exceptionDetails"]))
            elif told["method"] == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
                self.troubles.append(told["params"]["entry"]["text"])

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._sent += 1
        answer = self._waiting[self._sent] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        told = await asyncio.wait_for(answer, PATIENCE_S)
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def run(self, script: str) -> Any:
        """Return what an expression is; a promise is waited for."""
        result = await self.ask(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, script: str, patience_s: float = PATIENCE_S) -> Any:
        """Wait until an expression is true; return it."""
        look = f"""new Promise((done, failed) => {{
            const timer = setInterval(() => {{
                const found = {script};
                if (found) {{ clearInterval(timer); done(found); }}
            }}, 50);
            setTimeout(() => failed(new Error("never true")), {patience_s * 1000 - 1000});
        }})"""
        return await asyncio.wait_for(self.run(look), patience_s)

    async def open(self, url: str) -> None:
        """Open an address and wait until it is there."""
        await self.ask("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && document.title")

    async def picture(self, file: Path) -> None:
        """Keep what is seen."""
        shot = await self.ask("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))

    async def resize(self, width: int, height: int, *, phone: bool) -> None:
        """Be as large as something else."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )


@contextlib.asynccontextmanager
async def browser(microphone: Path, *flags: str) -> AsyncIterator[Page]:
    """Yield an empty page of a browser that hears a recording, over and over."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *FLAGS,
            f"--use-file-for-fake-audio-capture={microphone}",
            f"--user-data-dir={folder}",
            *flags,
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            port = await asyncio.wait_for(_port(process), PATIENCE_S)
            async with aiohttp.ClientSession() as http:
                async with http.get(f"http://127.0.0.1:{port}/json") as response:
                    targets = await response.json()
                target = next(one for one in targets if one["type"] == "page")
                async with http.ws_connect(
                    target["webSocketDebuggerUrl"], max_msg_size=0
                ) as socket:
                    page = Page(socket)
                    listening = asyncio.create_task(page.listen())
                    for domain in ("Page", "Runtime", "Network", "Log"):
                        await page.ask(f"{domain}.enable")
                    yield page
                await listening
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def _port(process: asyncio.subprocess.Process) -> int:
    """Read from what the browser says where it listens."""
    assert process.stderr is not None
    async for line in process.stderr:
        text = line.decode(errors="replace")
        if "DevTools listening on" in text:
            return int(text.rpartition("127.0.0.1:")[2].partition("/")[0])
    raise AssertionError("the browser does not start")
