"""What run, ask and demo print."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.cli.converse import Screen, invitation, make_folder, note, show_turn
from edgebot.config import Settings, load_settings
from edgebot.errors import AudioFileError
from edgebot.observe.turns import Turn
from edgebot.state import Facts, Fault


def settings_of(*flags: str) -> Settings:
    return load_settings(file=Path("/dev/null"), flags=flags, environment={})


def test_a_turn_is_shown_with_its_times(capsys: pytest.CaptureFixture[str]) -> None:
    times = {"first sound": 1.256, "transcript": 0.25}
    show_turn(Turn("What [b]?", "It [/] is.", times_s=times))
    assert capsys.readouterr().out.splitlines() == [
        "     you  What [b]?",
        " edgebot  It [/] is.",
        "after the end of the question: transcript 0.25 s, first sound 1.26 s",
    ]


def test_the_screen_tells_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(settings_of("wake.mode=always"))
    screen.ready()
    screen.state(Facts(started=True, awake=True))
    screen.state(Facts(started=True, faults=frozenset({Fault.SPEAKER})))
    screen.heard("What?")
    screen.heard("")
    screen.said(Turn("What?", "It is."))
    screen.said(Turn("What?", "It", interrupted=True))
    screen.said(Turn("What?", ""))
    screen.close()
    assert capsys.readouterr().out.splitlines() == [
        "ready: speak.",
        "(listening)",
        "(fault: speaker)",
        "     you  What?",
        "     you  (nothing understood)",
        " edgebot  It is.",
        " edgebot  It (interrupted)",
    ]


def test_nobody_is_invited_while_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(settings_of("wake.mode=always"))
    screen.state(Facts(started=True, faults=frozenset({Fault.MICROPHONE})))
    screen.ready()
    screen.state(Facts(started=True, awake=True))
    screen.state(Facts(started=True, awake=True))
    assert capsys.readouterr().out.splitlines() == [
        "(fault: microphone)",
        "ready: speak.",
        "(listening)",
        "(listening)",
    ]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["wake.mode=always"], "speak"),
        ([], "say “hey jarvis”, or press space, and speak"),
        (
            ["wake.words=['alexa', '/a/okay_nabu.json']", "panel.talk_pin=17"],
            "say “alexa” or “okay nabu”, or press the button, and speak",
        ),
        (["wake.mode=button"], "press space and speak"),
        (["wake.mode=button", "panel.talk_pin=17"], "press the button and speak"),
    ],
)
def test_an_invitation(flags: list[str], told: str) -> None:
    assert invitation(settings_of(*flags)) == told


def test_a_note_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    note("[b]Words[/] leave this device.")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "[b]Words[/] leave this device.\n")


def test_a_folder_is_made_where_it_can_be(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path).is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioFileError, match="cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "b")
