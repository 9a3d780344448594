"""Several observers as one."""

from __future__ import annotations

from pipecat.frames.frames import Frame, TextFrame
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameDirection

from edgebot.observe.together import Together


class Watcher:
    """Writes down what it is shown."""

    def __init__(self, name: str, seen: list[tuple[str, Frame]]) -> None:
        self._name = name
        self._seen = seen

    def note(self, frame: Frame) -> None:
        self._seen.append((self._name, frame))


async def test_all_are_shown_each_frame_in_their_order() -> None:
    seen: list[tuple[str, Frame]] = []
    together = Together(Watcher("first", seen), Watcher("second", seen))
    stage, frame = IdentityFilter(), TextFrame("a")
    await together.on_push_frame(
        FramePushed(
            source=stage,
            destination=stage,
            frame=frame,
            direction=FrameDirection.DOWNSTREAM,
            timestamp=0,
        )
    )
    assert seen == [("first", frame), ("second", frame)]


def test_a_frame_is_seen_once_however_many_stages_it_passes() -> None:
    assert not Together().observe_every_push
