"""Fixtures of the scripts' tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    # pytest's own temporary folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        yield Machine(Path(folder))
