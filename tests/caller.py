"""Somebody who calls by WebRTC: aiortc in the place of a browser, with a recording for a voice."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self

import aiohttp
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

PATIENCE_S = 30.0
RATE_HZ = 48_000
_FRAME = RATE_HZ // 50


class Voice(MediaStreamTrack):
    """A microphone: silence, and what it is told to say, in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[bytes] = []
        self._sent = 0
        self._began: float | None = None

    def say(self, audio: bytes) -> None:
        """Queue 16-bit mono PCM at 48 kHz."""
        size = _FRAME * 2
        self._queue += [
            audio[at : at + size].ljust(size, b"\0") for at in range(0, len(audio), size)
        ]

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._began = loop.time() if self._began is None else self._began
        await asyncio.sleep(max(0.0, self._began + self._sent / RATE_HZ - loop.time()))
        audio = self._queue.pop(0) if self._queue else bytes(_FRAME * 2)
        frame = AudioFrame.from_ndarray(np.frombuffer(audio, dtype="<i2")[None, :], layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, self._sent
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._sent += _FRAME
        return frame


class Caller:
    """Calls, speaks RTVI, keeps all messages and all sound; use it as `async with Caller()`.

    Attributes:
        messages: What came over the data channel.
        heard: 16-bit mono PCM at 48 kHz.
    """

    def __init__(self, http: aiohttp.ClientSession | None = None) -> None:
        self.messages: list[dict[str, Any]] = []
        self.heard = bytearray()
        self.voice = Voice()
        self.pc = RTCPeerConnection()
        self._http = http
        self._came = asyncio.Event()
        self._open = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.pc.addTransceiver(self.voice, direction="sendrecv")
        self._channel = self.pc.createDataChannel("chat", ordered=True)
        self._channel.on("open", self._open.set)
        self._channel.on("message", self._keep)
        self.pc.on("track", self._listen)

    def _keep(self, text: str) -> None:
        self.messages.append(json.loads(text))
        self._came.set()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        with contextlib.suppress(MediaStreamError):
            while True:
                for frame in resampler.resample(await track.recv()):
                    self.heard += frame.to_ndarray().astype("<i2").tobytes()
                    self._came.set()

    async def _stay(self) -> None:
        while self._channel.readyState == "open":
            self._channel.send(f"ping: {uuid.uuid4().hex}")
            await asyncio.sleep(1)

    async def offer(self) -> dict[str, str]:
        """Return what a browser would post."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return {"sdp": self.pc.localDescription.sdp, "type": self.pc.localDescription.type}

    async def answer(self, answer: Mapping[str, str]) -> None:
        """Take the other side's answer and wait until the data channel is open."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await asyncio.wait_for(self._open.wait(), PATIENCE_S)
        self._tasks.append(asyncio.create_task(self._stay()))

    async def call(self, url: str, headers: Mapping[str, str] | None = None) -> Self:
        """Post an offer to a URL, connect, and say that the client is ready."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=await self.offer(), headers=headers) as response,
        ):
            assert response.status == 200, (response.status, await response.text())
            await self.answer(await response.json())
        about = {"library": "edgebot-tests"}
        self.send("client-ready", {"version": "2.1.0", "about": about})
        await self.message("bot-ready")
        return self

    def send(self, kind: str, data: object) -> str:
        """Send an RTVI message and return its id."""
        identity = uuid.uuid4().hex[:8]
        message = {"id": identity, "label": "rtvi-ai", "type": kind, "data": data}
        self._channel.send(json.dumps(message))
        return identity

    async def until(self, look: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Wait until something is true, looking whenever something has come; return it."""
        async with asyncio.timeout(patience_s):
            while not (found := look()):
                self._came.clear()
                await self._came.wait()
        return found

    async def message(self, kind: str, **data: object) -> dict[str, Any]:
        """Wait for a message of a kind whose data holds these values; return its data."""

        def look() -> dict[str, Any] | None:
            for message in self.messages:
                told = message.get("data") or {}
                if message.get("type") == kind and all(told.get(k) == v for k, v in data.items()):
                    return {"id": message.get("id"), **told}
            return None

        found: dict[str, Any] = await self.until(look)
        return found

    def kinds(self) -> list[str]:
        """Return the types of all RTVI messages, each once, in the order of their first."""
        return list(dict.fromkeys(str(message.get("type")) for message in self.messages))

    def kinds_of(self, kind: str) -> int:
        """Return how many messages of a kind have come."""
        return sum(message.get("type") == kind for message in self.messages)

    async def hang_up(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.voice.stop()
        await self.pc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()


def loudest(audio: bytes | bytearray) -> int:
    """Return the greatest sample of 16-bit PCM."""
    samples = np.frombuffer(bytes(audio[: len(audio) // 2 * 2]), dtype="<i2")
    return int(np.abs(samples.astype(int)).max()) if len(samples) else 0
