"""A process of its own."""

from __future__ import annotations

import os

import pytest

from edgebot.bench.apart import Apart
from edgebot.errors import ConfigError, EngineError


def test_functions_run_in_another_process_which_stays_the_same() -> None:
    with Apart({"EDGEBOT_TEST_APART": "there"}) as apart:
        other = apart.run(os.getpid)
        assert other != os.getpid()
        assert apart.run(os.getpid) == other
        assert apart.run(os.getenv, "EDGEBOT_TEST_APART") == "there"
        assert "EDGEBOT_TEST_APART" not in os.environ
        with pytest.raises(ConfigError, match="no such"):
            apart.run(refuse, "no such thing")
        with pytest.raises(EngineError, match="has ended"):
            apart.run(os._exit, 1)
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


def refuse(text: str) -> None:
    raise ConfigError(text)
