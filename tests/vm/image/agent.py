#!/usr/bin/env python3
"""Run the commands that come in through a serial line, and tell what they print.

One JSON object a line. In: {"id": 1, "command": "..."} starts a shell, {"id": 1, "signal": 15} is
sent to it and to all that it started. Out: {"id": 1, "line": "..."}, at its end
{"id": 1, "status": 0}.
The first line says that the machine is up: {"id": 0, "status": 0}.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import tty
from pathlib import Path

SENDING = threading.Lock()


def tell(port, **message):
    with SENDING:
        port.write(json.dumps(message).encode() + b"\n")
        port.flush()


def follow(port, number, process):
    for line in process.stdout:
        tell(port, id=number, line=line.decode(errors="replace").rstrip("\n"))
    tell(port, id=number, status=process.wait())


def main():
    port = Path(sys.argv[1]).open("r+b", buffering=0)  # noqa: SIM115
    tty.setraw(port.fileno())
    running = {}
    tell(port, id=0, status=0)
    for line in port:
        asked = json.loads(line)
        number = asked["id"]
        if "signal" in asked:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(running[number].pid, asked["signal"])
            continue
        running[number] = subprocess.Popen(
            ["/bin/bash", "-c", asked["command"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        thread = threading.Thread(target=follow, args=(port, number, running[number]), daemon=True)
        thread.start()


main()
