"""The machine's pins: which library reaches them, and in plain words why one does not."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from edgebot.errors import PinError

T = TypeVar("T")

CHIPS = "/dev/gpiochip*"
FACTORY_VARIABLE = "GPIOZERO_PIN_FACTORY"

NO_GPIO = (
    "This machine has no GPIO pins, so its buttons and lights do not work: unset their pins, or "
    "set panel.gpio to the library that reaches them."
)


def library_name(
    wanted: str, *, environment: Mapping[str, str] = os.environ, chips: str = CHIPS
) -> str | None:
    """Return the name of the library that reaches the pins, or None where there are none.

    Args:
        wanted: The setting `panel.gpio`.
        environment: gpiozero's own variable decides where the setting is "auto".
        chips: Where the kernel shows its GPIO.
    """
    if wanted == "off":
        return None
    if wanted != "auto":
        return wanted
    if environment.get(FACTORY_VARIABLE):
        return environment[FACTORY_VARIABLE]
    root, pattern = os.path.split(chips)
    return "lgpio" if any(Path(root).glob(pattern)) else None


def open_pins(wanted: str) -> Any:
    """Return gpiozero's pin factory, or None where there are no pins or none are wanted.

    gpiozero is given exactly one library; where that fails, no other is tried.

    Raises:
        PinError: The library is missing, or cannot reach the pins.
    """
    name = library_name(wanted)
    if name is None:
        return None
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    if name == "mock":
        # Whoever tests has perhaps made the pins already, to press them.
        if not isinstance(Device.pin_factory, MockFactory):
            from gpiozero.pins.mock import MockPWMPin

            Device.pin_factory = MockFactory(pin_class=MockPWMPin)
        return Device.pin_factory
    Device.pin_factory = _open_library(name)
    return Device.pin_factory


def _open_library(name: str) -> Any:
    found = {entry.name: entry for entry in metadata.entry_points(group="gpiozero_pin_factories")}
    if name not in found:
        choices = ", ".join(sorted(found))
        raise PinError(f"There is no GPIO library {name!r}: it may be {choices}.")
    try:
        with _own_working_folder():
            return found[name].load()()
    except ImportError:
        raise PinError(
            f"The GPIO library {name} is not installed, so buttons and lights do not work: "
            f'install it with pip install "edgebot[gpio]".'
        ) from None
    except Exception as error:
        if type(error).__name__ == "PinUnknownPi":
            reason, remedy = "this is no Raspberry Pi", "set panel.gpio to 'off'"
        else:
            reason = _words(error)
            remedy = "join the group gpio with sudo usermod -aG gpio $USER, and log in again"
        raise PinError(f"Buttons and lights do not work, for {reason}: {remedy}.") from None


@contextlib.contextmanager
def _own_working_folder() -> Any:
    """Give lgpio a folder to write to, and keep the process where it is.

    lgpio makes a named pipe when it is imported, and changes into the folder `LG_WD` for that.
    """
    here = Path.cwd()
    if "LG_WD" not in os.environ:
        given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        folder = tempfile.mkdtemp(prefix="edgebot-gpio-", dir=given or None)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["LG_WD"] = folder
    try:
        yield
    finally:
        os.chdir(here)


def opened(make: Callable[[], T], *, key: str, pins: str) -> T:
    """Return what `make` opens.

    Args:
        make: Opens a device of gpiozero.
        key: The setting that names the pins.
        pins: The pins, for a person.

    Raises:
        PinError: A pin is busy, wrong, or unfit.
    """
    from gpiozero.exc import PWMWarning, SPISoftwareFallback

    try:
        with warnings.catch_warnings():
            # What gpiozero would do in its stead is not what was asked for.
            warnings.simplefilter("error", SPISoftwareFallback)
            warnings.simplefilter("error", PWMWarning)
            return make()
    except PinError:
        raise
    except Exception as error:
        raise PinError(f"{key} cannot be {pins}: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    name, text = type(error).__name__, str(error).lower()
    if name == "GPIOPinInUse":
        return "another setting uses this pin already; give each its own"
    if name == "SPISoftwareFallback":
        return (
            "the SPI bus cannot be opened; switch it on with sudo raspi-config nonint do_spi 0, "
            "and join the groups spi and gpio"
        )
    if "busy" in text:
        return (
            "another program or a device tree overlay holds this pin (gpioinfo names it); "
            "end that, or choose another pin"
        )
    return f"{_words(error)}; docs/panel.md tells which pins are free"


def _words(error: Exception) -> str:
    """Return an error's own words, without quotes and full stop."""
    return str(error).strip().strip("'\"").rstrip(".") or type(error).__name__


def names_of(pins: tuple[int, ...]) -> str:
    """Return pins as they are printed on wiring diagrams."""
    return " and ".join(f"GPIO{pin}" for pin in pins)
