"""What this process takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edgebot.bench.usage import Memory, Share, busy_s, heat, memory


def test_memory_is_parted(tmp_path: Path) -> None:
    file = tmp_path / "statm"
    file.write_text("9000 5000 1000 1 0 2000 0\n")
    page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
    assert memory(file) == Memory(4000 * page_mb, pytest.approx(1000 * page_mb))


def test_waiting_is_not_busy(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    file.write_text("cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
    assert busy_s(file) == pytest.approx((100 + 20 + 30 + 6 + 7 + 8) / os.sysconf("SC_CLK_TCK"))


def test_a_share_is_of_one_core() -> None:
    with Share() as share:
        end_s = time.process_time() + 0.02
        while time.process_time() < end_s:
            pass
    assert share.seconds >= 0.02
    assert share.cores * share.seconds == pytest.approx(0.02, abs=0.1)
    assert share.cores > 0


def test_heat_is_told_or_not_known() -> None:
    assert set(heat()) == {"temperature_c", "slowed_down_by"}
