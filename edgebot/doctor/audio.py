"""Microphone and speaker: found by the configured names, allowed, and free?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from edgebot.doctor.finding import Change, Finding
from edgebot.doctor.tree import Holder, holders, named, read_text
from edgebot.errors import DeviceBusyError, DeviceError
from edgebot.hw.audio_device import AudioDevice

Kind = Literal["microphone", "speaker"]
FindDevice = Callable[[Kind, str | int], AudioDevice]

# The cards of HATs that have settings of their own, by a part of their names.
_BOARDS = {"seeed2mic": "respeaker-2mic", "seeed-2mic": "respeaker-2mic"}


def check_device(
    kind: Kind,
    wanted: str | int,
    root: Path,
    *,
    find: FindDevice,
    devices: list[AudioDevice],
) -> tuple[Finding, AudioDevice | None]:
    """Look for the device that a setting names, and open it.

    Args:
        kind: Which setting.
        wanted: Its value.
        root: The tree's root.
        find: Finds and opens a device.
        devices: All that there are.
    """
    try:
        device = find(kind, wanted)
    except DeviceBusyError as error:
        who = named(_who_uses(kind, root))
        return Finding("fault", kind, str(error), f"It is held by {who}."), None
    except DeviceError as error:
        # PortAudio leaves out of its list what another program holds.
        users = _who_uses(kind, root)
        held = f"One is held by {named(users)}: end that program." if users else ""
        instead = _instead(kind, find, devices)
        if instead is None:
            return Finding("fault", kind, str(error), held), None
        change = Change(f"audio.{kind}", instead.stable_name)
        advice = f"{instead.name!r} works instead: set audio.{kind} to {change.value!r}."
        return Finding("fault", kind, str(error), f"{held} {advice}".lstrip(), (change,)), instead
    return Finding("ok", kind, _described(kind, device)), device


def _who_uses(kind: Kind, root: Path) -> list[Holder]:
    letter = "c" if kind == "microphone" else "p"
    path = re.compile(rf"/dev/snd/pcmC\d+D\d+{letter}")
    return holders(root, lambda name: bool(path.fullmatch(name)))


def _described(kind: Kind, device: AudioDevice) -> str:
    channels = device.inputs if kind == "microphone" else device.outputs
    plural = "" if channels == 1 else "s"
    return f"{device.name}, {device.rate_hz} Hz, {channels} channel{plural}."


def _instead(kind: Kind, find: FindDevice, devices: list[AudioDevice]) -> AudioDevice | None:
    for device in devices:
        if device.is_a(kind):
            try:
                return find(kind, device.index)
            except DeviceError:
                continue
    return None


def check_cards(root: Path, board: str) -> list[Finding]:
    """Check the kernel's sound cards, and whether this user may use them."""
    cards = re.findall(r"\]: .* - (.+)$", read_text(root / "proc/asound/cards") or "", re.MULTILINE)
    nodes = sorted((root / "dev/snd").glob("pcm*"))
    if not cards and not nodes:
        return [
            Finding("skipped", "sound cards", "The kernel has none; a sound server may bring some.")
        ]
    if not nodes:
        text = f"{', '.join(dict.fromkeys(cards))}, but none of them under /dev/snd."
        advice = "In a container, hand it in: --device /dev/snd."
        return [Finding("warning", "sound cards", text, advice)]
    if not any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
        return [
            Finding(
                "fault",
                "sound cards",
                f"This user may not open /dev/snd/{nodes[0].name}.",
                "Join the group and log in again: sudo usermod -aG audio $USER.",
            )
        ]
    findings = [Finding("ok", "sound cards", f"{', '.join(dict.fromkeys(cards))}.")]
    for part, name in _BOARDS.items():
        if any(part in card.lower() for card in cards) and board != name:
            text = f"The card is that of the board {name!r}, which has settings of its own."
            change = Change("board", name)
            findings.append(Finding("warning", "board", text, f"Set board to {name!r}.", (change,)))
            break
    return findings
