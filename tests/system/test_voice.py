"""A spoken question to the installed, sandboxed service, through PulseAudio's virtual devices.

The sound server runs outside of that Debian; its socket lies inside. ALSA's way to PulseAudio is
the only package that is added to what install.sh brings. A null sink proves the way of the sound
and the sandbox, not ALSA's hardware.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Spoken, likeness
from tests.e2e.harness import VirtualSound, missing_programs

from .service import UNIT, figures, on_request, pid, ready_again
from .tree import Machine

QUESTION = "What is the capital of France?"
SETTINGS = """
[wake]
mode = "always"
[log]
words = true
"""
DROP_IN = """
[Service]
Environment=PULSE_SERVER=unix:/run/sound/native
"""
LOAD_S = 30.0
# A virtual device stutters on a machine that is busy; it is opened again until it works.
READY_S = 60.0


@pytest.fixture(scope="module")
def sound(sound_folder: Path) -> Iterator[VirtualSound]:
    if missing := missing_programs():
        pytest.skip(f"this needs {', '.join(missing)}")
    with VirtualSound() as made:
        socket = f"socket={sound_folder / 'native'}"
        made._control("load-module", "module-native-protocol-unix", "auth-anonymous=1", socket)
        (sound_folder / "native").chmod(0o777)
        yield made


@pytest.fixture
def talking(machine_with: Machine, sound: VirtualSound) -> Iterator[Machine]:
    """The Debian whose service hears and speaks."""
    machine = machine_with
    machine.run("apt-get install -q -y --no-install-recommends libasound2-plugins", timeout=300)
    alsa = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
    (machine.tree / "etc/asound.conf").write_text(alsa)
    folder = machine.tree / f"etc/systemd/system/{UNIT}.d"
    folder.mkdir(exist_ok=True)
    (folder / "sound.conf").write_text(DROP_IN)
    file = machine.tree / "etc/edgebot/edgebot.toml"
    before = file.read_text()
    file.write_text(SETTINGS)
    machine.run(f"systemctl daemon-reload; systemctl restart {UNIT}", timeout=60)
    try:
        machine.until("edgebot status --json | grep -q '\"listening\"'", within_s=READY_S)
    except AssertionError:
        print(machine.says(f"journalctl -u {UNIT} -n 20 --no-pager"))
        raise
    yield machine
    file.write_text(before)
    (folder / "sound.conf").unlink()
    machine.run(f"rm -f /etc/asound.conf; systemctl daemon-reload; systemctl restart {UNIT}")


def turns(machine: Machine) -> list[dict[str, str]]:
    """Return what the journal holds of each turn."""
    lines = machine.says(f"journalctl -u {UNIT} -o json --no-pager").splitlines()
    return [entry for line in lines if "EDGEBOT_HEARD" in (entry := json.loads(line))]


def test_a_spoken_question_is_answered(
    talking: Machine, sound: VirtualSound, spoken: Spoken
) -> None:
    with sound.hear("spk") as ear:
        sound.play(spoken(QUESTION))
        asked = time.monotonic()
        answered = ear.wait_for_sound(asked - 0.5, 20)
        ear.wait_for_silence(answered, lasts_s=1.5, timeout_s=30)
    talking.until("edgebot status --json | grep -q '\"turns\": [1-9]'", within_s=10)
    turn = turns(talking)[-1]
    print(f"\nheard {turn['EDGEBOT_HEARD']!r}, said {turn['EDGEBOT_SAID']!r}")
    print(f"first sound {turn['EDGEBOT_FIRST_SOUND_MS']} ms after the end of the question")
    assert likeness(turn["EDGEBOT_HEARD"], QUESTION) > 0.7
    assert turn["EDGEBOT_SAID"]
    assert answered - asked < 10


@on_request
def test_with_sound_it_comes_back_after_a_kill(talking: Machine) -> None:
    times = []
    for _ in range(5):
        before = pid(talking)
        talking.run(f"kill -9 {before}")
        times.append(ready_again(talking, before, within_s=10 + LOAD_S))
        talking.until("edgebot status --json | grep -q '\"listening\"'", within_s=READY_S)
    figures("killed, with models and sound", times)
