"""`systemctl reload`: settings are read again, and what can be applied is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgebot.config import Settings
from edgebot.errors import ConfigError
from edgebot.service.changes import Apply, apply_changes, in_force
from edgebot.service.last_good import Loaded
from edgebot.service.service import Service
from edgebot.state import Fault

# What the service itself applies.
OWN_KEYS = ("log.words", "service.memory_limit_mb")


class Reloader:
    """Called at each SIGHUP."""

    def __init__(
        self,
        service: Service,
        loaded: Loaded,
        load: Callable[[], Loaded],
        live: Mapping[str, Apply],
    ) -> None:
        """Name the parts.

        Args:
            service: Is told what has changed.
            loaded: The settings in force.
            load: Reads them again.
            live: What takes a new value, for each key that can be changed while it runs; more may
                be put there later.
        """
        self._service = service
        self._load = load
        self._live = live
        # What is really in force, and so what the next change is measured by.
        self._settings = loaded.settings

    @property
    def settings(self) -> Settings:
        """What is in force."""
        return self._settings

    def __call__(self) -> None:
        """Read the settings again; a broken file is told and changes nothing."""
        self._service.reloading()
        try:
            loaded = self._load()
        except ConfigError as error:
            loaded = Loaded(self._settings, str(error))
        if loaded.fault is not None:
            self._service.fault(Fault.SETTINGS, loaded.fault)
            said, settings = loaded.fault, self._settings
        else:
            self._service.mended(Fault.SETTINGS)
            live = {key: _nothing for key in OWN_KEYS} | dict(self._live)
            changes = apply_changes(self._settings, loaded.settings, live)
            said, settings = str(changes), loaded.settings
            # What waits for a restart is told again at the next reload.
            self._settings = in_force(self._settings, settings, changes.now)
        self._service.reloaded(
            said, words=settings.log.words, limit_mb=settings.service.memory_limit_mb
        )


def _nothing(value: object) -> None:
    """Take the value of a key that the service applies after all others."""
