"""The front of the box: buttons, light and alarm, whether a conversation runs or not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import IO, Any

from edgebot.chimes import chime
from edgebot.config import ChimesSettings, Settings
from edgebot.errors import EdgebotError
from edgebot.hw.audio_stream import SPEAKER_RATE_HZ, SpeakerStream
from edgebot.hw.gestures import Action
from edgebot.hw.panel import Panel
from edgebot.hw.port_audio import PortAudio
from edgebot.state import Facts

Apply = Callable[[Any], None]
Act = Callable[[Action], None]

# Until the last note has left the device.
_ALARM_S = 0.8
_OF_THE_LIGHT = ("brightness", "night", "night_brightness")


def ring_out(settings: Settings) -> None:
    """Play the chime of a fault at the speaker itself, where no conversation plays anything.

    Raises:
        EdgebotError: There is no speaker, or it is busy.
        OSError: The sound system does not answer.
    """
    library = PortAudio()
    try:
        with SpeakerStream(library, settings.audio.speaker) as speaker:
            speaker.set_volume(settings.audio.volume)
            speaker.chime(chime("fault", SPEAKER_RATE_HZ, settings.chimes.volume))
            time.sleep(_ALARM_S)
    finally:
        library.close()


class Sounds:
    """The chimes as they are wished for now.

    Attributes:
        held: The sound of each that is wished for; it changes while it is used.
        live: What takes a new value for each setting of theirs.
    """

    def __init__(self, chimes: ChimesSettings) -> None:
        """Compute them.

        Args:
            chimes: The section [chimes].
        """
        self._chimes = chimes
        self.held: dict[str, bytes] = {}
        self.live: dict[str, Apply] = {
            f"chimes.{name}": partial(self._change, name) for name in ("volume", "play")
        }
        self._compute()

    def _change(self, name: str, value: object) -> None:
        self._chimes = self._chimes.model_copy(update={name: value})
        self._compute()

    def _compute(self) -> None:
        wished = self._chimes
        self.held.clear()
        for name in wished.play:
            self.held[name] = chime(name, SPEAKER_RATE_HZ, wished.volume)


class Front:
    """Lives as long as the process; conversations come and go behind it.

    While none runs, a press has nobody to wake; what is remembered is whether the microphone is to
    be closed.
    """

    def __init__(
        self,
        settings: Settings,
        when_trouble: Callable[[str], None],
        *,
        terminal: IO[str] | None = None,
        ring_out: Callable[[Settings], None] = ring_out,
    ) -> None:
        """Open the panel.

        Args:
            settings: Name its parts.
            when_trouble: Called with what does not work and what to do.
            terminal: Its keys are the panel where there is no button.
            ring_out: Plays the chime of a fault; it may take its time.
        """
        self._settings = settings
        self._ring_out = ring_out
        self._act: Act | None = None
        self._chime: Callable[[str], None] | None = None
        self._of_conversation: dict[str, Apply] = {}
        self._is_muted = False
        self._panel = Panel(
            settings.panel, settings.light, self._do, when_trouble, terminal=terminal
        )
        # What takes a new value, for each setting that can be changed while it runs.
        self.live: dict[str, Apply] = {
            f"light.{name}": partial(self._change_light, name) for name in _OF_THE_LIGHT
        }

    @property
    def is_muted(self) -> bool:
        """Whether a person has closed the microphone, be it by a switch before the start."""
        return self._is_muted

    def show(self, facts: Facts) -> None:
        """Show what the assistant is doing; gestures mean what they mean in this state."""
        self._panel.show(facts)

    def alarm(self) -> None:
        """Let a fault be heard, in the conversation or without one."""
        if "fault" not in self._settings.chimes.play:
            return
        if self._chime is not None:
            self._chime("fault")
        elif self._settings.chimes.volume:
            threading.Thread(target=self._try_to_ring, name="alarm", daemon=True).start()

    def _try_to_ring(self) -> None:
        # Whatever the speaker lacks is told elsewhere.
        with suppress(EdgebotError, OSError):
            self._ring_out(self._settings)

    def joins(
        self, act: Act, chime: Callable[[str], None], live: Mapping[str, Apply] | None = None
    ) -> None:
        """A conversation begins: what hands do goes to it.

        Args:
            act: Takes each action, in whatever thread; a closed microphone first.
            chime: Plays a chime by its name.
            live: What takes a new value for the settings that the conversation can change.
        """
        self._act, self._chime = act, chime
        self._of_conversation = dict(live or {})
        self.live |= self._of_conversation
        if self._is_muted:
            act(Action.MUTE)

    def leaves(self) -> None:
        """The conversation has ended."""
        self._act = self._chime = None
        for key in self._of_conversation:
            del self.live[key]
        self._of_conversation = {}

    def settle(self, settings: Settings) -> None:
        """Take note of the settings in force."""
        self._settings = settings

    def close(self) -> None:
        """Go dark, and let go of the pins and the terminal."""
        self._panel.close()

    def _do(self, action: Action) -> None:
        if action in (Action.MUTE, Action.UNMUTE):
            self._is_muted = action is Action.MUTE
        if self._act is not None:
            self._act(action)

    def _change_light(self, name: str, value: object) -> None:
        self._panel.change_light(name, value)
