"""Strips of APA102 and WS2812 lights, and the bytes that they read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgebot.hw.patterns import DARK, Kind, Picture

HARDWARE_SPI = (10, 11)
SPI_SELECT = 8
WS2812_RATE_HZ = 3_200_000


def power(level: float) -> float:
    """Return the share of full power that looks as bright as a level: about its square."""
    return level * level


def byte(level: float) -> int:
    """Return a level as a light's 8-bit power; what is not dark does not vanish."""
    return max(round(255 * power(level)), int(level > 0))


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
