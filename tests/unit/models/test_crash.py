"""A process that dies while it installs leaves the old model or the new one, never a mixture.

SIGKILL shows that the order of the steps is right at every point. That the steps also reach the
disk in this order is what `test_everything_is_on_the_disk_before_it_gets_its_name` is for.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from edgebot.errors import MissingModelError
from edgebot.models.store import Store

from .wheels import model, tree

OLD = {"voice.onnx": b"old" * 1000, "sub/a": b"old a", "sub/b": b"old b"}
NEW = {"voice.onnx": b"new" * 1000, "sub/a": b"new a", "sub/c": b"new c"}
FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir"}


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["edgebot.models.store", __name__])
    return context


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder in memory where there is one: a killed process does not lose what it wrote."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def install(store: Store, files: dict[str, bytes]) -> None:
    def fill(folder: Path) -> None:
        (folder / "sub").mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)

    store.install(model(), fill, source="", fingerprint="")


def die_at(step: int) -> None:
    """Kill this process just before its file operation number `step`."""
    left = step

    def count(event: str, _: tuple[Any, ...]) -> None:
        nonlocal left
        if event in FILE_EVENTS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def install_and_die(root: Path, step: int) -> None:
    die_at(step)
    install(Store(root), NEW)


def remove_and_die(root: Path, step: int) -> None:
    die_at(step)
    Store(root).remove("voice")


def install_for_ever(root: Path, turn: int, begun: Event) -> None:
    begun.set()
    for _ in range(1_000_000):
        install(Store(root), (NEW, NEW, OLD, OLD)[turn % 4])
        turn += 1


def what_is_there(root: Path) -> dict[str, bytes]:
    """Return the model's files after verifying them as a start of edgebot does."""
    store = Store(root)
    found = store.find("voice")
    store.check(found)
    store.verify(found)
    assert found.manifest
    return {f.path: (found.folder / f.path).read_bytes() for f in found.manifest.files}


def test_an_installation_cut_at_every_step(processes: ForkServerContext, root: Path) -> None:
    seen = []
    for step in range(1000):
        shutil.rmtree(root)
        install(Store(root), OLD)
        child = processes.Process(target=install_and_die, args=(root, step))
        child.start()
        child.join()
        seen.append(what_is_there(root))
        install(Store(root), NEW)
        assert what_is_there(root) == NEW
        assert len(list((root / "voice").iterdir())) == 1
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
    assert len(seen) > 20
    assert seen == sorted(seen, key=[OLD, NEW].index)
    assert seen[0] == OLD
    assert seen[-2] == NEW


def test_a_removal_cut_at_every_step(processes: ForkServerContext, root: Path) -> None:
    for step in range(1000):
        shutil.rmtree(root)
        install(Store(root), OLD)
        child = processes.Process(target=remove_and_die, args=(root, step))
        child.start()
        child.join()
        try:
            assert what_is_there(root) == OLD
        except MissingModelError:
            assert step > 0
        if child.exitcode == 0:
            break
    assert step > 5


def test_fifty_kills_at_any_moment(processes: ForkServerContext, root: Path) -> None:
    chance = random.Random(5)
    begun = time.monotonic()
    install(Store(root), OLD)
    # A slow machine gets the time that it needs: some of the installations must come to their end.
    longest_s = max(0.15, 5 * (time.monotonic() - begun))
    seen = []
    for turn in range(50):
        at_work = processes.Event()
        child = processes.Process(target=install_for_ever, args=(root, turn, at_work))
        child.start()
        assert at_work.wait(timeout=60)
        child.join(timeout=chance.uniform(0.0, longest_s))
        child.kill()
        child.join()
        seen.append(what_is_there(root))
        assert seen[-1] in (OLD, NEW)
    assert OLD in seen
    assert NEW in seen


def test_a_reader_always_finds_a_model_while_it_is_replaced(
    processes: ForkServerContext, root: Path
) -> None:
    install(Store(root), OLD)
    child = processes.Process(target=install_for_ever, args=(root, 1))
    child.start()
    try:
        found = [Store(root).find("voice").folder.name for _ in range(300)]
    finally:
        child.kill()
        child.join()
    assert set(found) <= {tree(OLD)[:12], tree(NEW)[:12]}
