"""Draw docs/lights.svg and the wiring diagrams: `python docs/draw_panel.py`.

The lights are drawn from `edgebot.hw.patterns` itself; a test fails when a picture is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebot.hw.patterns import Colour, Film, Kind, Look, film
from edgebot.state import AssistantState, Fault

HERE = Path(__file__).parent
FONT = "font-family='system-ui, -apple-system, Segoe UI, Roboto, sans-serif'"
INK, SOFT, PAPER, CARD, LINE = "#e8eaed", "#9aa3ad", "#14171c", "#1d2229", "#333a44"
UNLIT = (0x2B, 0x31, 0x3A)

STATE = AssistantState
LOOKS: tuple[tuple[str, str, Look], ...] = (
    ("starting", "models are loaded", Look(STATE.STARTING)),
    ("asleep", "hears only its name", Look(STATE.ASLEEP)),
    ("listening", "speak", Look(STATE.LISTENING)),
    ("thinking", "the answer is on its way", Look(STATE.THINKING)),
    ("speaking", "press to interrupt", Look(STATE.SPEAKING)),
    ("ringing", "tap takes the call, hold refuses", Look(STATE.RINGING)),
    ("in a call", "press to hang up", Look(STATE.CALL, connected=True)),
    ("muted", "the microphone is closed", Look(STATE.MUTED)),
    ("fault", "here 4 blinks: microphone", Look(STATE.FAULT, Fault.MICROPHONE)),
    ("asleep, a timer runs", "one slow swell", Look(STATE.ASLEEP, timer=True)),
    ("asleep, connected", "somebody is connected", Look(STATE.ASLEEP, connected=True)),
    ("listening, connected", "somebody is connected", Look(STATE.LISTENING, connected=True)),
)
KINDS: tuple[tuple[str, Kind, int], ...] = (
    ("one LED", "led", 1),
    ("three LEDs", "three", 3),
    ("RGB LED", "rgb", 1),
    ("APA102, WS2812", "strip", 3),
)
SHOWN_MS = 4000


def hex_of(colour: Colour) -> str:
    """Return a light's colour on a screen: unlit, it is dark grey glass."""
    glow = max(colour)
    red, green, blue = (
        round(value * glow + off * (1 - glow))
        for value, off in zip((255 * c / (glow or 1) for c in colour), UNLIT, strict=True)
    )
    return f"#{red:02x}{green:02x}{blue:02x}"


def spans(moving: Film, light: int) -> Iterator[tuple[int, int, str]]:
    """Yield from when to when, in ms, one light has which colour; equal neighbours are one span."""
    begin_ms, now_ms, colour = 0, 0, ""
    while now_ms < SHOWN_MS:
        picture, change_ms = moving.at(now_ms)
        if (new := hex_of(picture[light])) != colour:
            if colour:
                yield begin_ms, now_ms, colour
            begin_ms, colour = now_ms, new
        now_ms += change_ms or SHOWN_MS
    yield begin_ms, SHOWN_MS, colour


def animated(moving: Film, light: int) -> str:
    """Return what makes a dot do what the light does, for ever."""
    if moving.is_still:
        return ""
    values, times, now_ms = [], [], 0
    for step in moving.steps:
        colour = hex_of(step.picture[light])
        if not values or values[-1] != colour:
            values.append(colour)
            times.append(f"{now_ms / moving.length_ms:.5g}")
        now_ms += step.ms
    return (
        f"<animate attributeName='fill' calcMode='discrete' repeatCount='indefinite' "
        f"dur='{moving.length_ms}ms' values='{';'.join(values)}' keyTimes='{';'.join(times)}'/>"
    )


def text(x: float, y: float, words: str, *, size: int = 13, fill: str = INK, more: str = "") -> str:
    """Return a line of text."""
    return f"<text x='{x}' y='{y}' font-size='{size}' fill='{fill}' {FONT} {more}>{words}</text>"


def page(width: int, height: int, title: str, parts: list[str]) -> str:
    """Return a whole picture."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img'>\n<title>{title}</title>\n"
        f"<rect width='{width}' height='{height}' rx='14' fill='{PAPER}'/>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def draw_lights() -> str:
    """Return the table of what a person sees: moving dots, and four seconds as a bar."""
    left, column, row, top = 200, 196, 54, 62
    width, height = left + column * len(KINDS) + 14, top + row * len(LOOKS) + 34
    parts = []
    for n, (name, _, _) in enumerate(KINDS):
        x = left + n * column
        parts.append(text(x + 10, 38, name, size=14, more="font-weight='600'"))
    for m, (name, words, look) in enumerate(LOOKS):
        y = top + m * row
        parts.append(text(20, y + 20, name, size=14, more="font-weight='600'"))
        parts.append(text(20, y + 37, words, size=12, fill=SOFT))
        for n, (_, kind, count) in enumerate(KINDS):
            parts += cell(left + n * column, y, film(look, kind, count))
    for n in range(len(KINDS)):
        x = left + n * column + 42
        for second in range(0, SHOWN_MS // 1000 + 1):
            more = "text-anchor='middle'"
            words = f"{second}" if second < SHOWN_MS // 1000 else f"{second} s"
            parts.append(text(x + second * 34, height - 16, words, size=11, fill=SOFT, more=more))
    return page(width, height, "What the lights show", parts)


def cell(x: int, y: int, moving: Film) -> list[str]:
    """Return one kind of light in one state."""
    count = len(moving.steps[0].picture)
    parts = [f"<rect x='{x}' y='{y}' width='186' height='46' rx='8' fill='{CARD}'/>"]
    pitch = 13 if count > 1 else 0
    for light in range(count):
        middle = y + 23 + (light - (count - 1) / 2) * pitch
        radius, bar = (5, 9) if count > 1 else (9, 18)
        first = hex_of(moving.at(0)[0][light])
        parts.append(
            f"<circle cx='{x + 20}' cy='{middle}' r='{radius}' fill='{first}' stroke='{LINE}'>"
            f"{animated(moving, light)}</circle>"
        )
        for begin_ms, end_ms, colour in spans(moving, light):
            at, wide = 42 + begin_ms * 0.034, (end_ms - begin_ms) * 0.034
            parts.append(
                f"<rect x='{x + at:.2f}' y='{middle - bar / 2}' width='{wide:.2f}' height='{bar}' "
                f"fill='{colour}' shape-rendering='crispEdges'/>"
            )
    return parts


# Wiring

PITCH, HEADER_X, HEADER_Y = 26, 560, 110
BLACK, COPPER = "#707a86", "#d9a441"


@dataclass(frozen=True)
class Wire:
    """A wire from a pin of the header to a part, bent twice."""

    pin: int
    label: str
    colour: str
    to: tuple[float, float]
    bend_x: float


def pin_at(pin: int) -> tuple[float, float]:
    """Return where a pin of the header is; with the USB ports below, pin 1 is at the top left."""
    return HEADER_X + PITCH * ((pin - 1) % 2), HEADER_Y + PITCH * ((pin - 1) // 2)


def draw_header(used: dict[int, str]) -> list[str]:
    """Return the 40-pin header, its used pins in the colours of their wires."""
    height = PITCH * 20
    parts = [
        f"<rect x='{HEADER_X - 110}' y='{HEADER_Y - 46}' width='214' height='{height + 66}' "
        f"rx='12' fill='#123524' stroke='#1f5a3d'/>",
        f"<rect x='{HEADER_X - 15}' y='{HEADER_Y - 15}' width='{PITCH + 30}' "
        f"height='{height + 4}' rx='4' fill='#0c0e11'/>",
        text(HEADER_X - 98, HEADER_Y + height + 6, "Raspberry Pi", size=13, fill="#8fc7a8"),
    ]
    for pin in range(1, 41):
        x, y = pin_at(pin)
        colour = used.get(pin, "#3a424d")
        shape = f"<circle cx='{x}' cy='{y}' r='7.5' fill='{colour}'/>"
        if pin == 1:
            shape = f"<rect x='{x - 7.5}' y='{y - 7.5}' width='15' height='15' fill='{colour}'/>"
        ink = "#0c0e11" if pin in used else SOFT
        parts += [
            shape,
            text(x, y + 3.5, str(pin), size=9, fill=ink, more="text-anchor='middle'"),
        ]
    return parts


def draw_wire(wire: Wire) -> list[str]:
    """Return a wire and, on the board, its pin's name."""
    x, y = pin_at(wire.pin)
    to_x, to_y = wire.to
    if wire.pin % 2:
        path = f"M{x - 7.5} {y} H{wire.bend_x} V{to_y} H{to_x}"
        name_at, anchor = (HEADER_X - 24, y - 4), "end"
    else:
        path = f"M{x} {y - 7.5} V{HEADER_Y - 32} H{wire.bend_x} V{to_y} H{to_x}"
        name_at, anchor = (HEADER_X + PITCH + 16, y + 4), "start"
    return [
        f"<path d='{path}' fill='none' stroke='{wire.colour}' stroke-width='3' "
        "stroke-linejoin='round'/>",
        text(*name_at, wire.label, size=11, fill=INK, more=f"text-anchor='{anchor}'"),
    ]


def draw_button(x: float, y: float) -> list[str]:
    """Return a push button; its legs are at its right, 26 above and below its middle."""
    return [
        f"<rect x='{x - 44}' y='{y - 40}' width='88' height='80' rx='10' fill='{CARD}' "
        f"stroke='{LINE}'/>",
        f"<circle cx='{x}' cy='{y}' r='22' fill='#c9503c' stroke='#e88a74' stroke-width='2'/>",
        text(x, y + 62, "talk", more="text-anchor='middle'"),
    ]


def draw_resistor(x: float, y: float) -> list[str]:
    """Return a resistor of 330 ohms, 70 wide."""
    bands = "".join(
        f"<rect x='{x + at}' y='{y - 9}' width='6' height='18' fill='{colour}'/>"
        for at, colour in ((14, "#e07b28"), (26, "#e07b28"), (38, "#6b4a2b"), (56, COPPER))
    )
    return [f"<rect x='{x}' y='{y - 9}' width='70' height='18' rx='8' fill='#d8c7a3'/>{bands}"]


def draw_led(x: float, y: float, colour: str, name: str) -> list[str]:
    """Return an LED; its long leg is at its right."""
    return [
        f"<circle cx='{x}' cy='{y}' r='26' fill='{colour}' opacity='0.18'/>",
        f"<circle cx='{x}' cy='{y}' r='15' fill='{colour}' stroke='#ffffff' stroke-opacity='0.5'/>",
        f"<path d='M{x - 9} {y - 13} V{y + 13}' stroke='#14171c' stroke-width='2' opacity='0.6'/>",
        text(x, y - 24, name, size=12, more="text-anchor='middle'"),
    ]


def draw_leds_wiring() -> str:
    """Return a button and three LEDs on the header."""
    red, yellow, green = "#ff4b3e", "#ffcf33", "#43d66b"
    button = (150, 230)
    wires = [
        Wire(9, "ground", BLACK, (194, 204), 400),
        Wire(11, "GPIO17", "#5aa9ff", (194, 256), 425),
    ]
    rows = ((29, "GPIO5", red, 400, 425), (31, "GPIO6", yellow, 480, 410))
    rows += ((33, "GPIO13", green, 560, 425),)
    parts: list[str] = []
    for pin, label, colour, y, bend_x in rows:
        wires.append(Wire(pin, label, colour, (370, y), bend_x))
        parts.append(f"<path d='M300 {y} H80' stroke='{BLACK}' stroke-width='3'/>")
        parts += draw_resistor(300, y)
        parts += draw_led(180, y, colour, {red: "red", yellow: "yellow", green: "green"}[colour])
    rail = f"<path d='M80 400 V624 H440 V{pin_at(39)[1]} H{HEADER_X - 7.5}' fill='none' "
    parts.append(rail + f"stroke='{BLACK}' stroke-width='3' stroke-linejoin='round'/>")
    parts += [
        text(335, 376, "330 Ω", size=12, more="text-anchor='middle'"),
        text(100, 656, "flat side, short leg: to ground", size=12, fill=SOFT),
        text(HEADER_X - 24, pin_at(39)[1] - 4, "ground", size=11, more="text-anchor='end'"),
    ]
    used = {wire.pin: wire.colour for wire in wires} | {39: BLACK}
    title = "A button and three LEDs"
    head = [text(24, 40, title, size=18, more="font-weight='600'")]
    head.append(text(24, 62, 'board = "gpio"', size=13, fill=SOFT))
    drawn = [part for wire in wires for part in draw_wire(wire)]
    whole = [*head, *draw_header(used), *drawn, *parts, *draw_button(*button)]
    return page(690, 690, title, whole)


def draw_strip_wiring() -> str:
    """Return a button and three addressable lights on the header."""
    button = (150, 230)
    wires = [
        Wire(2, "5V", "#ff6b5e", (60, 370), 34),
        Wire(9, "ground", BLACK, (194, 204), 405),
        Wire(11, "GPIO17", "#5aa9ff", (194, 256), 425),
        Wire(19, "GPIO10", "#43d66b", (300, 410), 400),
        Wire(23, "GPIO11", "#ffcf33", (300, 450), 415),
        Wire(25, "ground", BLACK, (300, 490), 430),
    ]
    parts = [
        f"<rect x='60' y='340' width='240' height='180' rx='12' fill='{CARD}' stroke='{LINE}'/>",
        text(60, 326, "APA102, or WS2812 without the clock", size=13),
        text(
            24, 580, "The arrows on a strip point away from the Raspberry Pi.", size=12, fill=SOFT
        ),
        text(24, 600, "More than eight lights want a supply of their own;", size=12, fill=SOFT),
        text(24, 618, "join its ground with the Raspberry Pi's.", size=12, fill=SOFT),
    ]
    parts.append(text(72, 374, "5V", size=12))
    for y, name in ((410, "data"), (450, "clock"), (490, "ground")):
        parts.append(text(288, y + 4, name, size=12, more="text-anchor='end'"))
    for n, colour in enumerate(("#ff2fd0", "#0a84ff", "#0a84ff")):
        x = 96 + 52 * n
        parts.append(f"<rect x='{x - 20}' y='420' width='40' height='40' rx='5' fill='#f4f5f7'/>")
        parts.append(f"<circle cx='{x}' cy='440' r='15' fill='{colour}'/>")
        parts.append(f"<circle cx='{x}' cy='440' r='24' fill='{colour}' opacity='0.18'/>")
    used = {wire.pin: wire.colour for wire in wires}
    title = "A button and addressable lights"
    head = [text(24, 40, title, size=18, more="font-weight='600'")]
    head.append(text(24, 62, 'kind = "apa102", pins = [10, 11]', size=13, fill=SOFT))
    drawn = [part for wire in wires for part in draw_wire(wire)]
    whole = [*head, *draw_header(used), *drawn, *parts, *draw_button(*button)]
    return page(690, 690, title, whole)


PICTURES = {
    "lights.svg": draw_lights,
    "wiring-leds.svg": draw_leds_wiring,
    "wiring-strip.svg": draw_strip_wiring,
}

if __name__ == "__main__":
    for file, draw in PICTURES.items():
        (HERE / file).write_text(draw(), encoding="utf-8")
