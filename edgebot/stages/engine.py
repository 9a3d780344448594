"""Finds the engine of a stage by the one key that names it.

`stt.engine = "vosk"` is the module `edgebot.stages.stt_vosk`; a name with a dot, or any other
importable module, is somebody's own. Either has `async load(settings, model)`, which loads
the engine and returns a function that makes a Pipecat processor of it, one for each conversation.
A module that sets `NEEDS_MODEL = False` is handed None for its model.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType

import edgebot.stages
from edgebot.errors import ConfigError


def engines(role: str) -> list[str]:
    """Return the names of the engines that edgebot has for a role (`stt`, `llm`, `tts`)."""
    prefix = f"{role}_"
    names = (module.name for module in pkgutil.iter_modules(edgebot.stages.__path__))
    return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))


def find_engine(role: str, name: str) -> ModuleType:
    """Import the module of an engine.

    Raises:
        ConfigError: There is no such engine, or the module cannot be imported.
    """
    own = name not in engines(role)
    if not name.strip(".") or name.startswith("."):
        raise ConfigError(unknown_engine(role, name))
    path = name if own else f"edgebot.stages.{role}_{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if own and error.name in (path, path.partition(".")[0]):
            raise ConfigError(unknown_engine(role, name)) from None
        raise ConfigError(
            f"{role}.engine {name!r} needs the Python package {error.name!r}, "
            "which is not installed."
        ) from None
    except Exception as error:  # whatever somebody's own module does when it is imported
        raise ConfigError(f"{role}.engine {name!r} cannot be loaded: {error}.") from None
    if not hasattr(module, "load"):
        raise ConfigError(f"{role}.engine {name!r} has no function `load(settings, model)`.")
    return module


def unknown_engine(role: str, name: str) -> str:
    """Say that there is no such engine, with the nearest right one."""
    known = engines(role)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
    return f"There is no engine {name!r} for {role}.engine. {hint}"
