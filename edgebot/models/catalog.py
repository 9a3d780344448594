"""The catalogue: every model that edgebot can fetch, and the sets that it makes of them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from edgebot.errors import ConfigError
from edgebot.models.checked import ModelId
from edgebot.models.model import MODEL, Model, Role


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ModelSet:
    """For every role the ids of models in order of preference.

    The first that speaks the language is what the set wants; the following stand in for it.
    """

    about: str
    stt: tuple[ModelId, ...]
    llm: tuple[ModelId, ...]
    tts: tuple[ModelId, ...]

    def ids(self, role: Role) -> tuple[str, ...]:
        """Return one role's ids, best first."""
        preferences: dict[Role, tuple[str, ...]] = {
            "stt": self.stt,
            "llm": self.llm,
            "tts": self.tts,
        }
        return preferences[role]


T = TypeVar("T")
_SET: TypeAdapter[ModelSet] = TypeAdapter(ModelSet)


@dataclass(frozen=True)
class Catalog:
    """All models by id and all sets by name."""

    models: Mapping[str, Model]
    sets: Mapping[str, ModelSet]

    @classmethod
    def load(cls, path: Path | None = None) -> Catalog:
        """Read a catalogue file, or the one that edgebot brings.

        Raises:
            ConfigError: The file is no sound catalogue; the message names the entry.
        """
        text = (
            path.read_text(encoding="utf-8")
            if path
            else resources.files("edgebot.models").joinpath("catalog.toml").read_text("utf-8")
        )
        return cls.parse(tomllib.loads(text))

    @classmethod
    def parse(cls, tables: Mapping[str, Any]) -> Catalog:
        """Check the tables of a catalogue and make one of them."""
        models: dict[str, Model] = {}
        for table in tables.get("model", ()):
            model = _checked(MODEL, table, f"the model {table.get('id', '?')}")
            if model.id in models:
                raise ConfigError(f"The catalogue names the model {model.id} twice; keep one.")
            models[model.id] = model
        sets = {
            name: _checked(_SET, table, f"the set {name}")
            for name, table in tables.get("sets", {}).items()
        }
        catalog = cls(models, sets)
        for model_set in sets.values():
            for model_id in (*model_set.stt, *model_set.llm, *model_set.tts):
                catalog.model(model_id)
        return catalog

    def model(self, model_id: str) -> Model:
        """Return a model by its id.

        Raises:
            ConfigError: There is none; the message names the nearest.
        """
        return _named(self.models, model_id, "model")

    def model_set(self, name: str) -> ModelSet:
        """Return a set by its name.

        Raises:
            ConfigError: There is none; the message names the nearest.
        """
        return _named(self.sets, name, "model set")

    def preferences(
        self, set_name: str, role: Role, *, engine: str = "auto", language: str = "en"
    ) -> list[Model]:
        """Return what a set wants for a role, best first, of one engine and language."""
        models = (self.model(model_id) for model_id in self.model_set(set_name).ids(role))
        return [
            model for model in models if engine in ("auto", model.engine) and model.speaks(language)
        ]


def _named(known: Mapping[str, T], name: str, kind: str) -> T:
    if name in known:
        return known[name]
    near = _nearest(name, list(known))
    raise ConfigError(
        f"There is no {kind} called {name!r}; "
        + (f"did you mean {near!r}?" if near else "`edgebot models list` shows what there is.")
    )


def _nearest(name: str, known: Sequence[str]) -> str | None:
    matches = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return matches[0] if matches else None


def _checked(adapter: TypeAdapter[T], table: Any, what: str) -> T:
    try:
        return adapter.validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"In the catalogue, {what} is unsound at {where}: {message}.") from None
