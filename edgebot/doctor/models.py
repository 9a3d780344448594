"""The models: is one there for every role, and is each still what was installed?"""

from __future__ import annotations

from edgebot.config import Settings
from edgebot.doctor.finding import Finding
from edgebot.errors import EdgebotError
from edgebot.models.catalog import Catalog
from edgebot.models.choose import choose, stand_in_note
from edgebot.models.installed import InstalledModel, check
from edgebot.models.model import ROLES, Role
from edgebot.models.room import megabytes
from edgebot.models.store import Store


def check_models(settings: Settings) -> tuple[list[Finding], int]:
    """Look at the model of each role; return also what those that are there take of the memory."""
    catalog, store = Catalog.load(), Store(settings.models.dir)
    known = {model.engine for model in catalog.models.values()}
    findings: list[Finding] = []
    memory_bytes = 0
    for role in ROLES:
        engine = getattr(settings, role).engine
        if engine not in {"auto", *known}:
            findings.append(_elsewhere(settings, role, engine))
            continue
        finding, model = _check_role(settings, store, catalog, role)
        findings.append(finding)
        memory_bytes += model.model.memory_bytes if model else 0
    return findings, memory_bytes


def _elsewhere(settings: Settings, role: Role, engine: str) -> Finding:
    if engine == "openai":
        text = f"Words go to {settings.llm.server_url}; doctor does not ask whether it answers."
    else:
        text = f"The engine {engine!r} is your own: it looks after its model itself."
    return Finding("skipped", f"model {role}", text)


def _check_role(
    settings: Settings, store: Store, catalog: Catalog, role: Role
) -> tuple[Finding, InstalledModel | None]:
    subject = f"model {role}"
    wanted = getattr(settings, role)
    try:
        model = choose(
            store,
            catalog,
            role,
            engine=wanted.engine,
            model=wanted.model,
            language=settings.language,
            model_set=settings.models.set,
        )
        check(model)
    except EdgebotError as error:
        return Finding("fault", subject, str(error)), None
    note = stand_in_note(
        catalog,
        role,
        model,
        engine=wanted.engine,
        model=wanted.model,
        language=settings.language,
        model_set=settings.models.set,
    )
    if note:
        return Finding("warning", subject, note), model
    return Finding(
        "ok", subject, f"{model.model.id}, {megabytes(model.size_bytes)}, intact."
    ), model
