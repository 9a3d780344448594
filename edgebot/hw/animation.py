"""The thread that moves the lights; it sleeps while nothing changes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from edgebot.config import LightSettings
from edgebot.hw.leds import Light, dim
from edgebot.hw.patterns import Look, Picture, film

# The clock may be set meanwhile: so often it is looked at where nights are darker.
LOOK_AT_CLOCK_S = 60.0
# No setting hides that somebody is connected.
LEAST_WHEN_CONNECTED = 0.1


@dataclass(frozen=True)
class Hours:
    """The hours of the night, by the clock on the wall.

    Attributes:
        begin: Minutes after midnight.
        end: Likewise; before `begin`, where the night spans midnight.
    """

    begin: int = 0
    end: int = 0

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Read "22:00-07:00"; "" is no night."""
        if not text:
            return cls()
        begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
        return cls(begin, end)

    def hold(self, minute: int) -> bool:
        """Tell whether a minute after midnight belongs to the night."""
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


def minute_now() -> int:
    """Return the minute after midnight, local time."""
    now = datetime.now()
    return now.hour * 60 + now.minute


class Animation:
    """Shows the newest look on a light."""

    def __init__(
        self,
        light: Light,
        settings: LightSettings,
        *,
        when_failed: Callable[[Exception], None] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
        minute: Callable[[], int] = minute_now,
    ) -> None:
        """Name the light; `start` makes it move.

        Args:
            light: Where it is shown; closed by `close`.
            settings: The section [light]: brightness and night.
            when_failed: Called once, if the light fails; it stays as it is from then on.
            clock: Seconds that never run backwards.
            minute: The minute after midnight.
        """
        self._light = light
        self._settings = settings
        self._night = Hours.parse(settings.night)
        self._when_failed = when_failed
        self._clock = clock
        self._minute = minute
        self._changed = threading.Condition()
        self._is_open = True
        self._is_new = False
        self._look: Look | None = None
        self._since_s = 0.0
        self._shown: Picture | None = None
        self._thread = threading.Thread(target=self._run, name="lights", daemon=True)

    def start(self) -> None:
        """Begin to move."""
        self._thread.start()

    @property
    def look(self) -> Look | None:
        """What it shows."""
        return self._look

    def show(self, look: Look) -> None:
        """Show a look from now on; the thread wakes at once."""
        with self._changed:
            if look != self._look:
                self._look, self._since_s = look, self._clock()
                self._is_new = True
                self._changed.notify()

    def change(self, name: str, value: object) -> None:
        """Change a setting of the section [light] from now on; the thread wakes at once."""
        with self._changed:
            self._settings = self._settings.model_copy(update={name: value})
            self._night = Hours.parse(self._settings.night)
            self._is_new = True
            self._changed.notify()

    def step(self) -> float | None:
        """Show what belongs to this moment.

        Returns:
            After how many seconds something may change; None is never, unless `show` is called.
        """
        with self._changed:
            look, since_s = self._look, self._since_s
        if look is None:
            return None
        # Rounded, so that a wait that ends a hair early is not an eternity of hairs.
        ms = round((self._clock() - since_s) * 1000)
        moving = film(look, self._light.kind, self._light.count)
        picture, change_ms = moving.at(ms)
        picture = dim(picture, self._brightness(look))
        if picture != self._shown:
            self._light.show(picture)
            self._shown = picture
        wait_s = None if change_ms is None else change_ms / 1000
        if self._settings.night:
            wait_s = min(wait_s or LOOK_AT_CLOCK_S, LOOK_AT_CLOCK_S)
        return wait_s

    def close(self) -> None:
        """Go dark and let go of the light."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        # A light that has failed cannot be closed either, and that was told.
        with contextlib.suppress(Exception):
            self._light.close()

    def _brightness(self, look: Look) -> float:
        settings = self._settings
        is_night = self._night.hold(self._minute())
        brightness = settings.night_brightness if is_night else settings.brightness
        return max(brightness, LEAST_WHEN_CONNECTED) if look.connected else brightness

    def _run(self) -> None:
        while self._is_open:
            self._is_new = False
            try:
                wait_s = self.step()
            except Exception as error:
                self._when_failed(error)
                return
            with self._changed:
                if self._is_open and not self._is_new:
                    self._changed.wait(wait_s)
