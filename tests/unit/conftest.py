"""What all unit tests have in common."""

import pytest
from loguru import logger


@pytest.fixture(scope="session", autouse=True)
def quiet_log() -> None:
    """Keep Pipecat's thousands of debug lines out of the reports."""
    logger.remove()
