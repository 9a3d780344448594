"""The real llama.cpp with SmolLM2-135M: what an answer costs, and how fast it stops."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    FunctionCallResultFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.llm_service import FunctionCallParams

from edgebot.engines import llama as engine_module
from edgebot.engines.at_work import AtWork
from edgebot.engines.llama import BATCH_TOKENS
from edgebot.engines.prompt_cache import PromptCache
from edgebot.engines.right_of_way import RightOfWay
from edgebot.engines.sampler import Sampling
from edgebot.engines.thread import EngineThread
from edgebot.engines.weights import faster
from edgebot.errors import BrokenModelError, ConfigError
from edgebot.models.installed import InstalledModel
from edgebot.stages import context_window
from edgebot.stages.llm_llama_cpp import LlamaCppLLMService, LlamaCppLLMSettings, load_engine
from tests.conftest import LLM
from tests.integration.conftest import CONTEXT_TOKENS, CountingLlama
from tests.integration.running import Running

INSTRUCTION = "You are Edgebot, a friendly voice assistant. Answer in one or two short sentences."
FRANCE = "What is the capital of France?"
PATIENCE_S = 30.0

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


SYSTEM: Message = {"role": "system", "content": INSTRUCTION}
SMALL_TALK = [
    message
    for topic in ("bread", "rivers", "clocks", "horses", "paint", "snow", "tea", "bridges")
    for message in (
        user(f"Tell me something about {topic}, please."),
        assistant(f"There is a lot to say about {topic}: people have liked {topic} for long."),
    )
]


def answer(llama: CountingLlama, messages: Sequence[Message], max_tokens: int = 32) -> str:
    tokens = llama.render([SYSTEM, *messages])
    return "".join(llama.generate(tokens, Sampling(max_tokens=max_tokens)))


def forget(llama: CountingLlama) -> None:
    """Make the engine evaluate everything again: nothing begins like this prompt."""
    llama.warm(llama._llama.tokenize(b"#", add_bos=False))


def test_a_prompts_tokens_are_those_of_the_whole(llama: CountingLlama) -> None:
    for messages in (
        [SYSTEM, user(FRANCE)],
        [SYSTEM, *SMALL_TALK, user("  Où est\n\n<|im_end|> 3.5 🙂? ")],
        [user(""), assistant(" \n"), user("\n")],
    ):
        prompt = llama._template_with_reply(messages=messages).prompt  # type: ignore[arg-type]
        whole = llama._llama.tokenize(prompt.encode(), add_bos=False, special=True)
        assert llama.render(messages) == list(whole)


def test_only_the_tokens_of_new_turns_are_made(
    llama: CountingLlama, monkeypatch: pytest.MonkeyPatch
) -> None:
    llama.render([SYSTEM, *SMALL_TALK])
    tokenize, texts = llama._llama.tokenize, list[bytes]()

    def note(text: bytes, **options: bool) -> list[int]:
        texts.append(text)
        return tokenize(text, **options)

    monkeypatch.setattr(llama._llama, "tokenize", note)
    llama.render([SYSTEM, *SMALL_TALK, user("And of trams?")])
    assert any(b"trams" in text for text in texts)
    assert not any(b"about" in text for text in texts)


def test_it_leaves_a_processor_to_each_engine_that_computes(
    llama: CountingLlama, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = AtWork(4)
    monkeypatch.setattr(engine_module, "OTHERS", others)
    monkeypatch.setattr(llama, "_threads", 4)
    tokens = llama.render([SYSTEM, user("Tell me something about bread, please.")])

    def threads() -> int:
        return llama_cpp.llama_n_threads(llama._llama.ctx)

    with contextlib.closing(llama.generate(tokens, Sampling(max_tokens=12))) as pieces:
        next(pieces)
        with others.counted():
            next(pieces)
            assert threads() == 3
            with others.counted():
                next(pieces)
                assert threads() == 2
        next(pieces)
        assert threads() == 4


def test_it_answers(llama: CountingLlama) -> None:
    assert "Paris" in answer(llama, [user(FRANCE)])


def test_a_prompt_that_grows_costs_what_is_new(llama: CountingLlama) -> None:
    forget(llama)
    first = [user(FRANCE)]
    said = answer(llama, first)
    second = [*first, assistant(said), user("And of Italy?")]
    new = len(llama.render([SYSTEM, *second])) - len(llama.render([SYSTEM, *first]))
    tokens = llama.render([SYSTEM, *second])
    cost = llama.evaluated(lambda: next(llama.generate(tokens, Sampling())))
    print(f"{cost} tokens evaluated of a prompt of {len(tokens)}, {new} since the last one")
    # The answer's own tokens were evaluated when they were written.
    assert cost <= new - len(llama._llama.tokenize(said.encode(), add_bos=False)) + 2
    assert cost < len(tokens) / 2


def test_a_warmed_prompt_costs_the_question_only(llama: CountingLlama) -> None:
    forget(llama)
    prompt = llama.render([SYSTEM], reply=False)
    assert llama.evaluated(lambda: llama.warm(prompt)) == len(prompt)
    tokens = llama.render([SYSTEM, user(FRANCE)])
    cost = llama.evaluated(lambda: next(llama.generate(tokens, Sampling())))
    assert cost == len(tokens) - len(prompt)


def test_what_repeats_the_question_is_written_in_fewer_steps(llama: CountingLlama) -> None:
    question = "What is the largest ocean on Earth?"
    tokens = llama.render([SYSTEM, user(question)])

    def written(repeats: str) -> tuple[str, int]:
        llama.warm(tokens[:-1])
        before = len(llama.steps)
        said = "".join(llama.generate(tokens, Sampling(max_tokens=9), repeats=repeats))
        return said, len(llama.steps) - before

    alone, repeated, misled = map(written, ("", question, "The largest elephant on Mars is tall."))
    print(
        f"{alone[1]} steps alone, {repeated[1]} with the question, {misled[1]} misled: {alone[0]}"
    )
    assert alone[0] == repeated[0] == misled[0]
    assert repeated[1] <= alone[1] - 3
    assert misled[1] <= alone[1]
    # What was guessed and dropped is not taken for evaluated.
    known = llama._llama.input_ids[: llama._llama.n_tokens].tolist()
    kept = llama._llama.detokenize(known).decode().rpartition("assistant\n")[2]
    assert kept == alone[0].removesuffix(" Ocean")
    assert llama.evaluated(lambda: written("")) == 1 + 8


def test_it_gives_way_before_each_step_of_writing(
    llama: CountingLlama, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = llama.render([SYSTEM, user(FRANCE)])
    llama.warm(tokens[:-1])
    way, given = RightOfWay(2), []
    monkeypatch.setattr(way, "give", lambda: given.append(len(llama.steps)))
    monkeypatch.setattr(engine_module, "FIRST_SOUND", way)
    before = len(llama.steps)
    list(llama.generate(tokens, Sampling(max_tokens=4)))
    # The first token takes no step of its own.
    assert given == [before + 1, before + 2, before + 3]


class TestKeptOnTheDisk:
    """An opening that was evaluated once is read back by the next start."""

    def fresh(self, model: Callable[[str], InstalledModel]) -> CountingLlama:
        return CountingLlama(model(LLM).path, context_tokens=CONTEXT_TOKENS)

    def test_it_costs_nothing_and_answers_the_same(
        self, model: Callable[[str], InstalledModel], tmp_path: Path
    ) -> None:
        cache = PromptCache(tmp_path, "this model")
        messages = [*SMALL_TALK, user(FRANCE)]
        first = self.fresh(model)
        opening = first.render([SYSTEM, *SMALL_TALK], reply=False)
        assert first.evaluated(lambda: first.warm_kept(opening, cache)) == len(opening)
        second = self.fresh(model)
        assert second.evaluated(lambda: second.warm_kept(opening, cache)) == 0
        said = answer(self.fresh(model), messages, max_tokens=60)
        assert len(said) > 10
        assert answer(first, messages, max_tokens=60) == said
        cost = second.evaluated(lambda: answer(second, messages, max_tokens=60))
        assert cost < len(opening)
        assert answer(second, messages, max_tokens=60) == said
        # In the same process it is still evaluated: nothing is read.
        assert second.evaluated(lambda: second.warm_kept(opening, PromptCache(tmp_path, ""))) == 0

    @pytest.mark.parametrize("state", [b"", b"x", bytes(1000), b"\xff" * 100_000])
    def test_what_llama_cpp_refuses_is_evaluated_and_written_anew(
        self, llama: CountingLlama, tmp_path: Path, state: bytes
    ) -> None:
        cache = PromptCache(tmp_path, "this model")
        opening = llama.render([SYSTEM], reply=False)
        forget(llama)
        cache.write(opening, state)
        assert llama.evaluated(lambda: llama.warm_kept(opening, cache)) >= len(opening) - 1
        assert len(cache.read(opening) or b"") > 100_000
        forget(llama)
        assert llama.evaluated(lambda: llama.warm_kept(opening, cache)) == 0
        assert "Paris" in answer(llama, [user(FRANCE)])

    def test_an_abort_keeps_nothing(self, llama: CountingLlama, tmp_path: Path) -> None:
        cache = PromptCache(tmp_path, "this model")
        opening = llama.render([SYSTEM, *SMALL_TALK], reply=False)
        forget(llama)
        llama.when_step = llama.abort
        try:
            llama.warm_kept(opening, cache)
        finally:
            llama.when_step = lambda: None
        assert list(tmp_path.iterdir()) == []


def test_the_same_prompt_again_costs_one_token(llama: CountingLlama) -> None:
    tokens = llama.render([SYSTEM, user(FRANCE)])
    llama.warm(tokens)
    assert llama.evaluated(lambda: next(llama.generate(tokens, Sampling()))) <= 1


def test_dropping_the_oldest_turns_keeps_the_rest_evaluated(llama: CountingLlama) -> None:
    forget(llama)
    question = user(FRANCE)
    llama.warm(llama.render([SYSTEM, *SMALL_TALK], reply=False))
    shorter = [*SMALL_TALK[6:], question]
    tokens = llama.render([SYSTEM, *shorter])
    new = len(tokens) - len(llama.render([SYSTEM, *SMALL_TALK[6:]], reply=False))
    moved: list[str] = []
    cost = llama.evaluated(lambda: moved.append(next(llama.generate(tokens, Sampling()))))
    print(f"{cost} tokens evaluated of a prompt of {len(tokens)} after dropping three turns")
    assert cost == new
    # What was moved is worth as much as what is evaluated afresh.
    moved_answer = answer(llama, shorter)
    forget(llama)
    fresh_answer = answer(llama, shorter)
    print(f"moved: {moved_answer!r}\nfresh: {fresh_answer!r}")
    assert "Paris" in moved_answer
    assert "Paris" in fresh_answer


def test_turns_may_be_dropped_again_and_again(llama: CountingLlama) -> None:
    forget(llama)
    messages = list(SMALL_TALK)
    for number in range(12):
        messages = [*messages[2:], user(f"How much is {number} and one?"), assistant("It is more.")]
        prompt = llama.render([SYSTEM, *messages], reply=False)
        cost = llama.evaluated(lambda prompt=prompt: llama.warm(prompt))
        assert number == 0 or cost <= 40
    assert "Paris" in answer(llama, [*messages, user(FRANCE)])


class TestAbort:
    """From another thread, in the middle of its work."""

    def run_and_abort(
        self, llama: CountingLlama, work: Callable[[], object], after_steps: int
    ) -> tuple[int, float]:
        """Abort in a step of the computation; return the steps begun since, and seconds."""
        began, steps = threading.Event(), len(llama.steps)

        def look() -> None:
            if len(llama.steps) - steps == after_steps:
                began.set()

        llama.when_step = look
        worker = threading.Thread(target=work)
        worker.start()
        try:
            assert began.wait(PATIENCE_S)
            at, aborted = len(llama.steps), time.perf_counter()
            llama.abort()
            worker.join(PATIENCE_S)
            assert not worker.is_alive()
            return len(llama.steps) - at, time.perf_counter() - aborted
        finally:
            llama.when_step = lambda: None

    def test_while_it_reads(self, llama: CountingLlama) -> None:
        forget(llama)
        tokens = llama.render([SYSTEM, *SMALL_TALK * 2, user(FRANCE)])
        assert len(tokens) > 8 * BATCH_TOKENS
        said: list[str] = []
        more, seconds = self.run_and_abort(
            llama, lambda: said.extend(llama.generate(tokens, Sampling())), after_steps=2
        )
        print(f"reading: {more} steps begun after the abort, back after {seconds * 1000:.0f} ms")
        assert said == []
        assert more <= 1
        assert "Paris" in answer(llama, [user(FRANCE)])

    def test_while_it_writes(self, llama: CountingLlama) -> None:
        question = user("Count from one to one hundred.")
        tokens = llama.render([SYSTEM, question])
        llama.warm(tokens)
        said: list[str] = []
        more, seconds = self.run_and_abort(
            llama,
            lambda: said.extend(llama.generate(tokens, Sampling(max_tokens=500))),
            after_steps=10,
        )
        print(f"writing: {more} tokens begun after the abort, back after {seconds * 1000:.0f} ms")
        assert more <= 1
        assert 9 <= len(said) <= 12
        assert "Paris" in answer(llama, [user(FRANCE)])

    def test_while_it_warms(self, llama: CountingLlama) -> None:
        forget(llama)
        tokens = llama.render([SYSTEM, *SMALL_TALK * 2], reply=False)
        more, _ = self.run_and_abort(llama, lambda: llama.warm(tokens), after_steps=2)
        assert more <= 1
        # What was evaluated before counts.
        left = llama.evaluated(lambda: llama.warm(tokens))
        assert left <= len(tokens) - BATCH_TOKENS


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(BrokenModelError, match=r"llama\.cpp cannot load"):
        CountingLlama(file, context_tokens=512)


def test_a_truncated_model_is_refused(
    tmp_path: Path, model: Callable[[str], InstalledModel]
) -> None:
    file = tmp_path / "half.gguf"
    whole = model(LLM).path.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenModelError, match=r"llama\.cpp cannot load"):
        CountingLlama(file, context_tokens=512)


class TestService:
    """`LlamaCppLLMService` around the real engine."""

    @pytest.fixture
    def service(self, llama: CountingLlama) -> LlamaCppLLMService:
        return LlamaCppLLMService(
            engine=llama,
            thread=EngineThread("llama.cpp"),
            settings=LlamaCppLLMSettings(system_instruction=INSTRUCTION, max_tokens=200),
        )

    async def ask(self, line: Running, context: LLMContext) -> str:
        here = await line.send(LLMContextFrame(context))
        place = await line.tap.wait_for(LLMFullResponseEndFrame, after=here)
        return "".join(f.text for f in line.tap.frames[here:place] if isinstance(f, LLMTextFrame))

    async def test_two_hundred_interruptions_at_random_moments(
        self, service: LlamaCppLLMService, llama: CountingLlama, log: list[str]
    ) -> None:
        rng = random.Random(7)
        loop_steps, places = [], []
        async with Running([service]) as line:
            for number in range(200):
                topic = rng.choice(["trains", "the sea", "cheese", "mountains", "old books"])
                past = rng.sample(SMALL_TALK, 2 * rng.randrange(4))
                question = user(f"Tell me a long story about {topic}, number {number}.")
                await line.send(LLMContextFrame(LLMContext([*past, question])))
                await pause(rng.uniform(0.0, 0.15))
                steps = len(llama.steps)
                places.append(await line.interrupt())
                loop_steps.append(len(llama.steps) - steps)
            said = await self.ask(line, LLMContext([user(FRANCE)]))
            frames = list(line.tap.frames)
        print(f"at most {max(loop_steps)} steps from interruption to its passing")
        # An interruption that were lost would let some 200 tokens be written.
        assert max(loop_steps) < 60
        for place in places:
            until = next(
                at
                for at in range(place, len(frames))
                if isinstance(frames[at], LLMFullResponseStartFrame)
            )
            assert not any(isinstance(frame, LLMTextFrame) for frame in frames[place:until])
        assert said == answer(llama, [user(FRANCE)], max_tokens=200)
        assert "Paris" in said
        assert log == []

    async def test_an_over_long_question_is_shortened_to_what_fits(
        self, service: LlamaCppLLMService, llama: CountingLlama, log: list[str]
    ) -> None:
        flood = " ".join(f"number {number}," for number in range(500))
        context = LLMContext([*SMALL_TALK])
        window = context_window.create(service, context, CONTEXT_TOKENS)
        async with Running([window, service]) as line:
            context.add_message(user(f"{flood} {FRANCE}"))
            assert await service.count_tokens(context) > 2 * CONTEXT_TOKENS
            assert await self.ask(line, context)
            assert await service.count_tokens(context) <= service.prompt_budget
        assert context.messages[: len(SMALL_TALK)] == SMALL_TALK
        assert context.messages[-1]["content"].endswith(FRANCE)
        assert log == []

    async def test_a_prompt_that_cannot_fit_is_said_to_be_one_before_any_work(
        self, service: LlamaCppLLMService, llama: CountingLlama, log: list[str]
    ) -> None:
        steps = len(llama.steps)
        flood = " ".join(f"number {number}," for number in range(2000))
        async with Running([service]) as line:
            assert await self.ask(line, LLMContext([user(flood)])) == ""
            assert len(llama.steps) == steps
            assert any(f"room for {CONTEXT_TOKENS}" in entry for entry in log)
            assert "Paris" in await self.ask(line, LLMContext([user(FRANCE)]))

    async def test_a_forced_call_has_the_arguments_that_its_schema_wants(
        self, service: LlamaCppLLMService, log: list[str]
    ) -> None:
        called: list[dict[str, Any]] = []

        async def set_timer(params: FunctionCallParams) -> None:
            called.append(dict(params.arguments))
            await params.result_callback({"status": "running"})

        timer = FunctionSchema(
            name="set_timer",
            description="Start a kitchen timer.",
            properties={
                "minutes": {"type": "integer", "description": "How long it runs."},
                "label": {"type": "string", "enum": ["tea", "eggs", "pasta"]},
            },
            required=["minutes", "label"],
        )
        service.register_function("set_timer", set_timer)
        context = LLMContext(
            [user("Set a timer of three minutes for my tea.")],
            tools=ToolsSchema(standard_tools=[timer]),
            tool_choice="required",
        )
        async with Running([service]) as line:
            here = await line.send(LLMContextFrame(context))
            place = await line.tap.wait_for(FunctionCallResultFrame, after=here)
            result = line.tap.frames[place - 1]
            assert isinstance(result, FunctionCallResultFrame)
            assert result.function_name == "set_timer"
            assert result.result == {"status": "running"}
            # What is a call is not spoken.
            assert line.tap.of(LLMTextFrame, here) == []
        assert len(called) == 1
        assert set(called[0]) == {"minutes", "label"}
        assert isinstance(called[0]["minutes"], int)
        assert called[0]["label"] in ("tea", "eggs", "pasta")
        assert log == []

    async def test_a_prompt_without_room_for_a_question_is_refused_when_it_starts(
        self, llama: CountingLlama
    ) -> None:
        flood = " ".join(f"rule {number}," for number in range(500))
        service = LlamaCppLLMService(
            engine=llama,
            thread=EngineThread("llama.cpp"),
            settings=LlamaCppLLMSettings(system_instruction=flood),
        )
        with pytest.raises(ConfigError, match=r"shorten assistant\.prompt"):
            await service.warm(LLMContext())

    async def test_an_inference_out_of_band(self, service: LlamaCppLLMService) -> None:
        async with Running([service]):
            said = await service.run_inference(LLMContext([user(FRANCE)]), max_tokens=20)
        assert said
        assert "Paris" in said


async def pause(seconds: float) -> None:
    """Let some of the work be done: how much is left to chance, and none of it is awaited."""
    await asyncio.sleep(seconds)


class TestWeights:
    """The same weights in a form that is computed faster."""

    @pytest.fixture(autouse=True)
    def _apart(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))

    def answer(self, model: InstalledModel) -> str:
        engine = load_engine(model.path, context_tokens=512, threads=0)
        tokens = engine.render([SYSTEM, user(FRANCE)])
        return "".join(engine.generate(tokens, Sampling(max_tokens=24)))

    def test_they_are_made_once_and_know_as_much(
        self, model: Callable[[str], InstalledModel], tmp_path: Path
    ) -> None:
        assert "Paris" in self.answer(model(LLM))
        (made,) = (tmp_path / "cache/weights").iterdir()
        assert made.suffix == ".gguf"
        before = made.stat()
        assert "Paris" in self.answer(model(LLM))
        assert made.stat().st_mtime_ns == before.st_mtime_ns

    def test_a_broken_one_is_left_for_the_model_as_it_came(
        self, model: Callable[[str], InstalledModel], tmp_path: Path
    ) -> None:
        made = faster(model(LLM).path, tmp_path / "cache/weights")
        with made.open("rb+") as file:
            file.truncate(made.stat().st_size // 2)
        assert "Paris" in self.answer(model(LLM))
        assert not made.exists()

    def test_where_nothing_can_be_kept_the_model_is_used_as_it_came(
        self, model: Callable[[str], InstalledModel], tmp_path: Path
    ) -> None:
        (tmp_path / "cache").write_text("in the way")
        assert "Paris" in self.answer(model(LLM))
