"""What the models are called that are measured."""

from __future__ import annotations

from edgebot.app import choose_model
from edgebot.config import Settings
from edgebot.models.model import Role
from edgebot.stages.engine import find_engine

ROLES: tuple[Role, ...] = ("stt", "llm", "tts")


def model_name(role: Role, settings: Settings) -> str:
    """Return the id of a role's model, or the name of an engine that has none here.

    Raises:
        ConfigError: There is no such engine or model.
        ModelError: The model is missing.
    """
    engine = getattr(settings, role).engine
    if engine != "auto" and not getattr(find_engine(role, engine), "NEEDS_MODEL", True):
        return str(engine)
    return choose_model(role, settings)[0].model.id
