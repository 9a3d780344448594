"""The link to the page as a code that a telephone's camera reads."""

from __future__ import annotations

import io

import segno


def qr_code(link: str) -> str:
    """Return a QR code in half blocks, for a terminal."""
    drawn = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(out=drawn, compact=True, border=2)
    return drawn.getvalue()
