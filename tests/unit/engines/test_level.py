"""How loud sound and a room are."""

from __future__ import annotations

import numpy as np
import pytest

from edgebot.engines.level import NoiseFloor, level


def test_the_level_is_the_root_mean_square() -> None:
    assert level(np.array([3, -4, 3, -4], dtype="<i2").tobytes()) == pytest.approx(12.5**0.5)
    assert level(b"") == 0.0


def test_the_floor_falls_at_once_and_rises_slowly() -> None:
    floor = NoiseFloor()
    assert floor.rms == 0.0
    floor.follow(100.0, 0.02)
    floor.follow(20.0, 0.02)
    assert floor.rms == 20.0
    floor.follow(1000.0, 1.0)
    assert floor.rms == pytest.approx(30.0)
    floor.follow(31.0, 1.0)
    assert floor.rms == 31.0
    floor.follow(0.0, 0.02)
    assert floor.rms == 1.0
