"""The settings: can each layer be read, and is every key known and every value right?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgebot.config import (
    MACHINE_FILE,
    Layer,
    Settings,
    default_layer,
    is_there,
    known_keys,
    layers,
    leaves,
    unknown_key,
    user_file,
    validate,
)
from edgebot.doctor.finding import Finding
from edgebot.errors import ConfigError

_GO_ON = "Until then, what follows holds for edgebot's own settings."


def check_settings(
    *, file: Path | None, flags: tuple[str, ...], environment: Mapping[str, str]
) -> tuple[list[Finding], Settings]:
    """Read all layers, and return the settings in force: edgebot's own where they are wrong."""
    try:
        stack = layers(file=file, flags=flags, environment=environment)
    except ConfigError as error:
        return [Finding("fault", "settings", str(error), _GO_ON)], validate([default_layer()])
    unknown = [
        Finding("fault", "settings", unknown_key(key, layer.name, list(known_keys())), _GO_ON)
        for layer in stack
        for key, _ in leaves(layer.values)
        if key not in known_keys()
    ]
    if unknown:
        return unknown, validate([default_layer()])
    try:
        settings = validate(stack)
    except ConfigError as error:
        return [Finding("fault", "settings", str(error), _GO_ON)], validate([default_layer()])
    return [Finding("ok", "settings", _sources(stack, file))], settings


def _sources(stack: list[Layer], file: Path | None) -> str:
    read = [layer.name for layer in stack if layer.name != "default"]
    if read:
        return f"All keys and values are right ({', '.join(read)})."
    paths = [file] if file else [path for path in (MACHINE_FILE, user_file()) if is_there(path)]
    return "All as edgebot brings it" + (", your file is empty." if paths else ".")
