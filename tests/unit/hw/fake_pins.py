"""Mock pins of gpiozero, and what it has no mock for: an SPI bus that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from gpiozero.pins import SPI
from gpiozero.pins.mock import MockFactory, MockPin, MockPWMPin


class RecordingSpi(SPI):
    """A hardware SPI bus; it reserves its pins as the real one does."""

    def __init__(
        self, clock_pin: str, mosi_pin: str, miso_pin: str | None, select_pin: str, pin_factory: Any
    ) -> None:
        super().__init__(pin_factory=pin_factory)
        self.is_open = True
        self.written: list[list[int]] = []
        self.pins = (clock_pin, mosi_pin, miso_pin, select_pin)
        self._hz = 500_000
        self.pin_factory.reserve_pins(self, clock_pin, mosi_pin, select_pin)
        pin_factory.buses.append(self)

    def transfer(self, data: Iterable[int]) -> list[int]:
        assert self.is_open
        self.written.append(list(data))
        return [0] * len(self.written[-1])

    def _get_rate(self) -> int:
        return self._hz

    def _set_rate(self, value: int) -> None:
        self._hz = value

    def close(self) -> None:
        if self.is_open:
            self.pin_factory.release_all(self)
        self.is_open = False
        super().close()

    @property
    def closed(self) -> bool:
        return not self.is_open


class BoardWithSpi(MockFactory):  # type: ignore[misc]
    """A board with a hardware SPI bus."""

    def __init__(self, pin_class: type[MockPin] = MockPWMPin) -> None:
        super().__init__(pin_class=pin_class)
        self.buses: list[RecordingSpi] = []

    def _get_spi_class(self, shared: bool, hardware: bool) -> type[RecordingSpi]:
        assert hardware
        return RecordingSpi


class BoardWithoutSpi(BoardWithSpi):
    """A board on which SPI is not switched on."""

    def _get_spi_class(self, shared: bool, hardware: bool) -> Any:
        if hardware:
            raise FileNotFoundError("can not open SPI device")
        return super()._get_spi_class(shared, True)


class ClockedPin(MockPin):  # type: ignore[misc]
    """A clock line that reads a data line whenever it rises, as a light does."""

    data: MockPin | None = None

    def __init__(self, factory: Any, info: Any) -> None:
        super().__init__(factory, info)
        self.bits: list[int] = []

    def _change_state(self, value: bool) -> bool:
        is_new = bool(super()._change_state(value))
        if is_new and value and self.data is not None:
            self.bits.append(int(self.data.state))
        return is_new

    def take_bytes(self) -> list[int]:
        bits, self.bits = self.bits, []
        assert len(bits) % 8 == 0
        octets = [bits[at : at + 8] for at in range(0, len(bits), 8)]
        return [int("".join(map(str, octet)), 2) for octet in octets]


class BusyPin(MockPWMPin):  # type: ignore[misc]
    """A pin that another process holds, with lgpio's own words."""

    def __init__(self, factory: Any, info: Any) -> None:
        super().__init__(factory, info)
        raise RuntimeError("'GPIO busy'")


class Told:
    """Keeps what it is called with, and lets a test wait for more."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._more = threading.Condition()

    def __call__(self, thing: Any) -> None:
        with self._more:
            self.all.append(thing)
            self._more.notify_all()

    def wait_for(self, count: int, patience_s: float = 5.0) -> list[Any]:
        """Return all when there are so many."""
        return self.wait_until(lambda: len(self.all) >= count, patience_s)

    def wait_until(self, is_true: Callable[[], bool], patience_s: float = 5.0) -> list[Any]:
        with self._more:
            assert self._more.wait_for(is_true, patience_s), self.all
            return list(self.all)
