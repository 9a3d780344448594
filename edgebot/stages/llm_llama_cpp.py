"""The language model in this process, by llama.cpp."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import llama_cpp
import platformdirs
from loguru import logger
from pipecat.frames.frames import (
    Frame,
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings
from pipecat.utils.types import NOT_GIVEN, NotGiven

from edgebot.config import Settings
from edgebot.engines.llama import BATCH_TOKENS, LlamaEngine, Message, Tool
from edgebot.engines.prompt_cache import PromptCache
from edgebot.engines.sampler import Sampling
from edgebot.engines.strides import strides
from edgebot.engines.thread import EngineThread
from edgebot.engines.weights import faster
from edgebot.errors import BrokenModelError, ConfigError
from edgebot.models.installed import InstalledModel
from edgebot.stages import tool_calls
from edgebot.stages.adapter_llama_cpp import Invocation, LlamaCppLLMAdapter
from edgebot.stages.speak_ahead import Listener
from edgebot.stages.spoken_text import after_sentences


class Generator(Protocol):
    """What the service needs of an engine; `LlamaEngine` is one."""

    context_tokens: int
    template_text: str

    def render(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True
    ) -> list[int]: ...
    def warm(self, tokens: Sequence[int]) -> None: ...
    def warm_kept(self, tokens: Sequence[int], cache: PromptCache) -> None: ...
    def generate(
        self,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        grammar: str | None = None,
        repeats: str = "",
    ) -> Iterator[str]: ...
    def abort(self) -> None: ...


@dataclass
class LlamaCppLLMSettings(LLMSettings):
    """Settings for `LlamaCppLLMService`.

    Parameters:
        min_p: Tokens less likely than this share of the likeliest are left out.
        repeat_penalty: Above 1.0 discourages repetition.
        max_sentences: An answer ends after this many sentences; 0 is no limit.
    """

    min_p: float | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    repeat_penalty: float | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    max_sentences: int | NotGiven = field(default_factory=lambda: NOT_GIVEN)


class LlamaCppLLMService(LLMService[LlamaCppLLMAdapter]):
    """Generates answers with a GGUF model in this process.

    The engine keeps the conversation that it has evaluated, so an answer costs what was said since
    the last one. An interruption stops it within one step of its computation. Functions registered
    with Pipecat are offered in the model's own template, or explained where that knows none.
    """

    Settings = LlamaCppLLMSettings
    adapter_class = LlamaCppLLMAdapter
    _settings: LlamaCppLLMSettings

    def __init__(
        self,
        *,
        engine: Generator,
        thread: EngineThread,
        settings: LlamaCppLLMSettings | None = None,
        cache: PromptCache | None = None,
        **kwargs: Any,
    ) -> None:
        """Wrap a loaded engine.

        Args:
            engine: The model, used in `thread` only.
            thread: The engine's own thread.
            settings: How it answers.
            cache: Keeps what opens every conversation, evaluated; None keeps nothing.
            **kwargs: Passed to `LLMService`.
        """
        default = self.Settings(
            model=None,
            system_instruction=None,
            temperature=0.0,
            max_tokens=96,
            top_p=1.0,
            top_k=40,
            min_p=0.0,
            repeat_penalty=1.0,
            max_sentences=0,
            frequency_penalty=None,
            presence_penalty=None,
            seed=None,
            filter_incomplete_user_turns=False,
            user_turn_completion_config=None,
        )
        if settings is not None:
            default.apply_update(settings)
        super().__init__(settings=default, **kwargs)
        self._engine = engine
        self._thread = thread
        self._cache = cache
        self._listener: Listener | None = None

    def can_generate_metrics(self) -> bool:
        """Return True: time to first token, processing time and tokens are measured."""
        return True

    @property
    def prompt_budget(self) -> int:
        """How many tokens a prompt may have, so that the longest answer still fits."""
        return self._engine.context_tokens - self._sampling().max_tokens

    async def count_tokens(self, context: LLMContext) -> int:
        """Return how many tokens the prompt has, with the opening of the answer."""
        return len(self._render(await self._invocation(context)))

    async def warm(self, context: LLMContext) -> None:
        """Evaluate the prompt of a conversation before anybody asks.

        Raises:
            ConfigError: It leaves no room for a question.
        """
        invocation = await self._invocation(context)
        # A long conversation is rendered where nobody waits for it, too: this is done word by word.
        await self._thread.run(
            lambda: self._engine.warm(self._opening(invocation)), stop=self._engine.abort
        )

    async def read_opening(self, context: LLMContext) -> None:
        """Evaluate what opens every conversation, or read back what came of it last time.

        Only what is in the settings may be in it: it stays on the disk.

        Raises:
            ConfigError: It leaves no room for a question.
        """
        cache = self._cache
        if cache is None:
            await self.warm(context)
            return
        invocation = await self._invocation(context)
        try:
            await self._thread.run(
                lambda: self._engine.warm_kept(self._opening(invocation), cache),
                stop=self._engine.abort,
            )
        except OSError as error:
            logger.warning(
                f"The evaluated prompt cannot be kept, so every start evaluates it: {error}."
            )

    def _opening(self, invocation: Invocation) -> list[int]:
        tokens = self._render(invocation, reply=False)
        if len(tokens) >= self.prompt_budget:
            raise ConfigError(
                f"The prompt and the examples have {len(tokens)} tokens, and llm.context_tokens "
                f"less llm.max_tokens leaves {self.prompt_budget}: shorten assistant.prompt, or "
                "raise llm.context_tokens."
            )
        return tokens

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer each context frame; pass the others on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        await self.start_processing_metrics()
        try:
            await self._answer(frame.context, self._listener if frame.speculation else None)
        except Exception as error:
            await self.push_error(f"the language model failed: {error}", error)
        finally:
            await self.stop_processing_metrics()
            await self.push_frame(LLMFullResponseEndFrame())

    async def run_inference(
        self,
        context: LLMContext,
        max_tokens: int | None = None,
        system_instruction: str | None = None,
        response_schema: dict[str, Any] | None = None,
    ) -> str | None:
        """Return one answer out of band; see `LLMService.run_inference`."""
        self._check_response_schema(response_schema)
        invocation = await self._invocation(context, system_instruction)
        sampling = self._sampling(max_tokens)
        tokens = self._render(invocation)
        pieces = self._thread.stream(
            lambda: self._engine.generate(tokens, sampling), stop=self._engine.abort
        )
        async with contextlib.aclosing(pieces):
            return "".join([piece async for piece in pieces]) or None

    def tell(self, listener: Listener) -> None:
        """Name who is told of answers to turns that may not have ended; they are held back."""
        self._listener = listener

    async def _answer(self, context: LLMContext, listener: Listener | None) -> None:
        await self.start_ttfb_metrics()
        invocation = await self._invocation(context)
        tokens = self._render(invocation)
        parser = tool_calls.ToolCallParser()
        answer, count = "", 0
        if listener is not None:
            await listener.begin()
        pieces = self._thread.stream(
            lambda: strides(
                self._engine.generate(
                    tokens,
                    self._sampling(),
                    grammar=self._forced_call(invocation),
                    repeats=last_words(invocation["messages"]),
                )
            ),
            stop=self._engine.abort,
        )
        try:
            async with contextlib.aclosing(pieces):
                async for written in pieces:
                    count += len(written)
                    await self.stop_ttfb_metrics()
                    spoken = parser.feed("".join(written))
                    whole = self._limit(answer + spoken)
                    await self._say(whole[len(answer) :], listener)
                    finished = len(whole) < len(answer + spoken) or self._is_full(whole)
                    answer = whole
                    if finished:
                        break
                else:
                    await self._say(self._limit(answer + parser.finish())[len(answer) :], listener)
            if listener is not None:
                await listener.end()
        finally:
            usage = LLMTokenUsage(
                prompt_tokens=len(tokens),
                completion_tokens=count,
                total_tokens=len(tokens) + count,
            )
            await self.start_llm_usage_metrics(usage)
        if parser.calls:
            await self.run_function_calls(
                [
                    FunctionCallFromLLM(
                        context=context,
                        tool_call_id=str(uuid.uuid4()),
                        function_name=name,
                        arguments=arguments,
                    )
                    for name, arguments in parser.calls
                ]
            )

    async def _say(self, text: str, listener: Listener | None) -> None:
        if text:
            await self._push_llm_text(text)
        if text and listener is not None:
            await listener.write(text)

    def _limit(self, answer: str) -> str:
        count = int(self._settings.max_sentences or 0)
        end = after_sentences(answer, count) if count else -1
        return answer[:end] if end >= 0 else answer

    def _is_full(self, answer: str) -> bool:
        count = int(self._settings.max_sentences or 0)
        return bool(count) and after_sentences(answer, count) >= 0

    async def _invocation(
        self, context: LLMContext, system_instruction: str | None = None
    ) -> Invocation:
        instruction = system_instruction or self._settings.system_instruction
        return await self.get_llm_adapter().get_llm_invocation_params(
            context,
            system_instruction=instruction if isinstance(instruction, str) else None,
        )

    def _render(self, invocation: Invocation, *, reply: bool = True) -> list[int]:
        messages: list[Any] = alternate(invocation["messages"])
        tools = invocation["tools"]
        if "tools" not in self._engine.template_text:
            messages, tools = tool_calls.explain(messages, tools), []
        return self._engine.render(messages, tools, reply=reply)

    def _forced_call(self, invocation: Invocation) -> str | None:
        tools = invocation["tools"]
        return tool_calls.grammar(tools) if tools and invocation["must_call"] else None

    def _sampling(self, max_tokens: int | None = None) -> Sampling:
        settings = self._settings

        def number(value: Any, default: float) -> float:
            return float(value) if isinstance(value, int | float) else default

        return Sampling(
            temperature=number(settings.temperature, 0.0),
            top_k=int(number(settings.top_k, 40)),
            top_p=number(settings.top_p, 1.0),
            min_p=number(settings.min_p, 0.0),
            repeat_penalty=number(settings.repeat_penalty, 1.0),
            max_tokens=max_tokens or int(number(settings.max_tokens, 96)),
        )


def alternate(messages: Sequence[Any]) -> list[Any]:
    """Join neighbouring messages of the user: many templates refuse two in a row.

    They come about when an answer is interrupted before its first word.
    """
    joined: list[Any] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last and message["role"] == last["role"] == "user":
            joined[-1] = {**last, "content": f"{last['content']}\n{message['content']}"}
        else:
            joined.append(message)
    return joined


def last_words(messages: Sequence[Any]) -> str:
    """Return what an answer is likely to repeat: the question, or what a function returned."""
    last = messages[-1].get("content") if messages else None
    return last if isinstance(last, str) else ""


def cache_folder(what: str) -> Path:
    """Return where something is kept that can be made again: systemd's folder, or one's own."""
    service = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    return Path(service or platformdirs.user_cache_dir("edgebot")) / what


def load_engine(path: Path, *, context_tokens: int, threads: int) -> LlamaEngine:
    """Load a model, in a form that is computed faster where that can be had.

    Raises:
        BrokenModelError: llama.cpp refuses it.
    """
    made = path
    try:
        made = faster(path, cache_folder("weights"))
        return LlamaEngine(made, context_tokens=context_tokens, threads=threads)
    except (OSError, BrokenModelError) as error:
        if made != path:
            made.unlink(missing_ok=True)
        elif isinstance(error, BrokenModelError):
            raise
        logger.warning(f"{path.name} is used as it came, which is slower: {error}")
    return LlamaEngine(path, context_tokens=context_tokens, threads=threads)


def identity(model: InstalledModel, engine: LlamaEngine) -> str:
    """Return what makes an evaluated prompt another one."""
    if model.manifest:
        which = model.manifest.digest
    else:
        facts = model.path.stat()
        which = f"{model.path} {facts.st_size} {facts.st_mtime_ns}"
    loaded = f"{engine.path.name} {engine.context_tokens}"
    return f"{which} {loaded} {llama_cpp.__version__} {BATCH_TOKENS}"


async def load(settings: Settings, model: InstalledModel) -> Callable[[], LlamaCppLLMService]:
    """Load the model and return what makes a stage of it."""
    chosen = settings.llm
    thread = EngineThread("llama.cpp")
    engine = await thread.run(
        lambda: load_engine(
            model.path, context_tokens=chosen.context_tokens, threads=chosen.threads
        )
    )
    cache = PromptCache(cache_folder("prompts"), identity(model, engine))
    return lambda: LlamaCppLLMService(
        engine=engine,
        thread=thread,
        cache=cache,
        settings=LlamaCppLLMSettings(
            model=model.model.id,
            system_instruction=settings.assistant.instruction,
            temperature=chosen.temperature,
            max_tokens=chosen.max_tokens,
            top_p=chosen.top_p,
            min_p=chosen.min_p,
            repeat_penalty=chosen.repeat_penalty,
            max_sentences=chosen.max_sentences,
        ),
    )
