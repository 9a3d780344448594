"""The verbs that hold a conversation by voice: run, ask, demo."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgebot.cli.console import err, out
from edgebot.cli.options import settings_of

if TYPE_CHECKING:
    from edgebot.asking import Answer
    from edgebot.config import Settings
    from edgebot.observe.turns import Turn
    from edgebot.state import Facts, Fault

# Questions for a machine without a microphone.
EXAMPLE_QUESTIONS = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "What is your name?",
)


def run(context: typer.Context) -> None:
    """Listen to the microphone and answer through the speaker, until Ctrl-C.

    It prints what it hears and says, and what it is doing. Which devices: [bold]edgebot devices[/].
    """
    settings = settings_of(context)
    from edgebot.talking import talk

    screen = Screen(settings)
    try:
        asyncio.run(
            talk(
                settings,
                when_note=note,
                when_ready=screen.ready,
                when_state=screen.state,
                when_heard=screen.heard,
                when_said=screen.said,
                terminal=sys.stdin,
            )
        )
    finally:
        screen.close()


def ask(
    context: typer.Context,
    questions: Annotated[
        list[str],
        typer.Argument(metavar="QUESTION.wav...", help="Recordings; - is standard input."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="ANSWER.wav", help="Keep the spoken answer."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a turn.")] = False,
) -> None:
    """Ask recorded questions, in any common format: the same pipeline, fed from a file.

    It plays each recording as a microphone would hear it, in real time, and prints the transcript,
    the answer and when each stage was done, counted from the end of the question. Several
    recordings make one conversation: [bold]edgebot ask FIRST.wav SECOND.wav[/].
    """
    settings = settings_of(context)
    from edgebot.stages.recording import read_recording, write_wav

    recordings = [
        read_recording(sys.stdin.buffer, "standard input")
        if name == "-"
        else read_recording(Path(name), name)
        for name in questions
    ]
    from edgebot.asking import ask_recordings

    def show(answer: Answer) -> None:
        if as_json:
            out.print_json(json.dumps(answer.describe()), indent=None, highlight=False)
        else:
            show_turn(answer.turn)

    answers = asyncio.run(ask_recordings(settings, recordings, when_note=note, when_answer=show))
    if output is not None:
        write_wav(output, b"".join(answer.audio for answer in answers), answers[0].rate_hz)


def demo(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the answers go.")
    ] = Path("answers"),
) -> None:
    """Ask example questions that its own voice speaks: the main job without a microphone.

    The spoken questions and answers are left as WAV files.
    """
    settings = settings_of(context)
    from edgebot.asking import ask_recordings
    from edgebot.speaking import synthesize
    from edgebot.stages.recording import read_recording, write_wav

    folder = make_folder(output)
    files = [folder / f"question-{n}.wav" for n in range(1, len(EXAMPLE_QUESTIONS) + 1)]
    missing = [(f, q) for f, q in zip(files, EXAMPLE_QUESTIONS, strict=True) if not f.exists()]
    if missing:
        spoken = asyncio.run(synthesize(settings, [question for _, question in missing]))
        for (file, _), (audio, rate_hz) in zip(missing, spoken, strict=True):
            write_wav(file, audio, rate_hz)
    answers = asyncio.run(
        ask_recordings(
            settings,
            [read_recording(file, str(file)) for file in files],
            when_note=note,
            when_answer=lambda answer: show_turn(answer.turn),
        )
    )
    for number, answer in enumerate(answers, start=1):
        write_wav(folder / f"answer-{number}.wav", answer.audio, answer.rate_hz)
    out.print(f"The answers are in [bold]{folder}[/]: listen to answer-1.wav.")


def make_folder(folder: Path) -> Path:
    """Make a folder for files to come."""
    from edgebot.errors import AudioFileError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"The folder {folder} cannot be made: {error.strerror}.") from None
    return folder


def note(text: str) -> None:
    """Print what a person should know."""
    err.print(text, style="yellow", markup=False)


def show_turn(turn: Turn) -> None:
    """Print a question, its answer and the times of the stages."""
    from edgebot.observe.turns import STAGES

    show_line("you", turn.heard)
    show_line("edgebot", turn.said)
    times = [(stage, turn.times_s[stage]) for stage in STAGES if stage in turn.times_s]
    text = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in times)
    out.print(f"after the end of the question: {text}", style="dim", markup=False)


def show_line(who: str, text: str) -> None:
    """Print who said what."""
    out.print(f"[bold]{who:>8}[/]", end="  ")
    out.print(text, markup=False)


def invitation(settings: Settings) -> str:
    """Tell a person how to begin."""
    if settings.wake.mode == "always":
        return "speak"
    button = "press the button" if settings.panel.talk_pin else "press space"
    if settings.wake.mode == "button":
        return f"{button} and speak"
    names = " or ".join(f"“{Path(word).stem.replace('_', ' ')}”" for word in settings.wake.words)
    return f"say {names}, or {button}, and speak"


class Screen:
    """What a person sees while the assistant runs: a status line where there is a terminal."""

    def __init__(self, settings: Settings) -> None:
        self._invitation = invitation(settings)
        self._fault: Fault | None = None
        self._has_invited = self._is_ready = False
        self._status = out.status("starting") if out.is_terminal else None
        if self._status:
            self._status.start()

    def ready(self) -> None:
        """Invite to speak, as soon as nothing is in the way."""
        self._is_ready = True
        self._invite()

    def _invite(self) -> None:
        if self._is_ready and self._fault is None and not self._has_invited:
            self._has_invited = True
            out.print(f"[bold green]ready[/]: {self._invitation}.")

    def state(self, facts: Facts) -> None:
        """Show what it is doing, or what is wrong."""
        self._fault = facts.fault
        self._invite()
        told = f"{facts.state}: {facts.fault}" if facts.fault else str(facts.state)
        if self._status:
            self._status.update(told)
        else:
            out.print(f"({told})", style="dim", markup=False)

    def heard(self, text: str) -> None:
        """Show what it understood."""
        show_line("you", text or "(nothing understood)")

    def said(self, turn: Turn) -> None:
        """Show what it said."""
        if turn.said or turn.interrupted:
            show_line("edgebot", turn.said + (" (interrupted)" if turn.interrupted else ""))

    def close(self) -> None:
        """Clear the status line."""
        if self._status:
            self._status.stop()
