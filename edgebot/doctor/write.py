"""Writes settings into a person's file and keeps all else that stands there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from edgebot.doctor.finding import Change
from edgebot.errors import ConfigError


def with_changes(text: str, changes: Iterable[Change]) -> str:
    """Return a settings file's text with some keys set; its comments and other keys stay."""
    document = tomlkit.parse(text)
    for change in changes:
        section, _, name = change.key.rpartition(".")
        if section and section not in document:
            document[section] = tomlkit.table()
        place = document[section] if section else document
        place[name] = change.value
    return tomlkit.dumps(document)


def write_changes(file: Path, changes: Iterable[Change]) -> None:
    """Set some keys in a file, which is made if it is missing, in one step.

    Raises:
        ConfigError: The file cannot be read or written.
    """
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        changed = with_changes(text, changes)
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
        ) as fresh:
            fresh.write(changed)
        Path(fresh.name).chmod(mode)
        # A link is followed: what it points to is the person's file.
        Path(fresh.name).replace(file.resolve())
    except OSError as error:
        raise ConfigError(
            f"The settings file {file} cannot be written: {error.strerror}."
        ) from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings file {file} is not valid TOML: {error}.") from None
