"""The verb that talks by the keyboard."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from edgebot.cli.console import out
from edgebot.cli.converse import note
from edgebot.cli.options import settings_of


def chat(
    context: typer.Context,
    plain: Annotated[
        bool, typer.Option("--plain", help="A question a line in, an answer a line out.")
    ] = False,
) -> None:
    """Talk with the language model by the keyboard, without speech, until Ctrl-D.

    A program can do so too: [bold]echo "How old is the sun?" | edgebot chat --plain[/]
    """
    settings = settings_of(context)
    from edgebot.chatting import TextConversation

    plain = plain or not (sys.stdin.isatty() and out.is_terminal)

    async def converse() -> None:
        async with TextConversation.start(settings, when_note=note) as conversation:
            questions = plain_lines() if plain else typed_lines()
            while (question := await asyncio.to_thread(next, questions, None)) is not None:
                if not question.strip():
                    continue
                if plain:
                    answer = await conversation.ask(question)
                    print(" ".join(answer.split()), flush=True)
                else:
                    await conversation.ask(question, when_text=lambda text: out.file.write(text))
                    out.print()

    asyncio.run(converse())


def plain_lines() -> Iterator[str]:
    """Yield the lines of standard input."""
    yield from sys.stdin


def typed_lines() -> Iterator[str]:
    """Yield what a person types, until the end of input."""
    while True:
        try:
            yield out.input("[bold]you[/]  ")
        except EOFError:
            return
