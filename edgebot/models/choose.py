"""Choosing a model among those that are installed, for a role, a language and this machine."""

from __future__ import annotations

from pathlib import Path

from edgebot.errors import ConfigError, MissingModelError
from edgebot.machine import computes_fast, memory_bytes
from edgebot.models.catalog import Catalog
from edgebot.models.installed import InstalledModel, local_model
from edgebot.models.model import Role
from edgebot.models.store import Store

AUTO = "auto"
_TINY_BELOW_BYTES = 1_200_000_000
_SMALL_BELOW_BYTES = 3_500_000_000


def choose_set(size_bytes: int, *, fast: bool = True) -> str:
    """Return the name of the set that fits a machine.

    Args:
        size_bytes: How much memory it has.
        fast: What `edgebot.machine.is_fast` says of its processor.
    """
    if size_bytes < _TINY_BELOW_BYTES:
        return "tiny"
    return "standard" if fast and size_bytes >= _SMALL_BELOW_BYTES else "small"


def resolve_set(catalog: Catalog, model_set: str) -> str:
    """Return a set's name, with ``auto`` settled by this machine.

    Raises:
        ConfigError: There is no such set.
    """
    name = model_set
    if model_set == AUTO:
        name = choose_set(memory_bytes(), fast=computes_fast())
    catalog.model_set(name)
    return name


def choose(
    store: Store,
    catalog: Catalog,
    role: Role,
    *,
    engine: str = AUTO,
    model: str = AUTO,
    language: str = "en",
    model_set: str = AUTO,
) -> InstalledModel:
    """Return the installed model that a role is to use. Nothing is fetched.

    Args:
        store: Where models are.
        catalog: What the sets are made of.
        role: ``stt``, ``llm`` or ``tts``.
        engine: Only models of this engine, or ``auto``.
        model: An id, a path to the user's own model, or ``auto``: the first installed one of the
            set's preferences, else any that fits.
        language: Only models that speak it, unless `model` names one.
        model_set: ``tiny``, ``small``, ``standard``, or ``auto``: by this machine's memory.

    Raises:
        MissingModelError: None is installed; the message names the command that fetches one.
        BrokenModelError: The manifest of the chosen one is damaged.
        ConfigError: There is no such set or model, or the model is for another role or engine.
    """
    if model != AUTO:
        return _named(store, catalog, role, engine, model, language)
    set_name = resolve_set(catalog, model_set)
    preferences = catalog.preferences(set_name, role, engine=engine, language=language)
    for wanted in preferences:
        try:
            return store.find(wanted.id)
        except MissingModelError:
            continue
    for installed in store.installed():
        other = installed.model
        if other.role == role and engine in (AUTO, other.engine) and other.speaks(language):
            return installed
    raise _none_installed(catalog, role, engine, language)


def stand_in_note(
    catalog: Catalog,
    role: Role,
    chosen: InstalledModel,
    *,
    engine: str = AUTO,
    model: str = AUTO,
    language: str = "en",
    model_set: str = AUTO,
) -> str | None:
    """Say in one line that a chosen model stands in for the one that its set wants.

    Takes the same settings as `choose`. None when there is nothing to say.
    """
    if model != AUTO:
        return None
    set_name = resolve_set(catalog, model_set)
    wanted = catalog.preferences(set_name, role, engine=engine, language=language)
    if not wanted or wanted[0].id == chosen.model.id:
        return None
    return (
        f"{wanted[0].id} is not installed; {chosen.model.id} stands in. "
        "`edgebot models pull` gets it when the network is there."
    )


def _named(
    store: Store, catalog: Catalog, role: Role, engine: str, name: str, language: str
) -> InstalledModel:
    path = Path(name).expanduser()
    if "/" in name or path.exists():
        return local_model(role, _engine_of(path) if engine == AUTO else engine, path, language)
    try:
        installed = store.find(name)
    except MissingModelError:
        catalog.model(name)  # an unknown name is named with the nearest right one
        raise
    if installed.model.role != role:
        raise ConfigError(f"The model {name} is for {installed.model.role}; correct {role}.model.")
    if engine not in (AUTO, installed.model.engine):
        raise ConfigError(
            f"The model {name} is for the engine {installed.model.engine!r} and not "
            f"{engine!r}; correct {role}.engine or {role}.model."
        )
    return installed


def _engine_of(path: Path) -> str:
    """Tell a user's own model's engine from its files."""
    if path.suffix == ".gguf":
        return "llama_cpp"
    if path.suffix == ".onnx":
        return "piper"
    if path.is_dir() and any(path.glob("*.ort")):
        return "moonshine"
    if path.is_dir() and (path / "conf").is_dir():
        return "vosk"
    raise ConfigError(f"No engine is known for {path}; name one beside it in the settings.")


def _none_installed(catalog: Catalog, role: Role, engine: str, language: str) -> MissingModelError:
    known = [
        model.id
        for model in catalog.models.values()
        if model.role == role and engine in (AUTO, model.engine) and model.speaks(language)
    ]
    kind = f"{role} model" if engine == AUTO else f"{role} model of the engine {engine}"
    if not known:
        return MissingModelError(
            f"The catalogue has no {kind} for the language {language!r}; "
            f"set {role}.model to a model of your own."
        )
    what = f"--role {role}" if engine == AUTO else known[0]
    return MissingModelError(
        f"No {kind} for the language {language!r} is installed; run `edgebot models pull {what}`."
    )
