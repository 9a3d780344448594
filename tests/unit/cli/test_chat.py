"""chat: a question a line in, an answer a line out."""

from __future__ import annotations

from .conftest import Command

MIND = ("--set", "llm.engine=own.mind")


def test_each_line_has_its_line(edgebot: Command) -> None:
    ran = edgebot(*MIND, "chat", "--plain", stdin=b"Hello\nAgain\n")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "You said Hello.\nYou said Again.\n"


def test_empty_lines_are_no_questions(edgebot: Command) -> None:
    assert edgebot(*MIND, "chat", "--plain", stdin=b"\n  \nHello\n\n").out == "You said Hello.\n"


def test_no_question_is_no_answer(edgebot: Command) -> None:
    ran = edgebot(*MIND, "chat", stdin=b"")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_without_a_terminal_it_is_plain(edgebot: Command) -> None:
    assert edgebot(*MIND, "chat", stdin="Grüß [b]dich".encode()).out == ("You said Grüß [b]dich.\n")
