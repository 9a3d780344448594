"""Fixtures of the models' tests: a store, a hub on this machine, and small models to fetch."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebot.models.download import Network
from edgebot.models.store import Store

from .hub import Hub


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture(scope="session")
def _running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
def hub(_running_hub: Hub) -> Iterator[Hub]:
    """A real https server on the loopback device, without any files yet."""
    _running_hub.pages.clear()
    _running_hub.requests.clear()
    _running_hub.release.clear()
    yield _running_hub
    _running_hub.release.set()


@pytest.fixture
def network(hub: Hub) -> Network:
    """Patience for a server on the same machine."""
    return Network(connect_s=2.0, stall_s=0.5, ssl_context=hub.client_context)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for 512 KiB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "edgebot-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small file system cannot be mounted here: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
