"""The results in one picture: cold start, warm handler, policy size, monthly cost."""

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.drawing import INK, MUTED, Drawing, Panel, decades, round_ticks
from benchmarks.results import Cell, Section, Table

COLORS: Final = {
    "no-op": "#8c959f",
    "Keyscope": "#0969da",
    "typical": "#bc4c00",
    "typical, no .pyc": "#f5a67a",
}
BUDGET_BYTES: Final = 8_192
"""Of a policy."""

_WIDTH, _HEIGHT = 1_120, 840
_LEFT, _RIGHT = 80, 640
_UPPER, _LOWER = 90, 490
_PANEL_WIDTH, _PANEL_HEIGHT = 440, 250


def plot(sections: Mapping[str, Section]) -> str:
    """Return an SVG of what was measured; a panel without figures stays away."""
    tables = {table.name: table for section in sections.values() for table in section.tables}
    drawing = Drawing(_WIDTH, _HEIGHT)
    drawing.text(_LEFT, 34, "What Keyscope costs", size=20, bold=True)

    def panel(left: int, top: int) -> Panel:
        return Panel(drawing, left, top + 20, _PANEL_WIDTH, _PANEL_HEIGHT)

    if "cold_cpu" in tables:
        _cold(panel(_LEFT, _UPPER), tables["cold_cpu"])
    if "handler" in tables:
        _handler(panel(_RIGHT, _UPPER), tables["handler"])
    if "apps" in tables:
        _apps(panel(_LEFT, _LOWER), tables["apps"])
    if "cost" in tables:
        _cost(panel(_RIGHT, _LOWER), tables["cost"])
    return drawing.svg()


def _cold(panel: Panel, table: Table) -> None:
    panel.title("Cold start, AWS over TLS", "CPU ms from process start, median")
    groups = {
        until: {str(row[0]): _number(row[2]) for row in table.rows if row[1] == until}
        for until in dict.fromkeys(str(row[1]) for row in table.rows)
    }
    _grouped(panel, groups)


def _handler(panel: Panel, table: Table) -> None:
    panel.title("Warm handler, record cached", "CPU microseconds for one answer, median")
    groups = {
        credential: {
            name: _number(row[3])
            for name in COLORS
            for row in table.rows
            if row[:3] == (name, credential, "record cached")
        }
        for credential in ("Basic", "JWT")
    }
    _grouped(panel, groups)


def _apps(panel: Panel, table: Table) -> None:
    panel.title("Policy of an account's key", "bytes, by the number of its apps")
    counts = [_number(row[0]) for row in table.rows]
    made = [_number(row[1]) for row in table.rows]
    listing = [_number(row[2]) for row in table.rows]
    place = panel.scale(decades(min(made), max(listing)), _short, logarithmic=True)

    def across(position: int) -> float:
        return panel.left + 20 + (panel.width - 40) * position / max(1, len(counts) - 1)

    for position, count in enumerate(counts):
        panel.drawing.text(
            across(position),
            panel.top + panel.height + 18,
            _short(count),
            size=11,
            anchor="middle",
            color=MUTED,
        )
    budget = place(BUDGET_BYTES)
    edges = [(panel.left, budget), (panel.left + panel.width, budget)]
    panel.drawing.line(edges, INK, dashes="4 4")
    panel.drawing.text(
        panel.left + panel.width, budget + 14, "budget, 8 KB", size=11, anchor="end", color=INK
    )
    for values, color in ((listing, COLORS["typical"]), (made, COLORS["Keyscope"])):
        points = [(across(position), place(value)) for position, value in enumerate(values)]
        panel.drawing.line(points, color, width=2.5)
    panel.legend(
        [("Keyscope", COLORS["Keyscope"]), ("a policy that names each app", COLORS["typical"])]
    )


def _cost(panel: Panel, table: Table) -> None:
    panel.title("Cost of a month", "US dollars, us-east-1, by requests a month")
    names = ("authorization", "HTTP API's own", "REST API's own")
    places = [table.columns.index(name) for name in names]
    colors = ("#0969da", "#8c959f", "#57606a")
    groups = {
        f"{_short(_number(row[0]))} requests": {
            name: _number(row[place]) for name, place in zip(names, places, strict=True)
        }
        for row in table.rows
    }
    _grouped(panel, groups, dict(zip(names, colors, strict=True)), logarithmic=True, show=_dollars)


def _grouped(
    panel: Panel,
    groups: Mapping[str, Mapping[str, float]],
    colors: Mapping[str, str] = COLORS,
    *,
    logarithmic: bool = False,
    show: Callable[[float], str] | None = None,
) -> None:
    """Draw a group of bars for each name, with each bar's value above it."""
    show = show or _short
    values = [value for group in groups.values() for value in group.values()]
    ticks = decades(min(values) / 2, max(values)) if logarithmic else round_ticks(max(values))
    place = panel.scale(ticks, show, logarithmic=logarithmic)
    bottom = panel.top + panel.height
    group_width = panel.width / len(groups)
    for index, (name, group) in enumerate(groups.items()):
        center = panel.left + group_width * (index + 0.5)
        panel.drawing.text(center, bottom + 18, name, anchor="middle")
        width = min(36.0, group_width * 0.84 / len(group))
        for position, (bar, value) in enumerate(group.items()):
            x = center + (position - len(group) / 2) * width
            y = place(value)
            panel.drawing.bar(x + 1.5, y, width - 3, bottom - y, colors[bar])
            panel.drawing.text(x + width / 2, y - 4, show(value), size=10, anchor="middle")
    present = dict.fromkeys(bar for group in groups.values() for bar in group)
    panel.legend([(bar, colors[bar]) for bar in present])


def _short(value: float) -> str:
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / size:.3g} {letter}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits


def _dollars(value: float) -> str:
    return f"${_short(value)}".replace(" ", "")


def _number(cell: Cell) -> float:
    if not isinstance(cell, int | float):
        message = f"{cell!r} is no number"
        raise TypeError(message)
    return float(cell)
