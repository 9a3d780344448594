"""The pins: are there any, may this user have them, and is each that is configured free?"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edgebot.config import LightSettings, PanelSettings
from edgebot.doctor.finding import Finding
from edgebot.doctor.lines import Chip, read_chip
from edgebot.doctor.tree import holders, named
from edgebot.hw.board import FACTORY_VARIABLE, library_name
from edgebot.hw.strips import HARDWARE_SPI

# The chips of a Raspberry Pi's header, by their drivers' names: Pi 0 to 3, Pi 4, Pi 5.
HEADERS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")

ReadChip = Callable[[Path], Chip]


def is_installed(package: str) -> bool:
    """Tell whether a Python package is there, without importing it."""
    return importlib.util.find_spec(package) is not None


def wanted_pins(panel: PanelSettings, light: LightSettings) -> list[tuple[int, str]]:
    """Return the pins that the settings name, each with its key."""
    single = ("talk_pin", "mute_pin", "volume_up_pin", "volume_down_pin")
    pins = [(getattr(panel, name), f"panel.{name}") for name in single]
    pins += [(pin, "panel.encoder_pins") for pin in panel.encoder_pins]
    if light.kind != "none":
        pins += [(pin, "light.pins") for pin in light.pins]
    return [(pin, key) for pin, key in pins if pin]


def check_gpio(
    panel: PanelSettings,
    light: LightSettings,
    root: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    read: ReadChip = read_chip,
    installed: Callable[[str], bool] = is_installed,
) -> list[Finding]:
    """Check the panel's and the light's pins.

    Args:
        panel: Names pins, and the library that drives them.
        light: Names pins.
        root: The tree's root.
        environment: May name gpiozero's library.
        read: Asks a chip for its lines.
        installed: Tells whether a Python package is there.
    """
    pins = wanted_pins(panel, light)
    if not pins or panel.gpio in ("off", "mock"):
        why = "No pin is configured" if not pins else f'panel.gpio is "{panel.gpio}"'
        return [Finding("skipped", "pins", f"{why}: the keyboard is the panel.")]
    paths = sorted((root / "dev").glob("gpiochip*"))
    if not paths:
        return [
            Finding(
                "fault",
                "pins",
                f"This machine has no GPIO pins, but {pins[0][1]} is {pins[0][0]}.",
                'Set panel.gpio to "off" and light.kind to "none", or take the pins out.',
            )
        ]
    library = list(_check_library(panel, environment, installed))
    if not any(os.access(path, os.R_OK | os.W_OK) for path in paths):
        return [*library, _not_allowed("pins", "/dev/gpiochip*", "gpio")]
    chips = list(_readable(paths, read))
    if not chips:
        text = "None of /dev/gpiochip* answers as a GPIO chip."
        return [*library, Finding("fault", "pins", text, "Start the machine anew.")]
    chip = next((chip for chip in chips if chip.label in HEADERS), chips[0])
    return [*library, *_check_pins(pins, chip, root, light)]


def _readable(paths: list[Path], read: ReadChip) -> Iterator[Chip]:
    for path in paths:
        try:
            yield read(path)
        except OSError:
            continue


def _check_library(
    panel: PanelSettings, environment: Mapping[str, str], installed: Callable[[str], bool]
) -> Iterator[Finding]:
    factory = library_name(panel.gpio, environment=environment) or "lgpio"
    if factory == "mock":
        text = f"{FACTORY_VARIABLE} is 'mock': buttons and lights are not real."
        yield Finding("warning", "pin library", text, "Take the variable out.")
    elif not installed(factory):
        yield Finding(
            "fault",
            "pin library",
            f"The Python package {factory!r}, which drives the pins, is not installed.",
            'Install it where edgebot is installed: pip install "edgebot[gpio]".',
        )
    else:
        yield Finding("ok", "pin library", f"gpiozero with {factory}.")


def _check_pins(
    pins: list[tuple[int, str]], chip: Chip, root: Path, light: LightSettings
) -> Iterator[Finding]:
    keys: dict[int, list[str]] = {}
    for pin, key in pins:
        keys.setdefault(pin, []).append(key)
    for pin, named_by in sorted(keys.items()):
        subject = f"GPIO{pin}"
        what = " and ".join(named_by)
        user = chip.users[pin] if pin < len(chip.users) else None
        if len(named_by) > 1:
            advice = "Give each a pin of its own."
            yield Finding("fault", subject, f"It is both {what}.", advice)
        elif pin >= len(chip.users):
            text = f"{what} is {pin}, but {chip.label} has {len(chip.users)} lines."
            yield Finding("fault", subject, text, "Correct the number.")
        elif user and not (named_by == ["light.pins"] and uses_spi(light)):
            who = _who(root, chip)
            text = f"{what}: it is in use by {user!r} ({who})."
            advice = f"End that program, or set {named_by[0]} to another pin."
            yield Finding("fault", subject, text, advice)
        else:
            yield Finding("ok", subject, f"{what}: free ({chip.label}).")


def _who(root: Path, chip: Chip) -> str:
    device = f"/dev/{chip.path.name}"
    found = holders(root, lambda name: name == device or name.startswith("anon_inode:gpio-"))
    return named(found)


def uses_spi(light: LightSettings) -> bool:
    """Tell whether a light is driven through SPI."""
    return light.kind == "ws2812" or (light.kind == "apa102" and light.pins == HARDWARE_SPI)


def check_spi(light: LightSettings, root: Path) -> Finding | None:
    """Check the SPI device, where a light needs it."""
    if not uses_spi(light):
        return None
    devices = sorted((root / "dev").glob("spidev0.*"))
    if not devices:
        return Finding(
            "fault",
            "SPI",
            f"The light {light.kind!r} needs SPI, and there is no /dev/spidev0.0.",
            "Switch it on: sudo raspi-config nonint do_spi 0, then start the machine anew.",
        )
    if not os.access(devices[0], os.R_OK | os.W_OK):
        return _not_allowed("SPI", f"/dev/{devices[0].name}", "spi")
    return Finding("ok", "SPI", f"/dev/{devices[0].name} is there.")


def _not_allowed(subject: str, device: str, group: str) -> Finding:
    return Finding(
        "fault",
        subject,
        f"This user may not open {device}.",
        f"Join the group and log in again: sudo usermod -aG {group} $USER.",
    )
