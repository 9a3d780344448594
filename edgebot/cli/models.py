"""`edgebot models`: see, fetch, check, remove and carry the models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from edgebot.cli.console import err, out
from edgebot.cli.options import settings_of
from edgebot.config import Settings
from edgebot.errors import BrokenModelError, ConfigError, DownloadError
from edgebot.models.bundle import export, import_
from edgebot.models.catalog import Catalog
from edgebot.models.choose import resolve_set
from edgebot.models.download import Network
from edgebot.models.fetch import pull
from edgebot.models.installed import InstalledModel
from edgebot.models.model import ROLES, Model, Role
from edgebot.models.progress import Progress, WhenProgress
from edgebot.models.room import megabytes
from edgebot.models.sets import SetReport, pull_set
from edgebot.models.store import Store

models_app = typer.Typer(
    name="models",
    help="The models that hear, think and speak: see, fetch, check, remove and carry them.",
    no_args_is_help=True,
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", show_default=False)]
SomeIds = Annotated[list[str], typer.Argument(metavar="ID...", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

_HEADINGS = ("model", "state", "role", "lang", "disk", "memory", "licence", "engine")
_WIDE = 100
_PHASES = {"download": "fetching", "unpack": "unpacking", "check": "checking"}


@models_app.command("list")
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every model there is, which are installed, and what this machine's set wants.

    Example: edgebot models list
    """
    settings, catalog, store = _open(context)
    set_name = resolve_set(catalog, settings.models.set)
    here = {installed.model.id: installed for installed in store.installed()}
    models = list(catalog.models.values())
    models += [i.model for i in here.values() if i.model.id not in catalog.models]
    wanted = {
        found[0].id
        for role in ROLES
        if (found := catalog.preferences(set_name, role, language=settings.language))
    }
    if as_json:
        out.print_json(data=[_row(model, here.get(model.id), wanted) for model in models])
        return
    rows = [_cells(model, model.id in here, model.id in wanted) for model in models]
    _print_models(rows)
    out.print(f"\nThe set is {set_name} ({catalog.model_set(set_name).about}); in {store.root}.")


@models_app.command("pull")
def pull_models(
    context: typer.Context,
    ids: Ids = None,
    model_set: Annotated[
        str | None, typer.Option("--set", help="Which set: tiny, small or standard.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="Only this role: stt, llm or tts; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch models: the named ones, or a set with one for each role.

    What is here and sound is left alone; what is damaged is fetched anew. Where a wanted model
    cannot be had, another stands in, and a later pull gets the wanted one.

    Example: edgebot models pull
    Example: edgebot models pull qwen2.5-0.5b-instruct
    """
    settings, catalog, store = _open(context)
    if ids:
        if model_set or role:
            raise ConfigError("Name either models, or a set and its roles.")
        models = [catalog.model(model_id) for model_id in ids]
        network = Network()
        with _progress(as_json) as when_progress:
            got = [pull(store, model, when_progress, network=network) for model in models]
        _tell_installed(got, as_json)
        return
    set_name = resolve_set(catalog, model_set or settings.models.set)
    with _progress(as_json) as when_progress:
        report = pull_set(store, catalog, set_name, _roles(role), settings.language, when_progress)
    if as_json:
        out.print_json(data=_report(report))
    else:
        for line in report.lines():
            err.print(line)
        _tell_installed([r.got for r in report.roles if r.got], as_json)
    if not report.is_complete:
        missing = ", ".join(r.role for r in report.roles if r.got is None)
        raise DownloadError(
            f"There is no model for {missing}; connect this machine to the network and run "
            "`edgebot models pull` again, or carry them here with `edgebot models import`."
        )


@models_app.command("verify")
def verify_models(context: typer.Context, ids: Ids = None, as_json: AsJson = False) -> None:
    """Read every byte of the installed models and compare its hash.

    Example: edgebot models verify
    """
    _, catalog, store = _open(context)
    faults: dict[str, str | None] = {}
    for model_id in ids or _ids_in(store):
        try:
            store.verify(_find(store, catalog, model_id))
            faults[model_id] = None
        except BrokenModelError as error:
            faults[model_id] = str(error)
        if not as_json:
            out.print(f"{model_id}: {'damaged' if faults[model_id] else 'sound'}")
    if as_json:
        rows = [{"id": i, "sound": fault is None, "fault": fault} for i, fault in faults.items()]
        out.print_json(data=rows)
    if found := [fault for fault in faults.values() if fault]:
        raise BrokenModelError(found[0])


@models_app.command("remove")
def remove_models(context: typer.Context, ids: SomeIds) -> None:
    """Remove models and give their room back.

    Example: edgebot models remove vosk-model-small-ko
    """
    _, catalog, store = _open(context)
    for model_id in ids:
        if model_id not in _ids_in(store):
            _find(store, catalog, model_id)
        out.print(f"{model_id}: removed, {megabytes(store.remove(model_id))} free again")


@models_app.command("export")
def export_models(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="A new .tar file or a new folder.", show_default=False)
    ],
    ids: Ids = None,
) -> None:
    """Write models to a stick, for a machine without a network.

    Without ids, every installed model goes along. A name that ends in .tar makes one file.

    Example: edgebot models export /media/stick/models.tar
    """
    _, catalog, store = _open(context)
    for model_id in ids or []:
        _find(store, catalog, model_id)
    for installed in export(store, ids or [], path):
        out.print(f"{installed.model.id}: written to {path}")


@models_app.command("import")
def import_models(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="What `edgebot models export` wrote.", show_default=False)
    ],
) -> None:
    """Install models from a stick. No network is used.

    Every byte is checked before anything is installed.

    Example: edgebot models import /media/stick/models.tar
    """
    _, catalog, store = _open(context)
    _tell_installed(import_(store, catalog, path), as_json=False)


def _open(context: typer.Context) -> tuple[Settings, Catalog, Store]:
    settings = settings_of(context)
    return settings, Catalog.load(), Store(settings.models.dir)


def _find(store: Store, catalog: Catalog, model_id: str) -> InstalledModel:
    """Find an installed model; name the nearest right one if there is no such model at all."""
    if model_id not in _ids_in(store):
        catalog.model(model_id)
    return store.find(model_id)


def _ids_in(store: Store) -> list[str]:
    """Return the ids of all models in the store, the damaged ones included."""
    if not store.root.is_dir():
        return []
    return sorted(f.name for f in store.root.iterdir() if store.has_begun(f.name))


def _roles(names: Sequence[str] | None) -> tuple[Role, ...]:
    for name in names or ():
        if name not in ROLES:
            raise ConfigError(f"There is no role {name!r}; a role is {', '.join(ROLES)}.")
    return cast(tuple[Role, ...], tuple(names)) if names else ROLES


def _row(model: Model, installed: InstalledModel | None, wanted: set[str]) -> dict[str, Any]:
    row = model.describe()
    row["installed"] = str(installed.path) if installed else None
    row["wanted"] = model.id in wanted
    return row


def _cells(model: Model, is_installed: bool, is_wanted: bool) -> tuple[str, ...]:
    state = "installed" if is_installed else "wanted" if is_wanted else "-"
    disk, memory = megabytes(model.size_bytes), megabytes(model.memory_bytes)
    return (model.id, state, model.role, model.language, disk, memory, model.licence, model.engine)


def _print_models(rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table that fits a terminal, or a line for each model for another program."""
    if not out.is_terminal:
        for row in rows:
            out.print("  ".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = len(_HEADINGS) if out.width >= _WIDE else len(_HEADINGS) - 1
    for heading, *cells in list(zip(_HEADINGS, *rows, strict=True))[:shown]:
        least = None if heading == "licence" else max(map(len, (heading, *cells)))
        table.add_column(heading, no_wrap=True, min_width=least)
    for row in rows:
        table.add_row(*row[:shown])
    out.print(table)


def _report(report: SetReport) -> dict[str, Any]:
    return {
        "set": report.set_name,
        "language": report.language,
        "complete": report.is_complete,
        "roles": [
            {
                "role": role.role,
                "wanted": role.wanted,
                "got": role.got.model.id if role.got else None,
                "path": str(role.got.path) if role.got else None,
                "failures": [
                    {"id": failure.model_id, "reason": failure.reason} for failure in role.failures
                ],
            }
            for role in report.roles
        ],
    }


def _tell_installed(models: Sequence[InstalledModel], as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps([{"id": m.model.id, "path": str(m.path)} for m in models]))
        return
    for installed in models:
        out.print(f"{installed.model.id}: installed, {megabytes(installed.size_bytes)}")


@contextmanager
def _progress(quiet: bool) -> Iterator[WhenProgress]:
    """Show a bar for each model on a terminal, and a line for each step elsewhere."""
    if quiet:
        yield lambda progress: None
    elif not err.is_terminal:
        yield _plain_lines()
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Bars(*columns, TimeRemainingColumn(), console=err, transient=True) as bars:
            tasks: dict[str, Any] = {}

            def show(progress: Progress) -> None:
                if progress.model_id not in tasks:
                    tasks[progress.model_id] = bars.add_task(progress.model_id)
                bars.update(
                    tasks[progress.model_id],
                    description=f"{progress.model_id}: {_PHASES[progress.phase]}",
                    completed=progress.done_bytes,
                    total=progress.total_bytes,
                )

            yield show


def _plain_lines() -> WhenProgress:
    seen: set[tuple[str, str]] = set()

    def tell(progress: Progress) -> None:
        step = (progress.model_id, progress.phase)
        if step not in seen:
            seen.add(step)
            size = megabytes(progress.total_bytes)
            err.print(f"{progress.model_id}: {_PHASES[progress.phase]}, {size}")

    return tell
