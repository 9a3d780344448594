"""Bringing a whole set of models: for every role the wanted one, or what stands in for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgebot.errors import DiskFullError, DownloadError
from edgebot.models.catalog import Catalog
from edgebot.models.download import Network
from edgebot.models.fetch import pull
from edgebot.models.installed import InstalledModel
from edgebot.models.model import ROLES, Role
from edgebot.models.progress import WhenProgress, no_progress
from edgebot.models.room import FreeBytes, free_bytes
from edgebot.models.store import Store


@dataclass(frozen=True)
class Failure:
    """One model that could not be had.

    Attributes:
        model_id: Which.
        reason: Why, in a sentence.
    """

    model_id: str
    reason: str


@dataclass(frozen=True)
class RoleReport:
    """What became of one role.

    Attributes:
        role: Which.
        wanted: The id of the model that the set wants; None if it has none for the language.
        got: The model that is installed now; None if none could be had.
        failures: What was tried before it.
    """

    role: Role
    wanted: str | None
    got: InstalledModel | None
    failures: tuple[Failure, ...] = ()

    def lines(self) -> list[str]:
        """Say in one line each what could not be had and what there is instead."""
        lines = [failure.reason for failure in self.failures]
        if self.got is None:
            lines.append(f"There is no {self.role} model now.")
        elif self.failures:
            lines.append(
                f"{self.got.model.id} stands in for {self.wanted}; "
                "`edgebot models pull` gets it when the network is there."
            )
        return lines


@dataclass(frozen=True)
class SetReport:
    """What became of a set, role by role."""

    set_name: str
    language: str
    roles: tuple[RoleReport, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every role has a model."""
        return all(report.got for report in self.roles)

    def lines(self) -> list[str]:
        """Say what could not be had; empty when everything wanted is there."""
        return [line for report in self.roles for line in report.lines()]


def pull_set(
    store: Store,
    catalog: Catalog,
    set_name: str,
    roles: Sequence[Role] = ROLES,
    language: str = "en",
    when_progress: WhenProgress = no_progress,
    *,
    network: Network | None = None,
    free: FreeBytes = free_bytes,
) -> SetReport:
    """Make sure that there is a model for every role, the wanted one where it can be had.

    A wanted model that is already installed costs no network. What could not be had this time is
    tried again by the next call. A server that does not answer is asked once for all roles.

    Raises:
        ConfigError: There is no such set.
        ModelError: The store cannot be written to.
    """
    network = network or Network()
    reports = []
    for role in roles:
        preferences = catalog.preferences(set_name, role, language=language)
        failures: list[Failure] = []
        got = None
        for model in preferences:
            try:
                got = pull(store, model, when_progress, network=network, free=free)
                break
            except (DownloadError, DiskFullError) as error:
                failures.append(Failure(model.id, str(error)))
        if not preferences:
            reason = f"The catalogue has no {role} model for the language {language!r}."
            failures.append(Failure("", reason))
        wanted = preferences[0].id if preferences else None
        reports.append(RoleReport(role, wanted, got, tuple(failures)))
    return SetReport(set_name, language, tuple(reports))
