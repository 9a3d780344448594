"""A machine with a microphone and a speaker that are none: for trying `edgebot` from outside.

`VirtualSound` runs a PulseAudio of its own with two null sinks. What is played into `mic` is what a
program hears as its microphone; what a program plays comes out of `spk`, where an `Ear` takes it
down with the time at which it came. A null sink proves timing and content, not ALSA's hardware.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

RATE_HZ = 16_000
CHUNK_S = 0.01
PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec", "pacat")
NULL_SINKS = (
    "module-null-sink sink_name=mic rate=16000 channels=1",
    "module-null-sink sink_name=spk rate=48000 channels=2",
)
# RMS of 16-bit samples: a null sink is silent to the last bit, and a voice is well above.
LOUD_RMS = 150.0


def missing_programs() -> list[str]:
    """Return what of PulseAudio is not installed here."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class VirtualSound:
    """A sound server with a virtual microphone and a virtual speaker, for one `with` block."""

    def __init__(self) -> None:
        """Write the settings of a home where ALSA's default device is this server."""
        # A Unix socket's path may have no more than 107 characters, so not pytest's deep folders.
        self.home = Path(tempfile.mkdtemp(prefix="edgebot-"))
        self.environment = bare_environment(self.home) | {
            "XDG_RUNTIME_DIR": str(self.home),
            "PULSE_RUNTIME_PATH": str(self.home / "pulse"),
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._echo: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def start(self) -> None:
        """Start the server, also after it was stopped."""
        shutil.rmtree(self.home / "pulse", ignore_errors=True)
        (self.home / "pulse").mkdir(mode=0o700)
        (self.home / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        modules = ("module-native-protocol-unix", *NULL_SINKS)
        loads = [part for module in modules for part in ("-L", module)]
        self._server = subprocess.Popen(
            ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n", *loads],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while self._control("info", check=False).returncode:
            if time.monotonic() > deadline or self._server.poll() is not None:
                self.stop()
                raise RuntimeError("PulseAudio does not start")
            time.sleep(0.05)
        self._set_defaults()

    def _set_defaults(self) -> None:
        self._control("set-default-source", "mic.monitor")
        self._control("set-default-sink", "spk")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """Whether the server runs; it may be frozen, or have died by itself."""
        return self._server is not None and self._server.poll() is None

    def stop(self) -> None:
        """End the server, as if the sound card were pulled out."""
        while self._echo:
            end = self._echo.pop()
            end.kill()
            end.wait()
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        """Let the server stand still with all its connections open, as a hung driver does."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a frozen server go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def unload(self) -> None:
        """Take the microphone and the speaker away; the server stays."""
        self._control("unload-module", "module-null-sink")

    def load(self) -> None:
        """Bring the microphone and the speaker back."""
        for sink in NULL_SINKS:
            self._control("load-module", *sink.split())
        self._set_defaults()

    def suspend(self, suspended: bool) -> None:
        """Suspend the microphone, which then delivers nothing, or wake it up."""
        # Its monitor alone would not stop.
        self._control("suspend-sink", "mic", "1" if suspended else "0")

    def _control(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = ["pactl", *words]
        return subprocess.run(command, env=self.environment, check=check, capture_output=True)

    def play(self, wav: Path) -> None:
        """Speak a recording into the microphone, in real time."""
        subprocess.run(["paplay", "--device=mic", str(wav)], env=self.environment, check=True)

    def echo(self) -> None:
        """Let the microphone hear the speaker from now on, some 60 ms late and by 12 dB softer."""
        form = ["--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=20"]
        # PulseAudio's volumes are cubic: 63 % of 65536 are -12 dB.
        ends = (
            ["parec", "--device=spk.monitor", *form],
            ["pacat", "--device=mic", "--volume=41350", *form],
        )
        heard = subprocess.Popen(ends[0], env=self.environment, stdout=subprocess.PIPE)
        back = subprocess.Popen(ends[1], env=self.environment, stdin=heard.stdout)
        assert heard.stdout is not None
        heard.stdout.close()
        self._echo = [heard, back]

    def hear(self, sink: str) -> Ear:
        """Return an ear at `mic` or `spk`."""
        return Ear(sink, self.environment)


def bare_environment(home: Path) -> dict[str, str]:
    """Return an environment in which no file or variable of the person who tests is seen."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"HOME": str(home)}


class Ear:
    """Takes down what comes out of a sink, for one `with` block. Times are of `time.monotonic`."""

    def __init__(self, sink: str, environment: Mapping[str, str]) -> None:
        """Name the sink to listen at."""
        self._command = [
            "parec",
            f"--device={sink}.monitor",
            f"--rate={RATE_HZ}",
            "--channels=1",
            "--format=s16le",
            "--latency-msec=10",
        ]
        self._environment = environment
        self._chunks: list[tuple[float, bytes]] = []

    def __enter__(self) -> Self:
        """Start to listen, and return when the first sound has come."""
        self._recorder = subprocess.Popen(
            self._command, env=dict(self._environment), stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: bool(self._chunks), 5, "a sound at the sink's monitor")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recorder.terminate()
        self._recorder.wait()
        self._reader.join()
        assert self._recorder.stdout is not None
        self._recorder.stdout.close()

    def _read(self) -> None:
        assert self._recorder.stdout is not None
        size = int(RATE_HZ * CHUNK_S) * 2
        while len(chunk := self._recorder.stdout.read(size)) == size:
            self._chunks.append((time.monotonic(), chunk))

    def sound(self, after: float, before: float = float("inf")) -> bytes:
        """Return what came between two times as 16-bit mono PCM at 16 kHz."""
        return b"".join(chunk for came, chunk in list(self._chunks) if after < came <= before)

    def loud_times(self, after: float, before: float = float("inf")) -> list[float]:
        """Return the times of all that was loud."""
        return [
            came
            for came, chunk in list(self._chunks)
            if after < came <= before and loudness(chunk) > LOUD_RMS
        ]

    def first_loud(self, after: float) -> float | None:
        """Return when the first sound came."""
        return next(iter(self.loud_times(after)), None)

    def silence_after(self, start: float, *, lasts_s: float) -> float | None:
        """Return when the first silence of such a length began, or None if there is none yet."""
        last = start
        for came in [*self.loud_times(start), time.monotonic()]:
            if came - last >= lasts_s:
                return last
            last = came
        return None

    def wait_for_sound(self, after: float, timeout_s: float) -> float:
        """Wait until something is heard and return when it was."""
        return wait_until(lambda: self.first_loud(after), timeout_s, "a sound")

    def wait_for_silence(self, start: float, *, lasts_s: float, timeout_s: float) -> float:
        """Wait for a silence of such a length and return when it began."""
        return wait_until(
            lambda: self.silence_after(start, lasts_s=lasts_s), timeout_s, "a silence"
        )


def loudness(chunk: bytes) -> float:
    """Return the root mean square of 16-bit samples."""
    samples = np.frombuffer(chunk, dtype="<i2").astype(np.float32)
    return float(np.sqrt(np.mean(samples**2)))


def wait_until(look, timeout_s: float, what: str):  # type: ignore[no-untyped-def]
    """Look again and again until something true comes, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout_s:.0f} s")
        time.sleep(0.02)
    return found


class Program:
    """A running command whose lines are kept with the times at which they came."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        """Start it in a session of its own."""
        self.lines: list[tuple[float, str]] = []
        self.process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.wait(10)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip("\n")))

    @property
    def text(self) -> str:
        """All that it has printed."""
        return "\n".join(line for _, line in list(self.lines))

    def find(self, pattern: str, after: float = 0.0) -> Iterator[tuple[float, re.Match[str]]]:
        """Yield the lines that match, each with the time at which it came."""
        for came, line in list(self.lines):
            if came > after and (match := re.search(pattern, line)):
                yield came, match

    def wait_for(self, pattern: str, timeout_s: float, after: float = 0.0) -> re.Match[str]:
        """Wait for a line that matches."""

        def look() -> re.Match[str] | None:
            for _, match in self.find(pattern, after):
                return match
            if self.process.poll() is not None and not self._reader.is_alive():
                raise RuntimeError(f"it ended with {self.process.returncode}:\n{self.text}")
            return None

        try:
            found: re.Match[str] = wait_until(look, timeout_s, f"a line like {pattern!r}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it printed:\n{self.text}") from None
        return found

    def end(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return code
