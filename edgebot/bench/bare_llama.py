"""llama.cpp with nothing around it: its own functions, called as its own examples call them."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from pathlib import Path

import llama_cpp

from edgebot.engines.llama import silence_log
from edgebot.errors import BrokenModelError


class BareLlama:
    """A model, a context, and the likeliest token each time."""

    def __init__(self, path: Path, *, context_tokens: int, threads: int) -> None:
        """Load the model with llama.cpp's defaults, but for the sizes and flash attention.

        Args:
            path: The GGUF file.
            context_tokens: How much it can keep in mind.
            threads: How many compute.

        Raises:
            BrokenModelError: llama.cpp refuses the file.
        """
        silence_log()
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        if not self._model:
            raise BrokenModelError(f"llama.cpp cannot load {path}.")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_threads = params.n_threads_batch = threads
        # What edgebot sets, too: on a processor it makes short prompts three times slower.
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._most = min(context_tokens, params.n_batch)
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._greedy = llama_cpp.llama_sampler_init_greedy()
        self._known: list[int] = []

    def read(self, tokens: Sequence[int]) -> float:
        """Evaluate a prompt, of which its known beginning costs nothing; return the seconds."""
        new = len(self._known)
        for place, (known, wanted) in enumerate(zip(self._known, tokens, strict=False)):
            if known != wanted:
                new = place
                break
        # The last one is always evaluated: what comes next depends on it.
        new = min(new, len(tokens) - 1)
        llama_cpp.llama_memory_seq_rm(self._memory, 0, new, -1)
        began_s = time.perf_counter()
        for start in range(new, len(tokens), self._most):
            self._decode(tokens[start : start + self._most])
        taken_s = time.perf_counter() - began_s
        self._known = list(tokens)
        return taken_s

    def write(self, count: int) -> float:
        """Write so many tokens after what was read; return the seconds.

        The first one takes no evaluation of its own. Where the answer would end it is made to go
        on: the work is the same.
        """
        began_s = time.perf_counter()
        for number in range(count):
            token = llama_cpp.llama_sampler_sample(self._greedy, self._context, -1)
            if number + 1 < count:
                self._decode([token])
                self._known.append(token)
        return time.perf_counter() - began_s

    def _decode(self, tokens: Sequence[int]) -> None:
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        batch = llama_cpp.llama_batch_get_one(
            ctypes.cast(array, ctypes.POINTER(llama_cpp.llama_token)), len(tokens)
        )
        if code := llama_cpp.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode returned {code}")
