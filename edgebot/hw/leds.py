"""Lights: one LED, three LEDs, an RGB LED, and strips of APA102 or WS2812, behind one interface."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from edgebot.config import LightSettings
from edgebot.errors import PinError
from edgebot.hw.board import names_of, opened
from edgebot.hw.patterns import Colour, Kind, Picture
from edgebot.hw.strips import HARDWARE_SPI, Apa102, Ws2812, power

PWM_HZ = 100

# How many pins each kind wants, and what they are.
PINS = {
    "led": "[pin]",
    "three": "[red, yellow, green]",
    "rgb": "[red, green, blue]",
    "apa102": "[data, clock]",
    "ws2812": "[data]",
}


class Light(Protocol):
    """What shows pictures."""

    kind: Kind
    count: int

    def show(self, picture: Picture) -> None:
        """Show one colour a light, as bright as it looks to the eye."""

    def close(self) -> None:
        """Go dark and let go of the pins."""


def open_light(settings: LightSettings, pins: Any) -> Light:
    """Return the light that is configured.

    Args:
        settings: The section [light]; its kind is not "none".
        pins: gpiozero's pin factory.

    Raises:
        PinError: It cannot be opened.
    """
    wanted = PINS[settings.kind]
    if len(settings.pins) != wanted.count(",") + 1 or 0 in settings.pins:
        raise PinError(
            f"light.pins cannot be {list(settings.pins)}: for the kind {settings.kind!r} it is "
            f"{wanted}; docs/panel.md shows the wiring."
        )
    if settings.kind == "ws2812" and settings.pins != HARDWARE_SPI[:1]:
        raise PinError(
            f"light.pins cannot be {list(settings.pins)}: WS2812 lights are driven by the SPI bus, "
            f"whose data line is GPIO10; connect them there and set light.pins to [10]."
        )

    def make() -> Light:
        match settings.kind:
            case "apa102":
                return Apa102(settings.pins, settings.count, pins)
            case "ws2812":
                return Ws2812(settings.count, pins)
            case "rgb":
                return Rgb(settings.pins, pins)
            case kind:
                return Leds("led" if kind == "led" else "three", settings.pins, pins)

    return opened(make, key="light.pins", pins=names_of(settings.pins))


class Pwm:
    """Pins, each of which is lit more or less strongly.

    All the way on or off costs nothing and is there at once: the pulses stop, which lgpio makes in
    a thread of its own and begins up to 20 ms late.
    """

    def __init__(self, numbers: Iterable[int], pins: Any) -> None:
        """Open the pins, dark.

        Args:
            numbers: Of the pins; each leads through a resistor and an LED to ground.
            pins: gpiozero's pin factory.
        """
        from gpiozero import PWMLED

        self._leds: list[Any] = []
        try:
            for number in numbers:
                self._leds.append(PWMLED(number, frequency=None, pin_factory=pins))
        except BaseException:
            self.close()
            raise

    def light(self, levels: Iterable[float]) -> None:
        """Light each pin; levels are as bright as they look, 0.0 to 1.0."""
        for led, level in zip(self._leds, levels, strict=True):
            is_pulsed = 0.0 < level < 1.0
            if is_pulsed and led.frequency is None:
                led.frequency = PWM_HZ
            elif not is_pulsed and led.frequency is not None:
                led.frequency = None
            # lgpio counts pulses in hundredths.
            led.value = max(power(level), 0.01) if is_pulsed else float(level > 0)

    def close(self) -> None:
        """Go dark and let go of the pins."""
        for led in self._leds:
            led.close()
        self._leds.clear()


class Leds:
    """One LED, or a red, a yellow and a green one; each shows how bright its colour is."""

    def __init__(self, kind: Kind, numbers: tuple[int, ...], pins: Any) -> None:
        """Open the pins; see `Pwm`."""
        self.kind = kind
        self.count = len(numbers)
        self._pwm = Pwm(numbers, pins)

    def show(self, picture: Picture) -> None:
        """Show one colour an LED."""
        self._pwm.light(max(colour) for colour in picture)

    def close(self) -> None:
        """Go dark and let go of the pins."""
        self._pwm.close()


class Rgb:
    """An RGB LED with a common cathode."""

    kind: Kind = "rgb"
    count = 1

    def __init__(self, numbers: tuple[int, ...], pins: Any) -> None:
        """Open the pins of red, green and blue; see `Pwm`."""
        self._pwm = Pwm(numbers, pins)

    def show(self, picture: Picture) -> None:
        """Show the one colour."""
        (colour,) = picture
        self._pwm.light(colour)

    def close(self) -> None:
        """Go dark and let go of the pins."""
        self._pwm.close()


def dim(picture: Picture, brightness: float) -> Picture:
    """Return a picture as bright as the settings want it."""

    def dimmed(colour: Colour) -> Colour:
        red, green, blue = colour
        return red * brightness, green * brightness, blue * brightness

    return tuple(map(dimmed, picture))
