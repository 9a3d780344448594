"""Secrets come by files that only their owner can read, never by a command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from edgebot.errors import ConfigError


def credential(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a secret: from systemd's `LoadCredential=`, or from the user's own folder.

    Raises:
        ConfigError: The file cannot be read, or others can read it.
    """
    given = environment.get("CREDENTIALS_DIRECTORY")
    folder = Path(given) if given else own_folder()
    file = folder / name
    try:
        # What systemd hands over is already nobody else's.
        if not given and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise ConfigError(f"Others may read the secret {file}: run `chmod 600 {file}`.")
        text = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"The secret {file} cannot be read: {reason}.") from None
    if not text:
        raise ConfigError(f"The secret {file} is empty.")
    return text


def own_folder() -> Path:
    """Return where a user keeps secrets for edgebot."""
    return Path(platformdirs.user_config_dir("edgebot")) / "credentials"
