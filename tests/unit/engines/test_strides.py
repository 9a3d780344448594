"""What is written is handed on at once as long as somebody waits for it, and then in strides."""

from __future__ import annotations

from collections.abc import Iterator

from edgebot.engines.strides import AT_ONCE_CHARS, STRIDE_S, strides

WORD = "word "
SOON = AT_ONCE_CHARS // len(WORD)


def written(seconds: list[float]) -> list[list[str]]:
    """Return what is yielded of words each of which takes so many seconds."""
    now_s = 0.0

    def words() -> Iterator[str]:
        nonlocal now_s
        for taken_s in seconds:
            now_s += taken_s
            yield WORD

    return list(strides(words(), clock=lambda: now_s))


def test_the_first_words_come_one_by_one() -> None:
    assert written([0.001] * SOON) == [[WORD]] * SOON


def test_later_words_come_together_as_long_as_a_stride() -> None:
    found = written([STRIDE_S / 4] * (SOON + 10))
    assert found[:SOON] == [[WORD]] * SOON
    assert [len(words) for words in found[SOON:]] == [4, 4, 2]


def test_a_slow_writer_is_not_waited_for() -> None:
    assert written([2 * STRIDE_S] * (SOON + 5)) == [[WORD]] * (SOON + 5)


def test_what_is_left_at_the_end_is_not_lost() -> None:
    found = written([STRIDE_S / 8] * (SOON + 3))
    assert found[SOON:] == [[WORD] * 3]
    assert written([]) == []
