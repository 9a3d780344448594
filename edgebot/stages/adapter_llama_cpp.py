"""What llama.cpp is asked with, made of what Pipecat keeps of a conversation.

Pipecat's adapter for OpenAI makes the same, but imports OpenAI's library for its types alone: a
third of a second and 14 MB at each start.
"""

from __future__ import annotations

from typing import Any, TypedDict

from pipecat.adapters.llm.base_llm_adapter import BaseLLMAdapter, LLMContextConversionError
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage
from pipecat.utils.types import is_given

from edgebot.engines.llama import Message, Tool


class Invocation(TypedDict):
    """What an answer is made of.

    Attributes:
        messages: OpenAI-style, with text as their content.
        tools: OpenAI-style definitions of what may be called.
        must_call: Whether one of them must be.
    """

    messages: list[Message]
    tools: list[Tool]
    must_call: bool


class LlamaCppLLMAdapter(BaseLLMAdapter[Invocation]):
    """Makes an `Invocation` of Pipecat's context."""

    @property
    def id_for_llm_specific_messages(self) -> str:
        """What marks a message that is for llama.cpp alone."""
        return "llama.cpp"

    async def get_llm_invocation_params(
        self, context: LLMContext, *, system_instruction: str | None = None, **_: Any
    ) -> Invocation:
        """Return what an answer is made of.

        Args:
            context: The conversation.
            system_instruction: Goes before it.

        Raises:
            LLMContextConversionError: A message holds something else than text.
        """
        messages = [_plain(message) for message in self.get_messages(context)]
        if system_instruction:
            messages.insert(0, {"role": "system", "content": system_instruction})
        tools = self.from_standard_tools(context.tools)
        return {
            "messages": messages,
            "tools": tools if tools is not None and is_given(tools) else [],
            "must_call": context.tool_choice == "required",
        }

    def to_provider_tools_format(self, tools_schema: ToolsSchema) -> list[Tool]:
        """Return OpenAI-style definitions of functions."""
        functions = tools_schema.standard_tools
        return [{"type": "function", "function": one.to_default_dict()} for one in functions]

    def get_messages_for_logging(self, context: LLMContext) -> list[dict[str, Any]]:
        """Return the messages, with what is long cut short."""
        return [
            _bare(message) for message in self.get_messages(context, truncate_large_values=True)
        ]


def _bare(message: Any) -> dict[str, Any]:
    return dict(message.message if isinstance(message, LLMSpecificMessage) else message)


def _plain(message: Any) -> Message:
    """Return a message with a text for its content, and with a role that templates know."""
    plain = _bare(message)
    if plain["role"] == "developer":
        plain["role"] = "user"
    if isinstance(parts := plain.get("content"), list):
        if any(part.get("type") != "text" for part in parts):
            raise LLMContextConversionError(
                ValueError("this language model reads nothing but text")
            )
        plain["content"] = "\n".join(part["text"] for part in parts)
    return plain
