"""What sets the volume: two buttons, or a rotary encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgebot.errors import PinError
from edgebot.hw.board import names_of, opened
from edgebot.hw.button import Button, Touch

# A held button goes on by itself.
REPEATS_S = tuple(0.5 + 0.2 * n for n in range(40))


class VolumeButton:
    """A button that makes it louder, or softer; held, it repeats."""

    def __init__(self, pin: int, pins: Any, when_pressed: Callable[[], None], *, key: str) -> None:
        """Open the pin; see `Button`."""

        def touched(touch: Touch) -> None:
            if touch is not Touch.RELEASED:
                when_pressed()

        self._button = Button(pin, pins, touched, key=key, marks_s=REPEATS_S)

    def close(self) -> None:
        """Let go of the pin."""
        self._button.close()


class VolumeKnob:
    """A rotary encoder: clockwise is louder.

    Wiring: its middle leg to ground, the two others to the pins; exchange them if it turns the
    wrong way round.
    """

    def __init__(
        self,
        numbers: tuple[int, ...],
        pins: Any,
        when_louder: Callable[[], None],
        when_softer: Callable[[], None],
    ) -> None:
        """Open the pins.

        Args:
            numbers: Of A and B.
            pins: gpiozero's pin factory.
            when_louder: Called at each step clockwise; it must not raise.
            when_softer: Called at each step the other way; it must not raise.

        Raises:
            PinError: A pin is busy, wrong or unfit, or there are not two.
        """
        from gpiozero import RotaryEncoder

        if len(numbers) != 2 or 0 in numbers:
            raise PinError(
                f"panel.encoder_pins cannot be {list(numbers)}: a rotary encoder has two pins, "
                "[A, B]."
            )
        self._encoder: Any = opened(
            lambda: RotaryEncoder(*numbers, max_steps=0, pin_factory=pins),
            key="panel.encoder_pins",
            pins=names_of(numbers),
        )
        self._encoder.when_rotated_clockwise = when_louder
        self._encoder.when_rotated_counter_clockwise = when_softer

    def close(self) -> None:
        """Let go of the pins."""
        self._encoder.close()
