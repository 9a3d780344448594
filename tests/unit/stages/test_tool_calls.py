"""Calls are taken out of the text, however it is cut; explained where a template knows none."""

from __future__ import annotations

import itertools
import json
from typing import Any

import llama_cpp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebot.engines.sampler import grammar_sampler
from edgebot.stages.tool_calls import (
    CLOSE,
    OPEN,
    ToolCallParser,
    explain,
    grammar,
    partial_suffix,
)

LIGHT = {
    "type": "function",
    "function": {
        "name": "light",
        "description": "Turns a light on or off.",
        "parameters": {
            "type": "object",
            "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}},
            "required": ["room", "on"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "Tells the time."}}


def call(name: str = "light", **arguments: Any) -> str:
    return f"{OPEN}{json.dumps({'name': name, 'arguments': arguments})}{CLOSE}"


def parse(*pieces: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    parser = ToolCallParser()
    spoken = "".join(parser.feed(piece) for piece in pieces)
    return spoken + parser.finish(), parser.calls


def test_a_text_without_calls_passes() -> None:
    assert parse("Hello, ", "you.") == ("Hello, you.", [])


def test_a_call_is_taken_out() -> None:
    spoken, calls = parse(f"Wait. {call(room='hall', on=True)} Done.")
    assert spoken == "Wait.  Done."
    assert calls == [("light", {"room": "hall", "on": True})]


def test_several_calls_keep_their_order() -> None:
    assert parse(call("a", x=1) + call("b") + call("a", x=2)) == (
        "",
        [("a", {"x": 1}), ("b", {}), ("a", {"x": 2})],
    )


def test_text_is_held_back_only_while_it_may_be_a_tag() -> None:
    parser = ToolCallParser()
    assert parser.feed("It is 3 <") == "It is 3 "
    assert parser.feed(" 4 and <tool_ca") == "< 4 and "
    assert parser.feed("r>") == "<tool_car>"
    assert parser.feed("<tool_call>{") == ""
    assert parser.calls == []


def test_half_a_tag_at_the_end_is_text() -> None:
    assert parse("It is <tool_") == ("It is <tool_", [])


def test_a_call_without_its_end_tag_counts() -> None:
    assert parse(call(on=True).removesuffix(CLOSE)) == ("", [("light", {"on": True})])


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "{",
        "light",
        '"light"',
        "[1]",
        "7",
        "null",
        '{"arguments": {}}',
        '{"name": "a", "argum',
        '{"name": "a", "arguments": 7}',
        '{"name": "a", "arguments": "{}"}',
    ],
)
def test_what_is_no_call_is_neither_made_nor_spoken(inside: str) -> None:
    assert parse(f"Yes. {OPEN}{inside}{CLOSE} No.") == ("Yes.  No.", [])
    assert parse(f"Yes. {OPEN}{inside}") == ("Yes. ", [])


@pytest.mark.parametrize("arguments", ["", ', "arguments": null', ', "arguments": {}'])
def test_a_call_needs_no_arguments(arguments: str) -> None:
    assert parse(f'{OPEN}{{"name": "clock"{arguments}}}{CLOSE}') == ("", [("clock", {})])


PARTS = st.lists(
    st.sampled_from(
        [
            OPEN,
            CLOSE,
            "<",
            "<tool",
            "_call>",
            "</",
            ">",
            "Hello ",
            "{",
            "}",
            call("a", x=1),
            call("b"),
            '{"name": "c"}',
            "7",
            "<tool_call",
            "tool_call>",
        ]
    ),
    max_size=12,
).map("".join)


@given(PARTS)
def test_char_by_char_is_as_good_as_whole(text: str) -> None:
    assert parse(*text) == parse(text)


@given(PARTS, st.lists(st.integers(0, 500), max_size=9))
def test_any_pieces_are_as_good_as_whole(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in cuts)})
    assert parse(*(text[a:b] for a, b in itertools.pairwise(places))) == parse(text)


@given(st.text(), st.text("<tool_cal>", max_size=12))
def test_a_partial_suffix_is_the_longest(text: str, tag: str) -> None:
    sizes = [size for size in range(len(tag)) if text.endswith(tag[:size])]
    assert partial_suffix(text, tag) == max(sizes, default=0)


def test_tools_are_explained_in_the_system_message() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Dark!"}]
    system, user = explain(messages, [LIGHT, CLOCK])
    lines = system["content"].splitlines()
    assert lines[0] == "Be kind."
    assert [json.loads(line) for line in lines[3:5]] == [LIGHT["function"], CLOCK["function"]]
    assert OPEN in lines[-1]
    assert CLOSE in lines[-1]
    assert user == messages[1]
    assert messages[0]["content"] == "Be kind."


def test_without_a_system_message_one_is_made() -> None:
    found = explain([{"role": "user", "content": "Dark!"}], [CLOCK])
    assert [message["role"] for message in found] == ["system", "user"]
    assert [message["role"] for message in explain([], [CLOCK])] == ["system"]


def test_without_tools_nothing_is_explained() -> None:
    messages = [{"role": "user", "content": "Dark!"}]
    assert explain(messages, []) == messages


def test_calls_and_results_become_text_that_the_parser_knows() -> None:
    function = {"name": "light", "arguments": '{"room": "hall"}'}
    messages = [
        {"role": "user", "content": "Dark!"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": function}]},
        {"role": "tool", "tool_call_id": "1", "content": "done"},
    ]
    user, said, result = explain(messages, [])
    assert user == messages[0]
    assert said["role"] == "assistant"
    assert parse(said["content"]) == ("", [("light", {"room": "hall"})])
    assert result == {"role": "user", "content": "<tool_response>done</tool_response>"}


AWKWARD = {
    "type": "function",
    "function": {
        "name": "say-it.twice",
        "parameters": {
            "type": "object",
            "properties": {
                "what": {"enum": ["a", "two words", "é", 3, None]},
                "times": {"type": "integer", "minimum": 1, "maximum": 9},
                "to": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["what"],
        },
    },
}


@pytest.mark.parametrize(
    "tools", [[LIGHT], [CLOCK], [LIGHT, CLOCK], [AWKWARD], [AWKWARD, LIGHT, CLOCK]]
)
def test_llama_cpp_accepts_the_grammar(tools: list[dict[str, Any]]) -> None:
    rules = grammar(tools)
    assert rules.startswith(f'root ::= "{OPEN}" call "{CLOSE}"\n')
    llama_cpp.llama_sampler_free(grammar_sampler(None, rules))
