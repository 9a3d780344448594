"""One machine for all tests in this folder; it boots in half a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vm import machine as vm


@pytest.fixture(scope="session")
def machine() -> Iterator[vm.Machine]:
    if reason := vm.reason_to_skip():
        pytest.skip(reason)
    vm.build()
    with vm.Machine() as running:
        yield running
