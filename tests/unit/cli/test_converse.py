"""What run, ask and demo print."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebot.cli.converse import Screen, make_folder, note, show_turn
from edgebot.errors import AudioFileError
from edgebot.observe.turns import Turn
from edgebot.state import Facts, Fault


def test_a_turn_is_shown_with_its_times(capsys: pytest.CaptureFixture[str]) -> None:
    times = {"first sound": 1.256, "transcript": 0.25}
    show_turn(Turn("What [b]?", "It [/] is.", times_s=times))
    assert capsys.readouterr().out.splitlines() == [
        "     you  What [b]?",
        " edgebot  It [/] is.",
        "after the end of the question: transcript 0.25 s, first sound 1.26 s",
    ]


def test_the_screen_tells_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.state(Facts(started=True, awake=True))
    screen.state(Facts(started=True, faults=frozenset({Fault.SPEAKER})))
    screen.heard("What?")
    screen.heard("")
    screen.said(Turn("What?", "It is."))
    screen.said(Turn("What?", "It", interrupted=True))
    screen.said(Turn("What?", ""))
    screen.close()
    assert capsys.readouterr().out.splitlines() == [
        "(listening)",
        "(fault: speaker)",
        "     you  What?",
        "     you  (nothing understood)",
        " edgebot  It is.",
        " edgebot  It (interrupted)",
    ]


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
