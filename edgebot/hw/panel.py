"""The panel: buttons and lights, joined by the table of what a gesture means."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from edgebot.config import LightSettings, PanelSettings
from edgebot.errors import PinError
from edgebot.hw.animation import Animation
from edgebot.hw.board import NO_GPIO, open_pins
from edgebot.hw.button import Button, Touch
from edgebot.hw.gestures import Action, Actions, Gesture, meaning
from edgebot.hw.keyboard import Keyboard
from edgebot.hw.leds import open_light
from edgebot.hw.patterns import Look, look_of
from edgebot.hw.volume import VolumeButton, VolumeKnob
from edgebot.state import AssistantState, Facts

_TALK = frozenset({Gesture.TAP, Gesture.HOLD, Gesture.LET_GO})


class Panel:
    """Buttons and lights on the machine's pins, or the keyboard where there is no button.

    It needs neither sound nor a pipeline. What cannot be opened is told once, in one sentence each,
    and everything else works.
    """

    def __init__(
        self,
        panel: PanelSettings,
        light: LightSettings,
        when_action: Callable[[Action], None],
        when_trouble: Callable[[str], None],
        *,
        terminal: IO[str] | None = None,
    ) -> None:
        """Open all that is configured.

        Args:
            panel: The section [panel].
            light: The section [light].
            when_action: Called with each action, at once, in whatever thread noticed the gesture.
                A mute switch that is closed at the start is `MUTE`, before this returns.
            when_trouble: Called with what does not work and what to do.
            terminal: Where keys are read if there is no talk button and it is a terminal.
        """
        self._settings = panel
        self._when_action = when_action
        self._when_trouble = when_trouble
        self._state = AssistantState.STARTING
        self._pressed_in = AssistantState.STARTING
        self._is_talking = False
        self._is_held = False
        self._is_switched_off = False
        self._animation: Animation | None = None
        self._open = contextlib.ExitStack()
        pins = self._open_pins(panel, light)
        if pins is not None:
            self._open_buttons(pins)
            self._open_light(light, pins)
        if terminal is not None and (pins is None or not panel.talk_pin):
            keyboard = Keyboard.open(terminal, self.do)
            if keyboard is not None:
                self._open.callback(keyboard.close)
        self.show(Facts())

    @property
    def is_switched_off(self) -> bool:
        """Whether a mute switch holds the microphone closed."""
        return self._is_switched_off

    @property
    def looks_like(self) -> Look | None:
        """What its light shows; None where it has none."""
        return self._animation.look if self._animation is not None else None

    def show(self, facts: Facts) -> None:
        """Show what the assistant is doing; gestures mean what they mean in this state.

        Args:
            facts: What is known of the assistant.
        """
        self._state = facts.state
        if self._animation is not None:
            self._animation.show(look_of(facts))

    def do(self, gesture: Gesture) -> None:
        """Act on a gesture, as a button does."""
        if gesture is Gesture.PRESS:
            self._pressed_in = self._state
        state = self._pressed_in if gesture in _TALK else self._state
        found = meaning(
            gesture,
            state,
            is_switched_off=self._is_switched_off,
            long_hold=self._settings.long_hold,
        )
        for action in self._paired(gesture, found):
            self._act(action)

    def change_light(self, name: str, value: object) -> None:
        """Give its light another brightness or another night.

        Args:
            name: A key of the section [light].
            value: A right one.
        """
        if self._animation is not None:
            self._animation.change(name, value)

    def close(self) -> None:
        """Go dark, and let go of the pins and the terminal."""
        self._open.close()

    def _paired(self, gesture: Gesture, actions: Actions) -> Actions:
        """Let every beginning of push-to-talk have one end."""
        is_talking = self._is_talking
        if Action.TALK_BEGIN in actions:
            self._is_talking = True
        elif Action.TALK_END in actions:
            self._is_talking = False
            return actions if is_talking else ()
        elif is_talking and (Action.MUTE in actions or (gesture is Gesture.LONG_HOLD and actions)):
            # What was said into a button that is to mute or shut down is no question.
            self._is_talking = False
            return (Action.CANCEL, *actions)
        return actions

    def _act(self, action: Action) -> None:
        try:
            self._when_action(action)
        except Exception as error:
            # gpiozero's thread would end, and with it every button.
            self._when_trouble(f"The panel could not {action.value}: {error}.")

    def _open_pins(self, panel: PanelSettings, light: LightSettings) -> Any:
        numbers = (panel.talk_pin, panel.mute_pin, panel.volume_up_pin, panel.volume_down_pin)
        is_wanted = any(numbers) or bool(panel.encoder_pins) or light.kind != "none"
        if not is_wanted or panel.gpio == "off":
            return None
        try:
            pins = open_pins(panel.gpio)
        except PinError as error:
            self._when_trouble(str(error))
            return None
        if pins is None:
            self._when_trouble(NO_GPIO)
        return pins

    def _open_buttons(self, pins: Any) -> None:
        panel = self._settings
        louder, softer = partial(self.do, Gesture.VOLUME_UP), partial(self.do, Gesture.VOLUME_DOWN)
        if panel.mute_pin:
            self._try(lambda: self._open_mute(pins))
        if panel.talk_pin:
            marks_s = (panel.hold_s, panel.long_hold_s)
            self._try(
                lambda: Button(
                    panel.talk_pin, pins, self._talk, key="panel.talk_pin", marks_s=marks_s
                )
            )
        if panel.volume_up_pin:
            self._try(
                lambda: VolumeButton(panel.volume_up_pin, pins, louder, key="panel.volume_up_pin")
            )
        if panel.volume_down_pin:
            self._try(
                lambda: VolumeButton(
                    panel.volume_down_pin, pins, softer, key="panel.volume_down_pin"
                )
            )
        if panel.encoder_pins:
            self._try(lambda: VolumeKnob(panel.encoder_pins, pins, louder, softer))

    def _open_mute(self, pins: Any) -> Button:
        is_switch = self._settings.mute_kind == "switch"
        touched = self._switch if is_switch else self._mute
        return Button(self._settings.mute_pin, pins, touched, key="panel.mute_pin")

    def _open_light(self, light: LightSettings, pins: Any) -> None:
        if light.kind == "none":
            return

        def failed(error: Exception) -> None:
            self._when_trouble(f"The lights do not work any more: {error}.")

        def start() -> Animation:
            animation = Animation(open_light(light, pins), light, when_failed=failed)
            animation.start()
            self._animation = animation
            return animation

        self._try(start)

    def _try(self, open_part: Callable[[], Any]) -> None:
        try:
            part = open_part()
        except PinError as error:
            self._when_trouble(str(error))
        else:
            self._open.callback(part.close)

    def _talk(self, touch: Touch) -> None:
        match touch:
            case Touch.PRESSED:
                self._is_held = False
                self.do(Gesture.PRESS)
            case Touch.HELD:
                self.do(Gesture.LONG_HOLD if self._is_held else Gesture.HOLD)
                self._is_held = True
            case Touch.RELEASED:
                self.do(Gesture.LET_GO if self._is_held else Gesture.TAP)

    def _mute(self, touch: Touch) -> None:
        if touch is Touch.PRESSED:
            self.do(Gesture.MUTE_PRESS)

    def _switch(self, touch: Touch) -> None:
        if touch is not Touch.HELD:
            self._is_switched_off = touch is Touch.PRESSED
            self.do(Gesture.MUTE_CLOSED if self._is_switched_off else Gesture.MUTE_OPENED)
