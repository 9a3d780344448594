"""llama.cpp in this process: prompt in, pieces of text out."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from edgebot.engines.at_work import OTHERS
from edgebot.engines.memory import trim
from edgebot.engines.prompt_cache import PromptCache
from edgebot.engines.prompt_lookup import NEXT_DRAFT, PromptLookup
from edgebot.engines.right_of_way import FIRST_SOUND
from edgebot.engines.sampler import Sampler, Sampling
from edgebot.engines.turn_tokens import TurnTokens
from edgebot.errors import BrokenModelError

Message = Mapping[str, Any]
Tool = Mapping[str, Any]

# A prefill is cut into pieces of this size: it bounds what an interruption throws away.
BATCH_TOKENS = 64
_SAMPLE: list[Any] = [
    {"role": "user", "content": "One, 2 "},
    {"role": "assistant", "content": " three.\n"},
    {"role": "user", "content": "\nFour?"},
]
# A run this short costs less to evaluate again than to move.
WORTH_MOVING_TOKENS = 16


class LlamaEngine:
    """A language model and the conversation that it has already evaluated.

    Use it from one thread; only `render` and `abort` may be called from others. What is evaluated
    stays: a prompt that grows at its end, or loses a part in its middle, costs only what is new.
    """

    def __init__(self, path: Path, *, context_tokens: int, threads: int = 0) -> None:
        """Load the model.

        Args:
            path: The GGUF file.
            context_tokens: How many tokens prompt and answer may have together.
            threads: 0 takes all processors, less one where there are four or more. While it
                writes, it leaves one to each other engine that computes.

        Raises:
            BrokenModelError: llama.cpp refuses the file, or it has no chat template.
        """
        silence_log()
        self.path = path
        processors = os.cpu_count() or 1
        self._threads = threads or (processors - 1 if processors >= 4 else processors)
        try:
            self._llama = llama_cpp.Llama(
                str(path),
                n_ctx=context_tokens,
                n_batch=BATCH_TOKENS,
                n_ubatch=BATCH_TOKENS,
                n_threads=self._threads,
                n_threads_batch=self._threads,
                verbose=False,
            )
        except (ValueError, OSError) as error:
            raise BrokenModelError(f"llama.cpp cannot load {path}: {error}.") from None
        self.context_tokens = self._llama.n_ctx()
        # One for each, since more than one thread renders.
        self._template_with_reply = self._load_template(path)
        self._template = self._load_template(path)
        self._template.add_generation_prompt = False
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._tokens = self._new_tokens()
        self._batch = llama_cpp.llama_batch_init(1 + NEXT_DRAFT, 0, 1)
        self._arm_abort()

    def _load_template(self, path: Path) -> Jinja2ChatFormatter:
        template = self._llama.metadata.get("tokenizer.chat_template")
        if not template:
            raise BrokenModelError(
                f"{path} holds no chat template, so it is no model to talk with: use an "
                "instruction-tuned (“Instruct”, “Chat”) one."
            )
        self.template_text = template

        return Jinja2ChatFormatter(
            template,
            eos_token=self._written(self._llama.token_eos()),
            bos_token=self._written(self._llama.token_bos()),
        )

    def _written(self, token: int) -> str:
        return self._llama._model.token_get_text(token) if token >= 0 else ""

    def _new_tokens(self) -> TurnTokens:
        def tokenize(text: str, add_bos: bool) -> list[int]:
            return list(self._llama.tokenize(text.encode(), add_bos=add_bos, special=True))

        sample = self._template(messages=_SAMPLE).prompt
        # Some models have a token for the end of a turn beside that for the end of all, others
        # end turns with the latter and have the former for something else.
        ends = (self._llama.token_eos(), llama_cpp.llama_vocab_eot(self._vocabulary))
        written = [text for text in map(self._written, ends) if text and text in sample]
        return TurnTokens(tokenize, written[0] if written else "", sample)

    def _arm_abort(self) -> None:
        # llama.cpp asks the callback between the nodes of its graph, thousands of times a second,
        # from its compute threads. A Python function would make them wait for the interpreter's
        # lock; strlen() of a one-character flag is as good an answer and needs no lock.
        self._flag = ctypes.create_string_buffer(2)
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(
            self._llama.ctx, strlen, ctypes.cast(self._flag, ctypes.c_void_p)
        )
        self._abort_callback = strlen

    def abort(self) -> None:
        """Make the running call return within one step of its computation. Any thread may call."""
        self._flag[0] = b"\x01"

    @property
    def _aborted(self) -> bool:
        return self._flag[0] != b"\x00"

    def render(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True
    ) -> list[int]:
        """Return the tokens of a conversation in the model's own chat template.

        Args:
            messages: OpenAI-style messages.
            tools: OpenAI-style tool definitions.
            reply: End with the opening of the assistant's answer.
        """
        typed: dict[str, Any] = {"messages": list(messages), "tools": list(tools) or None}
        prompt = (self._template_with_reply if reply else self._template)(**typed)
        return self._tokens(prompt.prompt, add_bos=not prompt.added_special)

    def warm(self, tokens: Sequence[int]) -> None:
        """Evaluate a prompt so that what begins with it starts fast.

        Raises:
            ValueError: It is longer than the context.
        """
        self._check_size(tokens)
        self._flag[0] = b"\x00"
        self._align(tokens)
        self._evaluate(tokens[self._llama.n_tokens :])

    def warm_kept(self, tokens: Sequence[int], cache: PromptCache) -> None:
        """Evaluate the opening of every conversation, or read back what came of it last time.

        It is for what is in the settings: it stays on the disk.

        Raises:
            ValueError: It is longer than the context.
            OSError: It is evaluated, and cannot be kept.
        """
        self._check_size(tokens)
        known = self._llama.input_ids[: len(tokens)]
        if self._llama.n_tokens >= len(tokens) == common_prefix(known, np.asarray(tokens)):
            return
        if not (state := cache.read(tokens)) or not self._restore(tokens, state):
            self.warm(tokens)
            if self._llama.n_tokens == len(tokens):
                cache.write(tokens, self._state())
                # Nothing as large is needed again.
                trim()

    def _state(self) -> bytes:
        """Return everything that llama.cpp knows of the conversation."""
        size = llama_cpp.llama_state_seq_get_size(self._llama.ctx, 0)
        state = (ctypes.c_uint8 * size)()
        written = llama_cpp.llama_state_seq_get_data(self._llama.ctx, state, size, 0)
        return memoryview(state)[:written].tobytes()

    def _restore(self, tokens: Sequence[int], state: bytes) -> bool:
        """Put an evaluated prompt in the place of the conversation; False leaves an empty one."""
        llama = self._llama
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(llama.ctx), True)
        llama.n_tokens = 0
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        if not llama_cpp.llama_state_seq_set_data(llama.ctx, buffer, len(state), 0):
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(llama.ctx), True)
            return False
        llama.input_ids[: len(tokens)] = tokens
        llama.n_tokens = len(tokens)
        return True

    def generate(
        self,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        grammar: str | None = None,
        repeats: str = "",
    ) -> Iterator[str]:
        """Yield the answer to a prompt, piece by piece, until it ends or `abort` is called.

        Args:
            tokens: The prompt, from `render`; together with the answer it must fit the context.
            sampling: How tokens are chosen, and how many at most.
            grammar: GBNF that the answer must follow.
            repeats: What the answer may repeat, such as the question: it is written faster.

        Raises:
            ValueError: The prompt is longer than the context, or llama.cpp cannot read the grammar.
        """
        self._check_size(tokens)
        self._flag[0] = b"\x00"
        # What comes next depends on the last token: it is evaluated anew, if all are known.
        self._align(tokens[:-1])
        self._evaluate(tokens[self._llama.n_tokens :])
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        room = min(sampling.max_tokens, self.context_tokens - len(tokens))
        lookup = PromptLookup(self._llama.tokenize(repeats.encode(), add_bos=False), self._text)
        with contextlib.closing(Sampler(self._vocabulary, sampling, grammar)) as sampler:
            for count, token in enumerate(self._write(sampler, lookup, room), start=1):
                if self._aborted or llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                    return
                if piece := decoder.decode(self._llama.detokenize([token])):
                    yield piece
                if count >= room:
                    return

    def _write(self, sampler: Sampler, lookup: PromptLookup, room: int) -> Iterator[int]:
        """Yield tokens that follow what is evaluated, until the computation is aborted."""
        if self._aborted:
            return
        token, written = sampler.choose(self._llama.ctx, -1), 1
        yield token
        while True:
            FIRST_SOUND.give()
            drafted = lookup.draft(token)[: max(0, room - written - 1)]
            if not self._decode([token, *drafted]):
                return
            for place, guess in enumerate([*drafted, None]):
                token, written = sampler.choose(self._llama.ctx, place), written + 1
                if token != guess:
                    lookup.judge(len(drafted), place)
                    self._forget_last(len(drafted) - place)
                yield token
                if token != guess:
                    break

    def _decode(self, tokens: Sequence[int]) -> bool:
        """Evaluate what was written, each token for what follows it; False when it is aborted."""
        llama, batch = self._llama, self._batch
        start = llama.n_tokens
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place], batch.pos[place], batch.logits[place] = token, start + place, True
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
        threads = OTHERS.left_of(self._threads)
        llama_cpp.llama_set_n_threads(llama.ctx, threads, self._threads)
        if code := llama_cpp.llama_decode(llama.ctx, batch):
            if self._aborted:
                return False
            raise RuntimeError(f"llama_decode returned {code}")
        llama.input_ids[start : start + len(tokens)] = tokens
        llama.n_tokens = start + len(tokens)
        return True

    def _forget_last(self, count: int) -> None:
        """Drop the last tokens of what is evaluated."""
        self._llama.n_tokens -= count
        memory = llama_cpp.llama_get_memory(self._llama.ctx)
        llama_cpp.llama_memory_seq_rm(memory, 0, self._llama.n_tokens, -1)

    def _text(self, token: int) -> str:
        return self._llama.detokenize([token]).decode("utf-8", "replace")

    def _check_size(self, tokens: Sequence[int]) -> None:
        # llama.cpp would find out only after it has evaluated all that fits.
        if len(tokens) >= self.context_tokens:
            raise ValueError(
                f"the prompt has {len(tokens)} tokens and the context room for "
                f"{self.context_tokens}"
            )

    def _evaluate(self, tokens: Sequence[int]) -> None:
        with self._ignoring_aborts():
            self._llama.eval(tokens)

    @contextlib.contextmanager
    def _ignoring_aborts(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError:
            if not self._aborted:
                raise

    def _align(self, tokens: Sequence[int]) -> None:
        """Keep of what is evaluated all that the new prompt can use.

        The common beginning stays. Where turns were dropped from the middle, what follows them is
        moved down: llama.cpp turns the keys to their new places, which costs next to nothing.
        """
        llama = self._llama
        known = np.asarray(llama.input_ids[: llama.n_tokens])
        wanted = np.asarray(tokens, dtype=known.dtype)
        start = common_prefix(known, wanted)
        source, length = longest_run(known, wanted[start:], start)
        memory = llama_cpp.llama_get_memory(llama.ctx)
        if length >= WORTH_MOVING_TOKENS and llama_cpp.llama_memory_can_shift(memory):
            llama_cpp.llama_memory_seq_rm(memory, 0, start, source)
            llama_cpp.llama_memory_seq_rm(memory, 0, source + length, -1)
            llama_cpp.llama_memory_seq_add(memory, 0, source, source + length, start - source)
            llama.input_ids[start : start + length] = wanted[start : start + length]
            start += length
        else:
            llama_cpp.llama_memory_seq_rm(memory, 0, start, -1)
        llama.n_tokens = start


def silence_log() -> None:
    """Keep llama.cpp's own lines out of the terminal; what matters is raised.

    getpid() stands in for a function that does nothing: it ignores whatever it is handed.
    """
    quiet = ctypes.cast(ctypes.CDLL(None).getpid, llama_cpp.llama_log_callback)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))


def common_prefix(first: np.ndarray, second: np.ndarray) -> int:
    """Return how many items at the beginning are the same."""
    size = min(len(first), len(second))
    differs = np.flatnonzero(first[:size] != second[:size])
    return int(differs[0]) if len(differs) else size


def longest_run(known: np.ndarray, wanted: np.ndarray, after: int) -> tuple[int, int]:
    """Return the place past `after` with the longest beginning of `wanted`, and its length."""
    best = (0, 0)
    if not len(wanted):
        return best
    for place in np.flatnonzero(known[after + 1 :] == wanted[0]) + after + 1:
        length = common_prefix(known[place:], wanted)
        if length > best[1]:
            best = (int(place), length)
    return best
