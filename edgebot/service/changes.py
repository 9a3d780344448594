"""Settings that have changed: what can be applied at once, and what needs a restart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from edgebot.config import Settings, leaves

Apply = Callable[[Any], None]


@dataclass(frozen=True)
class Changes:
    """Dotted keys, in the order of the defaults."""

    now: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it to a person."""
        if not self.now and not self.restart:
            return "No setting has changed."
        said = []
        if self.now:
            said.append(f"Applied: {', '.join(self.now)}.")
        if self.restart:
            said.append(f"Only after a restart: {', '.join(self.restart)}.")
        return " ".join(said)


def settings_changed(old: Settings, new: Settings, live: Collection[str]) -> Changes:
    """Compare two settings.

    Args:
        old: In force.
        new: Wished for.
        live: The keys that can be applied to a running assistant.
    """
    before = dict(leaves(old.model_dump()))
    after = dict(leaves(new.model_dump()))
    changed = [key for key in after if after[key] != before[key]]
    return Changes(
        now=tuple(key for key in changed if key in live),
        restart=tuple(key for key in changed if key not in live),
    )


def apply_changes(old: Settings, new: Settings, live: Mapping[str, Apply]) -> Changes:
    """Apply what can be applied to a running assistant, and return what has changed.

    Args:
        old: In force.
        new: Wished for.
        live: What takes a new value, for each key that can be changed while it runs.
    """
    changes = settings_changed(old, new, live)
    values = dict(leaves(new.model_dump()))
    for key in changes.now:
        live[key](values[key])
    return changes


def in_force(old: Settings, new: Settings, keys: Collection[str]) -> Settings:
    """Return the old settings with the new values of some keys."""
    for key in keys:
        section, _, name = key.rpartition(".")
        if section:
            value = getattr(getattr(new, section), name)
            changed = getattr(old, section).model_copy(update={name: value})
            old = old.model_copy(update={section: changed})
        else:
            old = old.model_copy(update={name: getattr(new, name)})
    return old
