"""Just enough SVG: text, lines and bars, on axes of numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, Literal

INK: Final = "#24292f"
FAINT: Final = "#d0d7de"
MUTED: Final = "#57606a"

Anchor = Literal["start", "middle", "end"]


@dataclass(slots=True)
class Drawing:
    """An SVG that grows by elements."""

    width: int
    height: int
    elements: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 12,
        anchor: Anchor = "start",
        color: str = INK,
        bold: bool = False,
    ) -> None:
        """Write a line of text; `y` is its baseline."""
        weight = ' font-weight="600"' if bold else ""
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
            f' fill="{color}"{weight}>{escape(text)}</text>'
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        color: str,
        *,
        width: float = 1,
        dashes: str = "",
    ) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        stroke = f'stroke="{color}" stroke-width="{width}"{dashed}'
        self.elements.append(f'<polyline points="{path}" fill="none" {stroke}/>')

    def bar(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Fill a rectangle."""
        self.elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0.5):.1f}"'
            f' rx="2" fill="{color}"/>'
        )

    def svg(self) -> str:
        """Return the whole document."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' width="{self.width}" height="{self.height}"'
            ' font-family="Helvetica, Arial, sans-serif">'
        )
        ground = f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>'
        return "\n".join([head, ground, *self.elements, "</svg>"]) + "\n"


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a drawing with a title and an upward scale; the plot's box is inside it."""

    drawing: Drawing
    left: float
    top: float
    width: float
    height: float

    def title(self, text: str, subtitle: str) -> None:
        """Write what the panel shows, and in which unit."""
        self.drawing.text(self.left, self.top - 30, text, size=15, bold=True)
        self.drawing.text(self.left, self.top - 13, subtitle, color=MUTED)

    def scale(
        self, ticks: Sequence[float], show: Callable[[float], str], *, logarithmic: bool = False
    ) -> Callable[[float], float]:
        """Draw the scale, and return where on the drawing a value lies."""
        low, high = ticks[0], ticks[-1]

        def share(value: float) -> float:
            if not logarithmic:
                return (value - low) / (high - low)
            return math.log(max(value, low) / low) / math.log(high / low)

        def place(value: float) -> float:
            return self.top + self.height * (1 - share(value))

        for tick in ticks:
            y = place(tick)
            self.drawing.line([(self.left, y), (self.left + self.width, y)], FAINT)
            self.drawing.text(self.left - 6, y + 4, show(tick), size=11, anchor="end", color=MUTED)
        return place

    def legend(self, names: Sequence[tuple[str, str]]) -> None:
        """Name the colors below the plot."""
        x, y = self.left, self.top + self.height + 42
        for name, color in names:
            self.drawing.bar(x, y - 9, 10, 10, color)
            self.drawing.text(x + 15, y, name, color=MUTED)
            x += 30 + 6.4 * len(name)


def round_ticks(highest: float, number: int = 5) -> list[float]:
    """Return ticks from 0 to at least `highest`, at 1, 2 or 5 times a power of ten."""
    rough = highest / number
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [step * index for index in range(math.ceil(highest / step) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Return the powers of ten from at most `low` to at least `high`."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]
