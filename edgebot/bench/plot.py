"""A picture of a report: a row for each question, a colour for each stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

from edgebot.bench.stamps import FIRST_SOUND, STAGES

# Light enough for black letters, and apart for those who see no red or green.
COLOURS = ("#cbd5e1", "#94a3b8", "#7dd3fc", "#fde68a", "#fdba74", "#c4b5fd", "#4ade80")
WIDTH, LEFT, RIGHT, TOP, ROW = 960, 330, 30, 70, 22
_LETTERS = 44


def draw(report: dict[str, Any]) -> str:
    """Return the turns of a report as SVG."""
    turns = report["turns"]
    rows = [row for row in turns["questions"] if FIRST_SOUND in row["times_s"]]
    most_s = max((max(row["times_s"].values()) for row in rows), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / max(most_s, 0.1)
    height = TOP + ROW * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(10, 20, "Seconds from the end of a question to each stage", size=15),
        *_legend(row["times_s"] for row in rows),
    ]
    for number, row in enumerate(rows):
        parts += _row(TOP + ROW * number, row, scale)
    parts += _axis(most_s, scale, height - 40)
    median_s = turns["stages"].get(FIRST_SOUND, {}).get("p50")
    if median_s is not None:
        x = LEFT + median_s * scale
        parts.append(_line(x, TOP - 8, x, height - 40, "#111827", dash=True))
    return "\n".join([*parts, "</svg>", ""])


def _legend(all_times: Iterable[dict[str, float]]) -> list[str]:
    shown = {stage for times in all_times for stage in times}
    parts, x = [], 10.0
    for stage, colour in zip(STAGES, COLOURS, strict=True):
        if stage in shown:
            parts.append(f'<rect x="{x:.0f}" y="34" width="12" height="12" fill="{colour}"/>')
            parts.append(_text(x + 17, 44, stage))
            x += 40 + 7 * len(stage)
    return parts


def _row(y: int, row: dict[str, Any], scale: float) -> list[str]:
    question = str(row["question"])
    if len(question) > _LETTERS:
        question = f"{question[: _LETTERS - 1]}…"
    parts = [_text(10, y + 14, question)]
    before_s = 0.0
    for stage, time_s in sorted(row["times_s"].items(), key=lambda item: item[1]):
        colour = COLOURS[STAGES.index(stage)]
        x, width = LEFT + before_s * scale, max(time_s - before_s, 0.0) * scale
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{ROW - 8}" '
            f'fill="{colour}"/>'
        )
        before_s = max(before_s, time_s)
    return parts


def _axis(most_s: float, scale: float, y: float) -> list[str]:
    step_s = next(step for step in _STEPS if most_s / step <= 10)
    parts = [_line(LEFT, y, WIDTH - RIGHT, y, "#9ca3af")]
    for number in range(int(most_s / step_s) + 1):
        x = LEFT + number * step_s * scale
        parts.append(_line(x, y, x, y + 5, "#9ca3af"))
        parts.append(_text(x - 8, y + 20, f"{number * step_s:.1f}"))
    return parts


_STEPS: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)


def _text(x: float, y: float, text: str, *, size: int = 12) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: bool = False) -> str:
    dashes = ' stroke-dasharray="5 4"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashes}/>'
    )
