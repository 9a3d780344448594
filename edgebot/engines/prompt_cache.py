"""What a language model has made of the opening of every conversation, kept on the disk.

Evaluating the prompt and the examples takes longer at every start than loading the model; reading
back what came of it takes a tenth of a second. Only what is in the settings is kept here, never
what somebody said: the engine is told which prompt that is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_MAGIC = b"edgebot prompt 1\n"
_SUFFIX = ".prompt"
_DIGEST_BYTES = hashlib.sha256().digest_size
MOST_FILES = 4
MOST_BYTES = 256 << 20


class PromptCache:
    """Evaluated prompts in a folder, each found again by the model and its exact tokens."""

    def __init__(self, folder: Path, identity: str) -> None:
        """Name the folder; nothing is read or made yet.

        Args:
            folder: Where the files are; it is made when the first is written.
            identity: Whatever makes an evaluated prompt another one: the model's digest, the
                version of llama.cpp, the size of the context.
        """
        self._folder = folder
        self._identity = identity

    def read(self, tokens: Sequence[int]) -> bytes | None:
        """Return the state that was kept for a prompt, or None.

        A file that is broken or not one of ours counts as none: the next `write` replaces it.
        """
        path = self._path(tokens)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        header = len(_MAGIC) + _DIGEST_BYTES
        digest, state = content[len(_MAGIC) : header], content[header:]
        if not content.startswith(_MAGIC) or hashlib.sha256(state).digest() != digest:
            return None
        with contextlib.suppress(OSError):  # a read-only folder serves as well
            os.utime(path)
        return state

    def write(self, tokens: Sequence[int], state: bytes) -> None:
        """Keep a prompt's state, and no more than `MOST_FILES` and `MOST_BYTES` of all.

        Raises:
            OSError: It cannot be written; what was there is as it was.
        """
        path = self._path(tokens)
        part = path.with_suffix(f".{os.getpid()}.part")
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            # A power cut may leave anything of it: the digest tells.
            part.write_bytes(b"".join((_MAGIC, hashlib.sha256(state).digest(), state)))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._tidy()

    def _path(self, tokens: Sequence[int]) -> Path:
        digest = hashlib.sha256(self._identity.encode() + b"\0")
        digest.update(np.asarray(tokens, dtype="<i4").tobytes())
        return self._folder / f"{digest.hexdigest()[:32]}{_SUFFIX}"

    def _tidy(self) -> None:
        """Remove what was not used for the longest time, and what a crash left half written."""
        with contextlib.suppress(OSError):  # another program may tidy at the same time
            for left in self._folder.glob("*.part"):
                left.unlink()
            used_bytes = 0
            files = [(file.stat(), file) for file in self._folder.glob(f"*{_SUFFIX}")]
            files.sort(key=lambda entry: entry[0].st_mtime_ns, reverse=True)
            for place, (facts, file) in enumerate(files):
                used_bytes += facts.st_size
                if place and (place >= MOST_FILES or used_bytes > MOST_BYTES):
                    file.unlink()
