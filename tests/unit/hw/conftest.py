"""A machine with a sound card, a USB headset and a monitor that only plays."""

from __future__ import annotations

import pyaudio
import pytest

from .fake_pyaudio import FakeDevice, FakeLibrary


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    made = FakeLibrary(
        [
            FakeDevice("bcm2835 Headphones: - (hw:0,0)", outputs=8, rate_hz=44_100.0),
            FakeDevice("USB Headset: Audio (hw:1,0)", inputs=1, outputs=2),
            FakeDevice("USB", inputs=2),
            FakeDevice("dummy"),
            FakeDevice("default", inputs=32, outputs=32),
        ],
        default_input=4,
        default_output=0,
    )
    monkeypatch.setattr(pyaudio, "PyAudio", made)
    return made
