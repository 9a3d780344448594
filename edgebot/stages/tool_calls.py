"""Function calls in plain text, as open models write them: `<tool_call>{…}</tool_call>`.

The form is that of Hermes and Qwen: a JSON object with `name` and `arguments` between the tags.
Where a model's chat template knows no tools, the same form is explained in the system message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from loguru import logger

OPEN, CLOSE = "<tool_call>", "</tool_call>"

_EXPLANATION = """

You may call functions. They are described here as JSON, one a line:
{tools}
To call one, answer only with:
<tool_call>{{"name": "<function>", "arguments": {{<its arguments as JSON>}}}}</tool_call>"""


class ToolCallParser:
    """Takes the calls out of a text that comes in pieces."""

    def __init__(self) -> None:
        self._held = ""
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def feed(self, piece: str) -> str:
        """Return what of the text so far is to be spoken; hold back what may be a call."""
        self._held += piece
        spoken = ""
        while self._held:
            start = self._held.find(OPEN)
            if start < 0:
                keep = partial_suffix(self._held, OPEN)
                spoken += self._held[: len(self._held) - keep]
                self._held = self._held[len(self._held) - keep :]
                break
            end = self._held.find(CLOSE, start)
            if end < 0:
                spoken, self._held = spoken + self._held[:start], self._held[start:]
                break
            spoken += self._held[:start]
            self._take(self._held[start + len(OPEN) : end])
            self._held = self._held[end + len(CLOSE) :]
        return spoken

    def finish(self) -> str:
        """Return what was held back and is no call; a call without its end tag still counts."""
        held, self._held = self._held, ""
        if held.startswith(OPEN):
            self._take(held[len(OPEN) :])
            return ""
        return held

    def _take(self, text: str) -> None:
        try:
            call = json.loads(text)
            self.calls.append((str(call["name"]), dict(call.get("arguments") or {})))
        except (ValueError, TypeError, KeyError):
            logger.warning("The model wrote a function call that is no JSON object with a name.")


def partial_suffix(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `tag`."""
    for size in range(min(len(text), len(tag) - 1), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0


def explain(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return messages for a template that knows no tools: calls and results become plain text."""
    plain = [_plain(message) for message in messages]
    if tools:
        lines = "\n".join(json.dumps(tool.get("function", tool)) for tool in tools)
        if not plain or plain[0]["role"] != "system":
            plain.insert(0, {"role": "system", "content": ""})
        plain[0]["content"] += _EXPLANATION.format(tools=lines)
    return plain


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        content = f"<tool_response>{message.get('content', '')}</tool_response>"
        return {"role": "user", "content": content}
    if message.get("tool_calls"):
        calls = [call["function"] for call in message["tool_calls"]]
        content = "".join(
            f'{OPEN}{{"name": {json.dumps(call["name"])}, "arguments": {call["arguments"]}}}{CLOSE}'
            for call in calls
        )
        return {"role": "assistant", "content": content}
    return dict(message)


def grammar(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return the GBNF of exactly one call of one of the tools, its arguments as its schema says."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"].get("parameters", {"type": "object"}),
            },
            "required": ["name", "arguments"],
        }
        for tool in tools
    ]
    rules = json_schema_to_gbnf(json.dumps({"anyOf": calls}))
    renamed = rules.replace("root ::=", "call ::=")
    return f'root ::= "{OPEN}" call "{CLOSE}"\n{renamed}'
