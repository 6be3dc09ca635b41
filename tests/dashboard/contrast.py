"""The colours of the stylesheet, and how well they can be told apart: WCAG 2's contrast ratio."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import tawny.dashboard

STYLESHEET = Path(tawny.dashboard.__file__).with_name("static") / "tawny.css"

TEXT = 4.5
SHAPE = 3.0
"""What WCAG AA asks of text, and of the edges of controls."""

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "warning")
PAIRS = (
    ("text", "page", TEXT),
    ("text", "sunken", TEXT),
    ("muted", "surface", TEXT),
    ("muted", "page", TEXT),
    ("muted", "sunken", TEXT),
    ("accent", "surface", TEXT),
    ("accent", "page", TEXT),
    ("accent", "sunken", TEXT),
    ("on-accent", "accent", TEXT),
    *((status, ground, TEXT) for status in STATUSES for ground in ("surface", "page", "sunken")),
    ("failed", "failed-tint", TEXT),
    ("text", "failed-tint", TEXT),
    ("warning", "warning-tint", TEXT),
    *((status, "selected", TEXT) for status in STATUSES),
    ("control", "surface", SHAPE),
    ("control", "page", SHAPE),
)
"""What is written or drawn on what."""


@dataclass(frozen=True)
class Colour:
    light: str
    dark: str


def colours() -> dict[str, Colour]:
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLESHEET.read_text())
    return {name: Colour(light, dark) for name, light, dark in found}


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def rows() -> list[str]:
    """The table of docs/dashboard.md: each colour, and the worst contrast that it has on anything it stands on."""
    found = colours()
    return [_row(name, colour, found) for name, colour in found.items()]


def _row(name: str, colour: Colour, found: dict[str, Colour]) -> str:
    grounds = [found[ground] for text, ground, _ in PAIRS if text == name]
    light = min((contrast(colour.light, ground.light) for ground in grounds), default=None)
    dark = min((contrast(colour.dark, ground.dark) for ground in grounds), default=None)
    figures = "– | –" if light is None or dark is None else f"{light:.1f} | {dark:.1f}"
    return f"| `{name}` | {colour.light} | {colour.dark} | {figures} |"
