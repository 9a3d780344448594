"""Kinds of values that a catalogue or a manifest may hold; pydantic refuses all others."""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints


def _inside(path: str) -> str:
    """Refuse a path that could lead out of the model's folder."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise ValueError("must be a path inside the model's folder")
    return path


ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Crc32 = Annotated[int, Field(ge=0, lt=1 << 32)]
InsidePath = Annotated[str, AfterValidator(_inside)]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+/\S+$")]
Requirement = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*==[\w.+!]+$")]
Bytes = Annotated[int, Field(ge=0)]
