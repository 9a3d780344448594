"""A button to ground: pressed at once, let go once it is still, held after a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from edgebot.hw.board import names_of, opened

# A worn contact chatters; only when it has been open so long was it let go.
SETTLE_S = 0.02


class Touch(Enum):
    """What a finger does."""

    PRESSED = auto()
    HELD = auto()
    RELEASED = auto()


@dataclass
class Contact:
    """What a chattering contact means; pure, for it is told the time.

    The first closing is a press, without a delay. All that follows belongs to this press, until the
    contact has been open for `SETTLE_S`.

    Attributes:
        marks_s: After how long the press counts as held, once for each mark.
    """

    marks_s: Sequence[float] = ()
    _is_closed: bool = False
    _pressed_s: float | None = None
    _opened_s: float = 0.0
    _passed: int = field(default=0)

    @property
    def is_pressed(self) -> bool:
        """Whether it is held down."""
        return self._pressed_s is not None

    def note(self, is_closed: bool, now_s: float) -> list[Touch]:
        """Return what the contact's position at a time means.

        Args:
            is_closed: Its position.
            now_s: The time, which never runs backwards.
        """
        touches: list[Touch] = []
        if self._is_closed and not is_closed:
            self._opened_s = now_s
        self._is_closed = is_closed
        if self._pressed_s is None:
            if is_closed:
                self._pressed_s, self._passed = now_s, 0
                touches.append(Touch.PRESSED)
        elif not is_closed and now_s >= self._opened_s + SETTLE_S:
            self._pressed_s = None
            touches.append(Touch.RELEASED)
        elif is_closed:
            while (mark_s := self._mark_s()) is not None and now_s >= mark_s:
                self._passed += 1
                touches.append(Touch.HELD)
        return touches

    @property
    def due_s(self) -> float | None:
        """When to look again though nothing moves."""
        if self._pressed_s is None:
            return None
        return self._mark_s() if self._is_closed else self._opened_s + SETTLE_S

    def _mark_s(self) -> float | None:
        if self._pressed_s is None or self._passed >= len(self.marks_s):
            return None
        return self._pressed_s + self.marks_s[self._passed]


class Button:
    """A button or a switch between a pin and ground.

    Wiring: one leg to the pin, the other to ground; the Pi's own resistor pulls the pin up.

    A press is told in the thread that notices the edge, at once; the rest in a thread that sleeps
    while nothing is pressed.
    """

    def __init__(
        self,
        pin: int,
        pins: Any,
        when_touched: Callable[[Touch], None],
        *,
        key: str,
        marks_s: Sequence[float] = (),
    ) -> None:
        """Open the pin.

        Args:
            pin: Its Broadcom number.
            pins: gpiozero's pin factory.
            when_touched: Called with each touch; it must not raise.
            key: The setting that names the pin.
            marks_s: See `Contact`.

        Raises:
            PinError: The pin is busy, wrong or unfit.
        """
        from gpiozero import Button as GpioButton

        self._when_touched = when_touched
        self._contact = Contact(marks_s)
        self._changed = threading.Condition(threading.RLock())
        self._is_open = True
        self._button: Any = opened(
            lambda: GpioButton(pin, pin_factory=pins), key=key, pins=names_of((pin,))
        )
        threading.Thread(target=self._watch, name=f"button-{pin}", daemon=True).start()
        self._button.when_pressed = lambda: self._note(True)
        self._button.when_released = lambda: self._note(False)
        if self._button.is_pressed:
            self._note(True)

    @property
    def is_pressed(self) -> bool:
        """Whether it is held down, or the switch is closed."""
        return self._contact.is_pressed

    def close(self) -> None:
        """Let go of the pin."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._button.close()

    def _note(self, is_closed: bool) -> None:
        with self._changed:
            if not self._is_open:
                return
            for touch in self._contact.note(is_closed, time.monotonic()):
                self._when_touched(touch)
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._is_open:
                due_s = self._contact.due_s
                wait_s = None if due_s is None else max(due_s - time.monotonic(), 0.0)
                if wait_s != 0.0:
                    self._changed.wait(wait_s)
                if due_s is not None and self._is_open and time.monotonic() >= due_s:
                    # The pin itself is asked: an edge may have been lost in a storm of them.
                    self._note(bool(self._button.is_pressed))
