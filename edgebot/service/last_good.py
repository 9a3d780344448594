"""Settings that never take the box down: a broken file is told, and the last good one is used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgebot import config
from edgebot.config import Settings, load_settings
from edgebot.errors import ConfigError
from edgebot.service.files import write_whole

_NAME = "last-good.toml"
MACHINE_STATE = Path("/var/lib/edgebot")


@dataclass(frozen=True)
class Loaded:
    """Settings in force, and what is wrong with the file that they should have come from."""

    settings: Settings
    fault: str | None = None


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that outlives the process."""
    return Path(environment.get("STATE_DIRECTORY") or MACHINE_STATE)


def load_settings_or_last_good(
    folder: Path,
    *,
    file: Path | None = None,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Loaded:
    """Return the settings in force; from the last good file, or the defaults, if it is broken.

    Args:
        folder: Where the last good file is kept.
        file: Read this file instead of the machine's and the user's.
        flags: `section.key=value` assignments.
        environment: The variables.

    Raises:
        ConfigError: A flag or a variable is wrong, which no file can mend.
    """
    mine = file or config.MACHINE_FILE
    kept = folder / _NAME
    try:
        settings = load_settings(file=file, flags=flags, environment=environment)
    except ConfigError as error:
        settings, which = _without(kept, flags, environment)
        return Loaded(settings, f"{error} Until it is mended, {which} in force.")
    # The disk may be full or read-only: then the copy of before is the last good one.
    with suppress(OSError, UnicodeDecodeError):
        _keep(mine, kept)
    return Loaded(settings)


def _without(
    kept: Path, flags: Sequence[str], environment: Mapping[str, str]
) -> tuple[Settings, str]:
    if kept.is_file():
        with suppress(ConfigError):
            return (
                load_settings(file=kept, flags=flags, environment=environment),
                "the last good settings are",
            )
    return config.validate(_own_layers(flags, environment)), "edgebot's own settings are"


def _own_layers(flags: Sequence[str], environment: Mapping[str, str]) -> list[config.Layer]:
    return [
        config.default_layer(),
        *config.environment_layers(environment),
        *map(config.flag_layer, flags),
    ]


def _keep(file: Path, kept: Path) -> None:
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    before = kept.read_text(encoding="utf-8") if kept.is_file() else None
    if text != before and folder_is_there(kept):
        # It may hold a key of a server.
        write_whole(kept, text, mode=0o600, is_lasting=True)


def folder_is_there(path: Path) -> bool:
    """Tell whether a file's folder exists: nobody makes it but the installation."""
    return path.parent.is_dir()
