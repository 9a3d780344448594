"""Answers of a language model in this process, with an engine that says what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from line import PATIENCE_S, Line, kinds, of
from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    ErrorFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
    MetricsFrame,
    TextFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import (
    LLMUsageMetricsData,
    ProcessingMetricsData,
    TTFBMetricsData,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.tests.utils import run_test

from edgebot.engines.llama import Message, Tool
from edgebot.engines.prompt_cache import PromptCache
from edgebot.engines.sampler import Sampling
from edgebot.engines.strides import AT_ONCE_CHARS
from edgebot.engines.thread import EngineThread
from edgebot.stages import tool_calls
from edgebot.stages.context_window import CountsTokens
from edgebot.stages.llm_llama_cpp import (
    LlamaCppLLMService,
    LlamaCppLLMSettings,
    alternate,
    cache_folder,
    last_words,
)
from edgebot.stages.read_ahead import ReadsAhead, read_opening

PROMPT = "You are kind."


class FakeGenerator:
    """Answers with the pieces it is given, and keeps every prompt."""

    context_tokens = 500

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.template_text = "{{ tools }}"
        self.prompts: list[list[dict[str, Any]]] = []
        self.offered: list[list[Any]] = []
        self.replies: list[bool] = []
        self.warmed: list[Sequence[int]] = []
        self.samplings: list[Sampling] = []
        self.grammars: list[str | None] = []
        self.repeats: list[str] = []
        self.yielded: list[str] = []
        self.aborted = threading.Event()
        self.returned = threading.Event()
        self.fault: Exception | None = None

    def render(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True
    ) -> list[int]:
        self.prompts.append([dict(message) for message in messages])
        self.offered.append(list(tools))
        self.replies.append(reply)
        return list(range(sum(len(str(message.get("content"))) for message in messages)))

    def warm(self, tokens: Sequence[int]) -> None:
        self.warmed.append(tokens)

    def warm_kept(self, tokens: Sequence[int], cache: PromptCache) -> None:
        self.warm(tokens)
        cache.write(tokens, b"state")

    def generate(
        self,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        grammar: str | None = None,
        repeats: str = "",
    ) -> Iterator[str]:
        self.samplings.append(sampling)
        self.grammars.append(grammar)
        self.repeats.append(repeats)
        self.aborted.clear()
        self.returned.clear()
        try:
            for piece in self.answers.pop(0):
                self.yielded.append(piece)
                yield piece
                self.after_piece()
            if self.fault is not None:
                raise self.fault
        finally:
            self.returned.set()

    def after_piece(self) -> None:
        """Go on at once."""

    def abort(self) -> None:
        self.aborted.set()


class SlowGenerator(FakeGenerator):
    """Thinks after each piece until it is aborted, and honours that as late as it may."""

    def after_piece(self) -> None:
        assert self.aborted.wait(PATIENCE_S)


def service(engine: FakeGenerator, thread: EngineThread, **settings: Any) -> LlamaCppLLMService:
    return LlamaCppLLMService(
        engine=engine,
        thread=thread,
        settings=LlamaCppLLMSettings(model="fake", system_instruction=PROMPT, **settings),
    )


def question(text: str = "What?") -> LLMContextFrame:
    return LLMContextFrame(LLMContext([{"role": "user", "content": text}]))


@pytest.fixture
async def thread() -> AsyncIterator[EngineThread]:
    made = EngineThread("fake")
    yield made
    made.close()


async def answer(engine: FakeGenerator, thread: EngineThread, **settings: Any) -> list[str]:
    stage = service(engine, thread, **settings)
    down, _ = await run_test(stage, frames_to_send=[question()])
    return [frame.text for frame in of(list(down), LLMTextFrame)]


# One answer


async def test_an_answer_comes_between_its_start_and_its_end(thread: EngineThread) -> None:
    engine = FakeGenerator(["It ", "is ", "noon."])
    down, up = await run_test(service(engine, thread), frames_to_send=[question()])
    assert kinds(list(down)) == [
        LLMFullResponseStartFrame,
        LLMTextFrame,
        LLMTextFrame,
        LLMTextFrame,
        LLMFullResponseEndFrame,
    ]
    assert [frame.text for frame in of(list(down), LLMTextFrame)] == ["It ", "is ", "noon."]
    assert of(list(up), ErrorFrame) == []


async def test_the_prompt_is_the_instruction_and_the_context(thread: EngineThread) -> None:
    engine = FakeGenerator([])
    await answer(engine, thread)
    assert engine.prompts == [
        [{"role": "system", "content": PROMPT}, {"role": "user", "content": "What?"}]
    ]
    assert engine.replies == [True]
    assert engine.grammars == [None]
    assert engine.repeats == ["What?"]


async def test_an_empty_answer_has_a_start_and_an_end(thread: EngineThread) -> None:
    down, _ = await run_test(service(FakeGenerator([]), thread), frames_to_send=[question()])
    assert kinds(list(down)) == [LLMFullResponseStartFrame, LLMFullResponseEndFrame]


async def test_other_frames_pass(thread: EngineThread) -> None:
    frame = TextFrame("hello")
    down, _ = await run_test(service(FakeGenerator(), thread), frames_to_send=[frame])
    assert frame in down


async def test_the_settings_reach_the_engine(thread: EngineThread) -> None:
    engine = FakeGenerator([])
    await answer(
        engine, thread, temperature=0.5, top_p=0.9, min_p=0.1, repeat_penalty=1.1, max_tokens=7
    )
    assert engine.samplings == [
        Sampling(temperature=0.5, top_k=40, top_p=0.9, min_p=0.1, repeat_penalty=1.1, max_tokens=7)
    ]


async def test_without_settings_the_likeliest_is_said(thread: EngineThread) -> None:
    engine = FakeGenerator(["a"])
    stage = LlamaCppLLMService(engine=engine, thread=thread)
    await run_test(stage, frames_to_send=[question()])
    assert engine.samplings == [Sampling()]
    assert [message["role"] for message in engine.prompts[0]] == ["user"]


# Its length


@pytest.mark.parametrize(
    ("pieces", "sentences", "said"),
    [
        (["One is", " here. Two", " is there. Three"], 2, "One is here. Two is there."),
        (["One is here.", " Two"], 1, "One is here."),
        (["One is here", ". ", "Two"], 1, "One is here."),
        (["It is 3", ".", "5 metres. Then"], 1, "It is 3.5 metres."),
        (["Ask Dr", ".", " Smith. Then"], 1, "Ask Dr. Smith."),
        (["One is here. Two"], 0, "One is here. Two"),
        (["One is here. Two"], 9, "One is here. Two"),
    ],
)
async def test_an_answer_ends_after_its_sentences(
    thread: EngineThread, pieces: list[str], sentences: int, said: str
) -> None:
    engine = FakeGenerator(pieces)
    assert "".join(await answer(engine, thread, max_sentences=sentences)) == said


async def test_the_engine_is_stopped_when_enough_is_said(thread: EngineThread) -> None:
    engine = SlowGenerator(["One is here.", " Two", " is", " there."])
    assert await answer(engine, thread, max_sentences=1) == ["One is here."]
    assert engine.aborted.is_set()
    assert engine.returned.is_set()
    assert len(engine.yielded) <= 2


async def test_behind_its_first_words_an_answer_comes_in_strides(thread: EngineThread) -> None:
    words = ["w" * AT_ONCE_CHARS, *["and so on, "] * 50]
    engine = FakeGenerator(words)
    async with Line(service(engine, thread), metrics=True) as line:
        await line.send(question())
        await line.until_down(LLMFullResponseEndFrame)
    texts = [frame.text for frame in line.of(LLMTextFrame)]
    assert "".join(texts) == "".join(words)
    assert len(texts) < len(words) / 2
    data = [item for frame in line.of(MetricsFrame) for item in frame.data]
    (usage,) = [item.value for item in data if isinstance(item, LLMUsageMetricsData)]
    assert usage.completion_tokens == len(words)


# What is measured


async def test_time_and_tokens_are_measured(thread: EngineThread) -> None:
    engine = FakeGenerator(["It ", "is ", "noon."])
    stage = service(engine, thread)
    async with Line(stage, metrics=True) as line:
        await line.send(question())
        await line.until_down(LLMFullResponseEndFrame)
    data = [item for frame in line.of(MetricsFrame) for item in frame.data]
    (usage,) = [item.value for item in data if isinstance(item, LLMUsageMetricsData)]
    prompt = len(PROMPT) + len("What?")
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (
        prompt,
        3,
        prompt + 3,
    )
    # Pipecat begins each pipeline with metrics of 0 that name no model.
    times = [item for item in data if item.model == "fake"]
    assert len([item for item in times if isinstance(item, TTFBMetricsData)]) == 1
    assert len([item for item in times if isinstance(item, ProcessingMetricsData)]) == 1


async def test_the_budget_leaves_room_for_the_longest_answer(thread: EngineThread) -> None:
    stage = service(FakeGenerator(), thread, max_tokens=80)
    assert isinstance(stage, CountsTokens)
    assert stage.prompt_budget == 420
    count = await stage.count_tokens(LLMContext([{"role": "user", "content": "12345"}]))
    assert count == len(PROMPT) + 5


async def test_warming_reads_the_prompt_without_the_opening_of_an_answer(
    thread: EngineThread,
) -> None:
    engine = FakeGenerator()
    stage = service(engine, thread)
    assert isinstance(stage, ReadsAhead)
    await stage.warm(LLMContext())
    assert engine.replies == [False]
    assert engine.warmed == [list(range(len(PROMPT)))]


def files(folder: Path) -> int:
    return len(list(folder.iterdir()))


class TestOpening:
    """What opens every conversation is kept; what is said in one is not."""

    def stage(self, thread: EngineThread, folder: Path | None) -> LlamaCppLLMService:
        cache = PromptCache(folder, "fake") if folder else None
        return LlamaCppLLMService(
            engine=FakeGenerator(),
            thread=thread,
            cache=cache,
            settings=LlamaCppLLMSettings(model="fake", system_instruction=PROMPT),
        )

    async def test_only_the_opening_is_kept(self, thread: EngineThread, tmp_path: Path) -> None:
        stage = self.stage(thread, tmp_path)
        await stage.warm(LLMContext([{"role": "user", "content": "My secret"}]))
        assert files(tmp_path) == 0
        await read_opening(stage, LLMContext())
        assert files(tmp_path) == 1

    async def test_without_a_cache_it_is_evaluated(self, thread: EngineThread) -> None:
        engine = FakeGenerator()
        await read_opening(service(engine, thread), LLMContext())
        assert engine.warmed == [list(range(len(PROMPT)))]

    async def test_a_folder_that_cannot_be_written_to_is_no_fault(
        self, thread: EngineThread, tmp_path: Path
    ) -> None:
        (tmp_path / "in the way").write_text("")
        lines: list[str] = []
        sink = logger.add(lines.append, level="WARNING", format="{message}")
        await read_opening(self.stage(thread, tmp_path / "in the way"), LLMContext())
        logger.remove(sink)
        (line,) = lines
        assert line.startswith("The evaluated prompt cannot be kept")

    async def test_a_language_model_that_cannot_read_ahead_is_left_alone(self) -> None:
        await read_opening(FrameProcessor(), LLMContext())


def test_a_service_keeps_its_prompts_where_systemd_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/edgebot")
    assert cache_folder("prompts") == Path("/var/cache/edgebot/prompts")
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    assert cache_folder("prompts") == Path("/home/me/.cache/edgebot/prompts")


# Interruptions and faults


async def test_an_interruption_aborts_the_engine_and_waits_for_it(thread: EngineThread) -> None:
    engine = SlowGenerator(["It is", " a long", " story"], ["Now."])
    stage = service(engine, thread)
    async with Line(stage) as line:
        await line.send(question())
        await line.until_down(LLMTextFrame)
        await line.send(InterruptionFrame())
        await line.until_down(InterruptionFrame)
        assert engine.aborted.is_set()
        assert engine.returned.is_set()
        await line.until_down(InterruptionFrame)
        engine.after_piece = lambda: None  # type: ignore[method-assign]
        await line.send(question("And now?"))
        await line.until_down(LLMFullResponseEndFrame, 2)
    # The end of the old answer comes before the interruption, and nothing of it afterwards.
    assert kinds(line.down) == [
        LLMFullResponseStartFrame,
        LLMTextFrame,
        LLMFullResponseEndFrame,
        InterruptionFrame,
        LLMFullResponseStartFrame,
        LLMTextFrame,
        LLMFullResponseEndFrame,
    ]
    assert [frame.text for frame in line.of(LLMTextFrame)] == ["It is", "Now."]
    assert of(line.up, ErrorFrame) == []


async def test_an_interruption_before_the_first_word(thread: EngineThread) -> None:
    began = threading.Event()

    class Prefill(FakeGenerator):
        def generate(
            self,
            tokens: Sequence[int],
            sampling: Sampling,
            *,
            grammar: str | None = None,
            repeats: str = "",
        ) -> Iterator[str]:
            began.set()
            assert self.aborted.wait(PATIENCE_S)
            self.returned.set()
            yield from ()

    engine = Prefill()
    async with Line(service(engine, thread)) as line:
        await line.send(question())
        await line.until_down(LLMFullResponseStartFrame)
        await line.until(began.is_set)
        await line.send(InterruptionFrame())
        await line.until_down(InterruptionFrame)
        assert engine.returned.is_set()
    assert line.of(LLMTextFrame) == []


async def test_an_engine_that_fails_is_an_error_and_the_answer_ends(thread: EngineThread) -> None:
    engine = FakeGenerator(["It is"], ["Now."])
    engine.fault = RuntimeError("no memory")
    stage = service(engine, thread)
    async with Line(stage) as line:
        await line.send(question())
        await line.until_down(LLMFullResponseEndFrame)
        await line.until_up(ErrorFrame)
        engine.fault = None
        await line.send(question())
        await line.until_down(LLMFullResponseEndFrame, 2)
    (error,) = of(line.up, ErrorFrame)
    assert error.error == "the language model failed: no memory"
    assert [frame.text for frame in line.of(LLMTextFrame)] == ["It is", "Now."]


# Out of band


async def test_one_answer_out_of_band(thread: EngineThread) -> None:
    engine = FakeGenerator(["It is. ", "It is not."], [])
    stage = service(engine, thread, max_sentences=1)
    context = LLMContext([{"role": "user", "content": "What?"}])
    said = await stage.run_inference(context, max_tokens=5, system_instruction="Be short.")
    assert said == "It is. It is not."
    assert engine.prompts[0][0] == {"role": "system", "content": "Be short."}
    assert engine.samplings[0].max_tokens == 5
    assert await stage.run_inference(context) is None


# Functions

LIGHT = FunctionSchema(
    name="light",
    description="Turns a light on.",
    properties={"room": {"type": "string"}},
    required=["room"],
)


async def converse(
    engine: FakeGenerator, thread: EngineThread, *, tool_choice: str | None = None
) -> tuple[list[dict[str, Any]], list[str], LLMContext]:
    """Ask for light; return the calls' arguments, what was said, and the context."""
    called: list[dict[str, Any]] = []

    async def light(params: FunctionCallParams) -> None:
        called.append(dict(params.arguments))
        await params.result_callback({"state": "on"})

    stage = service(engine, thread)
    stage.register_function("light", light)
    context = LLMContext(tools=ToolsSchema(standard_tools=[LIGHT]))
    if tool_choice is not None:
        context.set_tool_choice(tool_choice)
    user, assistant = LLMContextAggregatorPair(context)
    async with Line(Pipeline([user, stage, assistant])) as line:
        message = {"role": "user", "content": "Light!"}
        await line.send(LLMMessagesAppendFrame([message], run_llm=True))
        await line.until(lambda: not engine.answers and engine.returned.is_set())
        await line.end()
    return called, engine.yielded, context


CALL = '<tool_call>{"name": "light", "arguments": {"room": "hall"}}</tool_call>'


async def test_a_call_runs_its_function_and_the_result_is_in_the_next_prompt(
    thread: EngineThread,
) -> None:
    engine = FakeGenerator(["Well. ", "<tool_", *CALL.removeprefix("<tool_")], ["It is on."])
    called, _, context = await converse(engine, thread)
    assert called == [{"room": "hall"}]
    first, second = engine.prompts
    assert [message["role"] for message in first] == ["system", "user"]
    call, result = second[-2:]
    assert call["tool_calls"][0]["function"]["name"] == "light"
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"room": "hall"}
    assert result["role"] == "tool"
    assert json.loads(result["content"]) == {"state": "on"}
    # The template knows tools: they are offered there, and nothing is explained.
    assert [tool["function"]["name"] for tool in engine.offered[0]] == ["light"]
    assert first[0]["content"] == PROMPT
    said = [m["content"] for m in context.messages if m.get("content") and m["role"] != "tool"]
    assert said == ["Light!", "Well.", "It is on."]


async def test_tools_are_explained_to_a_template_that_knows_none(thread: EngineThread) -> None:
    engine = FakeGenerator([CALL], ["It is on."])
    engine.template_text = "{{ messages }}"
    called, _, _ = await converse(engine, thread)
    assert called == [{"room": "hall"}]
    assert engine.offered == [[], []]
    first, second = engine.prompts
    assert first[0]["content"].startswith(PROMPT)
    assert '"name": "light"' in first[0]["content"]
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert second[2]["content"] == CALL
    assert second[3]["content"] == '<tool_response>{"state": "on"}</tool_response>'


async def test_a_forced_call_follows_its_grammar(thread: EngineThread) -> None:
    engine = FakeGenerator([CALL], ["It is on."])
    await converse(engine, thread, tool_choice="required")
    grammar = engine.grammars[0]
    assert grammar is not None
    assert grammar.startswith(f'root ::= "{tool_calls.OPEN}" call "{tool_calls.CLOSE}"')
    assert '\\"light\\"' in grammar


async def test_a_call_of_a_function_that_is_not_there_is_answered(thread: EngineThread) -> None:
    engine = FakeGenerator([CALL.replace("light", "heating")], ["I cannot."])
    called, _, _ = await converse(engine, thread)
    assert called == []
    assert engine.prompts[1][-1]["role"] == "tool"


# Messages


@pytest.mark.parametrize(
    ("roles", "joined"),
    [
        ("", ""),
        ("u1 a2 u3", "u1 a2 u3"),
        ("u1 u2", "u1\n2"),
        ("s0 u1 u2 u3 a4 u5 u6", "s0 u1\n2\n3 a4 u5\n6"),
        ("a1 a2", "a1 a2"),
        ("t1 t2 u3", "t1 t2 u3"),
    ],
)
def test_neighbouring_messages_of_the_user_are_joined(roles: str, joined: str) -> None:
    def messages(text: str) -> list[dict[str, str]]:
        return [{"role": part[0], "content": part[1:]} for part in text.split(" ") if part]

    long = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}

    def named(found: list[dict[str, str]]) -> list[dict[str, str]]:
        return [{**message, "role": long[message["role"]]} for message in found]

    original = named(messages(roles))
    assert alternate(original) == named(messages(joined))
    assert original == named(messages(roles))


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def begin(self) -> None:
        self.told.append("<")

    async def write(self, text: str) -> None:
        self.told.append(text)

    async def end(self) -> None:
        self.told.append(">")


async def test_an_answer_ahead_is_told_and_held_back_until_the_turn_has_ended(
    thread: EngineThread,
) -> None:
    listener, stage = Listener(), service(FakeGenerator(["It is ", "five."]), thread)
    stage.tell(listener)
    async with Line(stage) as line:
        await line.send(LLMContextFrame(LLMContext([{"role": "user", "content": "?"}]), True))
        await line.until(lambda: listener.told == ["<", "It is ", "five.", ">"])
        assert line.of(LLMTextFrame) == []
        await line.send(UserStoppedSpeakingFrame())
        await line.until_down(LLMFullResponseEndFrame)
    assert [frame.text for frame in line.of(LLMTextFrame)] == ["It is ", "five."]


async def test_an_answer_that_is_withdrawn_stops_the_engine_and_is_never_heard(
    thread: EngineThread,
) -> None:
    engine = SlowGenerator(["It is ", "five."], ["Six."])
    stage = service(engine, thread)
    context = LLMContext([{"role": "user", "content": "?"}])
    async with Line(stage) as line:
        await line.send(LLMContextFrame(context, True))
        await line.until(lambda: engine.yielded == ["It is "])
        await line.send(EagerEndOfTurnCancelFrame())
        await line.until_down(EagerEndOfTurnCancelFrame)
        assert engine.returned.wait(PATIENCE_S)
        await line.send(LLMContextFrame(context))
        await line.until_down(LLMTextFrame)
        engine.abort()
        await line.until_down(LLMFullResponseEndFrame)
    assert [frame.text for frame in line.of(LLMTextFrame)] == ["Six."]


async def test_an_answer_to_a_turn_that_has_ended_is_told_nobody(thread: EngineThread) -> None:
    listener, stage = Listener(), service(FakeGenerator(["It is five."]), thread)
    stage.tell(listener)
    async with Line(stage) as line:
        await line.send(LLMContextFrame(LLMContext([{"role": "user", "content": "?"}])))
        await line.until_down(LLMFullResponseEndFrame)
    assert listener.told == []


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], ""),
        ([{"role": "user", "content": "What is it?"}], "What is it?"),
        ([{"role": "user", "content": "And?"}, {"role": "tool", "content": "noon"}], "noon"),
        ([{"role": "user", "content": [{"type": "text", "text": "What?"}]}], ""),
        ([{"role": "assistant"}], ""),
    ],
)
def test_what_an_answer_may_repeat(messages: list[dict[str, Any]], words: str) -> None:
    assert last_words(messages) == words
