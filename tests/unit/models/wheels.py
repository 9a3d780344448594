"""Small models, as catalogue entries and as wheels and archives to fetch."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebot.models.digest import FileRecord, tree_sha256
from edgebot.models.model import MODEL, Model


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tree(files: Mapping[str, bytes]) -> str:
    return tree_sha256(FileRecord(n, len(c), sha256(c), 0) for n, c in files.items())


def write_wheel(
    folder: Path, name: str, files: Mapping[str, bytes], tag: str = "py3-none-any"
) -> int:
    """Write a wheel without any code, and return its size."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-1.0.dist-info"
    wheel = folder / f"{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel.stat().st_size


def zip_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def tar_of(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def model(model_id: str = "voice", **changes: Any) -> Model:
    """Return a catalogue entry; without sources unless `changes` names some."""
    entry: dict[str, Any] = {
        "id": model_id,
        "role": "tts",
        "engine": "piper",
        "language": "en",
        "licence": "MIT",
        "size_bytes": 1000,
        "memory_bytes": 1000,
        "main": "voice.onnx",
    }
    return MODEL.validate_python(entry | changes)


def url_source(url: str, content: bytes, **changes: Any) -> dict[str, Any]:
    file = {"url": url, "size_bytes": len(content), "sha256": sha256(content)}
    return {"kind": "url", "files": [file | changes]}


def package_source(name: str, files: Mapping[str, bytes], size: int = 1000) -> dict[str, Any]:
    """Return a source for a folder ``name/data/`` in a wheel."""
    return {
        "kind": "package",
        "requirement": f"{name}==1.0",
        "members": f"{name}/data/",
        "size_bytes": size,
        "tree_sha256": tree(files),
    }
