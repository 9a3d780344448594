"""What every verb is told before its own arguments: which settings to use."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import typer
from loguru import logger

from edgebot.config import Settings, load_settings


@dataclass(frozen=True)
class Options:
    """The options before the verb."""

    config: Path | None = None
    assignments: tuple[str, ...] = ()


def options_of(context: typer.Context) -> Options:
    """Return the options of the running command."""
    options = context.find_root().obj
    return options if isinstance(options, Options) else Options()


def settings_of(context: typer.Context) -> Settings:
    """Return the settings in force, and log as they say.

    Raises:
        ConfigError: A settings file, variable or flag holds something that cannot be used.
    """
    options = options_of(context)
    settings = load_settings(file=options.config, flags=options.assignments)
    log_as(settings)
    return settings


def log_as(settings: Settings) -> None:
    """Log to standard error as the settings say."""
    log_at(settings.log.level)


def log_at(level: str) -> None:
    """Log to standard error from a level on; "off" is nothing."""
    logger.remove()
    if level != "off":
        logger.add(sys.stderr, level=level.upper(), format="{level}: {message}")
