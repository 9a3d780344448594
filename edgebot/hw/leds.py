"""Lights: one LED, three LEDs, an RGB LED, and strips of APA102 or WS2812, behind one interface."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from edgebot.config import LightSettings
from edgebot.errors import PinError
from edgebot.hw.board import names_of, opened
from edgebot.hw.patterns import DARK, Colour, Kind, Picture

HARDWARE_SPI = (10, 11)
SPI_SELECT = 8
WS2812_RATE_HZ = 3_200_000
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


def power(level: float) -> float:
    """Return the share of full power that looks as bright as a level: about its square."""
    return level * level


def byte(level: float) -> int:
    """Return a level as a light's 8-bit power; what is not dark does not vanish."""
    return max(round(255 * power(level)), int(level > 0))


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


class Apa102:
    """APA102 lights (DotStar), which have a data and a clock line, as on the ReSpeaker HATs.

    On GPIO10 and GPIO11 the SPI bus drives them, on any other pins a loop does.
    Source: the APA102 data sheet; its longer end of frame also serves SK9822.
    """

    kind: Kind = "strip"

    def __init__(self, numbers: tuple[int, ...], count: int, pins: Any) -> None:
        """Open the lines.

        Args:
            numbers: Data and clock.
            count: How many lights there are.
            pins: gpiozero's pin factory.
        """
        self.count = count
        data, clock = numbers
        self._bus: Any = (
            open_spi(pins) if numbers == HARDWARE_SPI else SoftwareSpi(data, clock, pins)
        )
        self.show((DARK,) * count)

    def show(self, picture: Picture) -> None:
        """Show one colour a light."""
        self._bus.transfer(apa102_bytes(picture))

    def close(self) -> None:
        """Go dark and let go of the pins."""
        self.show((DARK,) * self.count)
        self._bus.close()


class Ws2812:
    """WS2812 lights (NeoPixel) on the SPI bus's data line: without root, on every Raspberry Pi."""

    kind: Kind = "strip"

    def __init__(self, count: int, pins: Any) -> None:
        """Open the SPI bus.

        Args:
            count: How many lights there are.
            pins: gpiozero's pin factory.
        """
        self.count = count
        self._bus = open_spi(pins)
        try:
            self._bus.rate = WS2812_RATE_HZ
            self.show((DARK,) * count)
        except BaseException:
            self._bus.close()
            raise

    def show(self, picture: Picture) -> None:
        """Show one colour a light."""
        self._bus.transfer(ws2812_bytes(picture))

    def close(self) -> None:
        """Go dark and let go of the pins."""
        self.show((DARK,) * self.count)
        self._bus.close()


def open_spi(pins: Any) -> Any:
    """Open the first SPI bus, to write to."""
    data, clock = HARDWARE_SPI
    return pins.spi(clock_pin=clock, mosi_pin=data, miso_pin=None, select_pin=SPI_SELECT)


class SoftwareSpi:
    """Clocks bytes out of any two pins; gpiozero's own wants a third one, to select a device by."""

    def __init__(self, data: int, clock: int, pins: Any) -> None:
        """Open the lines.

        Args:
            data: The pin of the data line.
            clock: The pin of the clock line.
            pins: gpiozero's pin factory.
        """
        from gpiozero import DigitalOutputDevice

        self._data = DigitalOutputDevice(data, pin_factory=pins)
        try:
            self._clock = DigitalOutputDevice(clock, pin_factory=pins)
        except BaseException:
            self._data.close()
            raise

    def transfer(self, data: Iterable[int]) -> None:
        """Write bytes, their highest bit first; a light reads the data when the clock rises."""
        # The pins themselves: gpiozero's checks would take most of the time.
        data_pin, clock_pin = self._data.pin, self._clock.pin
        level = None
        for value in data:
            for shift in range(7, -1, -1):
                bit = value >> shift & 1
                if bit != level:
                    data_pin.state = level = bit
                clock_pin.state = 1
                clock_pin.state = 0

    def close(self) -> None:
        """Let go of the pins."""
        self._data.close()
        self._clock.close()


def apa102_bytes(picture: Picture) -> list[int]:
    """Return what APA102 lights read: blue, green, red, behind 32 zeros and before as many again.

    Each light passes the clock on half a period late, so the end holds half a bit a light besides.
    """
    begin, end = [0] * 4, [0] * (4 + len(picture) // 16 + 1)
    lights = [value for r, g, b in picture for value in (0xFF, byte(b), byte(g), byte(r))]
    return [*begin, *lights, *end]


# Each bit is four bits of SPI, 1.25 µs: high for a quarter of it is 0, for a half is 1.
_WS2812_NIBBLES = (0b1000, 0b1100)
# The lights take over what they have read when the line was low for 280 µs: 112 bytes.
_WS2812_REST = [0] * 120


def ws2812_bytes(picture: Picture) -> list[int]:
    """Return what the SPI bus writes at `WS2812_RATE_HZ` for WS2812 lights: green, red, blue."""
    out = [0]
    for value in (value for r, g, b in picture for value in (byte(g), byte(r), byte(b))):
        for shift in (6, 4, 2, 0):
            high, low = _WS2812_NIBBLES[value >> shift + 1 & 1], _WS2812_NIBBLES[value >> shift & 1]
            out.append(high << 4 | low)
    return out + _WS2812_REST


def dim(picture: Picture, brightness: float) -> Picture:
    """Return a picture as bright as the settings want it."""

    def dimmed(colour: Colour) -> Colour:
        red, green, blue = colour
        return red * brightness, green * brightness, blue * brightness

    return tuple(map(dimmed, picture))
