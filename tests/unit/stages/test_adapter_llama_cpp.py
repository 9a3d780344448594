"""What Pipecat keeps of a conversation becomes what llama.cpp is asked with."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pipecat.adapters.llm.base_llm_adapter import LLMContextConversionError
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.processors.aggregators.llm_context import LLMContext

from edgebot.stages.adapter_llama_cpp import Invocation, LlamaCppLLMAdapter

HELLO = {"role": "user", "content": "Hello."}
TIME = FunctionSchema(name="tell_time", description="Tells the time.", properties={}, required=[])


async def asked(messages: list[Any], instruction: str | None = None, **context: Any) -> Invocation:
    return await LlamaCppLLMAdapter().get_llm_invocation_params(
        LLMContext(messages, **context), system_instruction=instruction
    )


async def test_an_instruction_goes_before_the_conversation() -> None:
    found = await asked([HELLO], "Be brief.")
    assert found == {
        "messages": [{"role": "system", "content": "Be brief."}, HELLO],
        "tools": [],
        "must_call": False,
    }


async def test_tools_are_those_of_openai() -> None:
    found = await asked([HELLO], tools=ToolsSchema([TIME]), tool_choice="required")
    (tool,) = found["tools"]
    assert tool["type"] == "function"
    assert tool["function"]["name"] == "tell_time"
    assert found["must_call"]


async def test_parts_of_a_text_are_joined_and_a_developer_is_a_user() -> None:
    parts = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    message = {"role": "developer", "content": parts}
    assert (await asked([message]))["messages"] == [{"role": "user", "content": "One.\nTwo."}]
    assert message["content"] is parts


async def test_a_picture_is_refused() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    with pytest.raises(LLMContextConversionError, match="nothing but text"):
        await asked([{"role": "user", "content": [picture]}])


def test_what_is_logged_is_short() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9999}}
    context = LLMContext([HELLO, {"role": "user", "content": [picture]}])
    hello, shown = LlamaCppLLMAdapter().get_messages_for_logging(context)
    assert hello == HELLO
    assert len(str(shown)) < 200


@pytest.mark.parametrize("library", ["openai", "vosk", "requests"])
def test_what_is_not_used_is_not_loaded(library: str) -> None:
    """OpenAI's library alone is a third of a second and 14 MB."""
    program = f"""import sys, edgebot.talking, edgebot.stages.llm_llama_cpp
print({library!r} in sys.modules)"""
    ran = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    assert ran.stdout.strip() == "False"
