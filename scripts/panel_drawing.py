"""Draws the panels of a built board as one HTML page, dark like Grafana, from rows that the API gave.

It knows the panel types and the few options that dashboards/panels.py writes, and nothing else of Grafana: it shows
what a board asks and says, it is not Grafana. Pure: rows in, text out.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.panels import GAP_MS, Json, unit_of
from facility.units import UNITS, symbol

LINE, MARGIN, PAD = 38, 8, 16
"""Height of a grid line and the gap between panels, as Grafana has them; space around the page."""
SERIES = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#c8f2c2")
NAMED = {
    "red": "#e02f44", "orange": "#ff780a", "yellow": "#e0b400", "green": "#37872d", "blue": "#3274d9",
    "light-blue": "#5794f2", "dark-blue": "#1f60c4", "super-light-blue": "#8ab8ff", "semi-dark-blue": "#2a69cf",
    "purple": "#8f3bb8",
}  # fmt: skip
GREY, GRID = "#9a9ba4", "#2a2d33"
SYMBOLS = {unit_of(code): symbol(code) for code in UNITS}

STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: #111217; color: #ccccdc; font: 13px "DejaVu Sans", "Noto Sans CJK SC", sans-serif; }
h1 { position: absolute; left: 16px; top: 12px; margin: 0; font-size: 19px; font-weight: 500; }
.chosen { position: absolute; right: 16px; top: 12px; padding: 5px 12px; background: #181b1f;
  border: 1px solid #2a2d33; border-radius: 3px; }
.panel { position: absolute; background: #181b1f; border: 1px solid #25272c; border-radius: 3px; overflow: hidden;
  display: flex; flex-direction: column; }
.panel > h2 { margin: 0; padding: 9px 12px 6px; font-size: 14px; font-weight: 600; flex: none; }
.row { position: absolute; font-size: 15px; font-weight: 600; padding-top: 9px; }
.legend { display: grid; grid-template-columns: 1fr 1fr; column-gap: 28px; padding: 0 14px 9px; font-size: 12px; }
.legend div { display: flex; align-items: center; gap: 7px; line-height: 18px; }
.legend i { width: 14px; height: 4px; border-radius: 2px; }
.legend b { margin-left: auto; font-weight: 400; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th { text-align: left; color: #6e9fff; font-weight: 600; } th, td { padding: 6px 10px; white-space: nowrap;
  border-bottom: 1px solid #25272c; max-width: 330px; overflow: hidden; text-overflow: ellipsis; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.empty { margin: auto; color: #9a9ba4; font-size: 15px; }
.stats { flex: 1; display: flex; flex-wrap: wrap; align-items: center; justify-content: space-around; }
.stats div { text-align: center; padding: 0 12px; } .stats b { display: block; font-size: 26px; font-weight: 500;
  color: #73bf69; }
footer { position: absolute; left: 16px; color: #9a9ba4; font-size: 12px; }
"""


@dataclass(frozen=True, slots=True)
class View:
    """What the reader looks at: [start, end) in ms, in a time zone, and how wide the page is in pixels."""

    start: int
    end: int
    zone: ZoneInfo
    language: str
    width: int = 1600


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page and its height in pixels."""

    text: str
    height: int


def page(board: Json, rows: Mapping[int, Sequence[Json]], marks: Sequence[Json], view: View, *, chosen: str) -> Drawn:
    """The page of a board. `rows`: panel id -> rows under the columns' headings; panels without are left out.

    `marks`: rows with `time` (ms), drawn on every plot. `chosen`: the name of the asset.
    """
    parts = [f"<h1>{html.escape(board['title'])}</h1>"]
    if chosen:
        parts.append(f'<div class="chosen">{html.escape(chosen)}</div>')
    bottom = 0
    for panel in board["panels"]:
        if panel["type"] != "row" and panel["id"] not in rows:
            continue
        parts.append(_placed(panel, rows.get(panel["id"], ()), marks, view))
        bottom = max(bottom, panel["gridPos"]["y"] + panel["gridPos"]["h"])
    foot = 52 + bottom * LINE
    caption = (
        "由 scripts/pictures.py 用演示系统的数据按看板定义绘制，不是 Grafana 截图。"
        if view.language == "zh"
        else "The board's panels, drawn by scripts/pictures.py from the running demonstration; not Grafana itself."
    )
    parts.append(f'<footer style="top:{foot + 6}px">{caption}</footer>')
    head = f'<!doctype html><html lang="{view.language}"><meta charset="utf-8"><style>{STYLE}</style>'
    return Drawn(head + "".join(parts), foot + 36)


def _placed(panel: Json, rows: Sequence[Json], marks: Sequence[Json], view: View) -> str:
    place = panel["gridPos"]
    column = (view.width - 2 * PAD + MARGIN) / 24
    left, top = PAD + place["x"] * column, 52 + place["y"] * LINE
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        arrow = "›" if panel["collapsed"] else "⌄"
        return f'<div class="row" style="left:{left}px;top:{top}px">{arrow}&nbsp; {title}</div>'
    width, height = place["w"] * column - MARGIN, place["h"] * LINE - MARGIN
    draw = {"timeseries": _plot, "state-timeline": _bands, "stat": _stat, "table": _table}[panel["type"]]
    inside = draw(panel, rows, marks, view, size=(width, height - 34)) if rows else _nothing(view)
    box = f"left:{left:.0f}px;top:{top}px;width:{width:.0f}px;height:{height}px"
    return f'<div class="panel" style="{box}"><h2>{title}</h2>{inside}</div>'


def _nothing(view: View) -> str:
    return f'<div class="empty">{"无数据" if view.language == "zh" else "No data"}</div>'


def _names(panel: Json) -> list[str]:
    """The headings of a panel's series."""
    return [column["text"] for column in panel["targets"][0]["columns"] if column["text"] != "Time"]


def _plot(panel: Json, rows: Sequence[Json], marks: Sequence[Json], view: View, *, size: tuple[float, float]) -> str:
    names = _names(panel)
    suffix = _suffix(panel["fieldConfig"]["defaults"].get("unit", "none"))
    legend = -(-len(names) // 2) * 18 + 9
    width, height = size[0], size[1] - legend
    values = [row[name] for row in rows for name in names if row[name] is not None]
    if not values:
        return _nothing(view)
    whole = panel["fieldConfig"]["defaults"].get("decimals") == 0
    low, high, step = _scale(min(values), max(values), least=1.0 if whole else 0.0)
    left, bottom, top = 70.0, height - 24, 6.0

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = [_time_axis(view, left, width - 12, (top, bottom))]
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        parts.append(
            f'<line x1="{left}" x2="{width - 12:.0f}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{GRID}"/>'
        )
        label = html.escape(f"{_short(value, step)}{suffix}")
        parts.append(
            f'<text x="{left - 8}" y="{y(value) + 4:.1f}" fill="{GREY}" font-size="11" text-anchor="end">{label}</text>'
        )
    parts += _marks(marks, view, left, width - 12, (top, bottom))
    entries = []
    single = ' style="grid-template-columns: 1fr"' if len(names) == 1 else ""
    for name, colour in zip(names, SERIES * 4, strict=False):
        spots = [(row["Time"], row[name]) for row in rows if row[name] is not None]
        for path in _paths([(_x(at, view, left, width - 12), y(value), at) for at, value in spots]):
            parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        last = _number(spots[-1][1]) + suffix if spots else "–"
        entries.append(f'<div><i style="background:{colour}"></i>{html.escape(name)}<b>{html.escape(last)}</b></div>')
    return _svg(width, height, parts) + f'<div class="legend"{single}>{"".join(entries)}</div>'


def _bands(panel: Json, rows: Sequence[Json], marks: Sequence[Json], view: View, *, size: tuple[float, float]) -> str:
    names = _names(panel)
    width, height = size
    left, top, bottom = 190.0, 4.0, height - 26
    band = (bottom - top) / len(names)
    parts = [_time_axis(view, left, width - 12, (top, bottom))]
    for number, name in enumerate(names):
        y = top + number * band
        parts.append(
            f'<text x="{left - 10}" y="{y + band / 2 + 4:.1f}" fill="#ccccdc" font-size="12" text-anchor="end">'
            f"{html.escape(name)}</text>"
        )
        words = _words(panel, name)
        for begin, end, value in _stretches(rows, name, view):
            text, colour = words.get(str(round(value)), (_number(value), "blue"))
            x, right = _x(begin, view, left, width - 12), _x(end, view, left, width - 12)
            parts.append(
                f'<rect x="{x:.1f}" y="{y + band * 0.05:.1f}" width="{max(1.0, right - x):.1f}" '
                f'height="{band * 0.9:.1f}" fill="{NAMED.get(colour, colour)}" fill-opacity="0.75" stroke="#181b1f"/>'
            )
            if right - x > 12 + 9 * len(text):
                parts.append(
                    f'<text x="{x + 6:.1f}" y="{y + band / 2 + 4:.1f}" fill="#fff" font-size="11">'
                    f"{html.escape(text)}</text>"
                )
    parts += _marks(marks, view, left, width - 12, (top, bottom))
    return _svg(width, height, parts)


def _stat(panel: Json, rows: Sequence[Json], marks: Sequence[Json], view: View, *, size: tuple[float, float]) -> str:
    del marks, view, size
    shown = []
    for name in _names(panel):
        found = [row[name] for row in rows if row[name] is not None]
        value = found[-1] if found else None
        text = "–" if value is None else value if isinstance(value, str) else _number(value)
        unit = _property(panel, name, "unit")
        shown.append(f"<div>{html.escape(name)}<b>{html.escape(text)}{html.escape(_suffix(unit or 'none'))}</b></div>")
    return f'<div class="stats">{"".join(shown)}</div>'


def _table(panel: Json, rows: Sequence[Json], marks: Sequence[Json], view: View, *, size: tuple[float, float]) -> str:
    del marks
    columns = panel["targets"][0]["columns"]
    head = "".join(f"<th>{html.escape(column['text'])}</th>" for column in columns)
    body = []
    for row in rows[: max(1, int((size[1] - 30) / 28))]:
        cells = [_cell(panel, column, row[column["text"]], view) for column in columns]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div><table><tr>{head}</tr>{''.join(body)}</table></div>"


def _cell(panel: Json, column: Json, value: object, view: View) -> str:
    if value is None:
        return "<td></td>"
    if column["type"] == "timestamp":
        at = datetime.fromisoformat(str(value)).astimezone(view.zone)
        return f"<td>{at:%Y-%m-%d %H:%M:%S}</td>"
    words = _words(panel, column["text"]).get(str(value))
    style = f' style="background:{NAMED[words[1]]};color:#fff"' if words and words[1] else ""
    plain = str(value).lower() if isinstance(value, bool) else str(value)
    text = (words and words[0]) or (_number(value) if isinstance(value, float) else plain)
    kind = ' class="n"' if column["type"] == "number" else ""
    return f"<td{kind}{style}>{html.escape(text)}</td>"


def _words(panel: Json, name: str) -> dict[str, tuple[str, str]]:
    """Value -> (text, colour) of a series' mappings."""
    found = _property(panel, name, "mappings") or []
    return {
        value: (option.get("text", value), option.get("color", ""))
        for mapping in found
        for value, option in mapping["options"].items()
    }


def _property(panel: Json, name: str, wanted: str) -> Any:
    for item in panel["fieldConfig"]["overrides"]:
        if item["matcher"]["options"] == name:
            for held in item["properties"]:
                if held["id"] == wanted:
                    return held["value"]
    return None


def _stretches(rows: Sequence[Json], name: str, view: View) -> list[tuple[int, int, float]]:
    """(from, to, value): equal neighbours are one; a value holds until the next, but not over a long silence."""
    found: list[tuple[int, int, float]] = []
    heard = 0
    for at, value in ((row["Time"], row[name]) for row in rows if row[name] is not None):
        if found and at - heard <= GAP_MS:
            found[-1] = (found[-1][0], at, found[-1][2])
        if not found or at - heard > GAP_MS or found[-1][2] != value:
            found.append((at, at, value))
        heard = at
    if found and view.end - heard <= GAP_MS:
        found[-1] = (found[-1][0], view.end, found[-1][2])
    return found


def _paths(spots: Sequence[tuple[float, float, int]]) -> list[str]:
    """Steps through (x, y, ms), broken where there is a long silence."""
    paths: list[str] = []
    before = None
    for x, y, at in spots:
        if before is None or at - before > GAP_MS:
            paths.append(f"M{x:.1f} {y:.1f}")
        else:
            paths[-1] += f"H{x:.1f}V{y:.1f}"
        before = at
    return paths


def _x(at: int, view: View, left: float, right: float) -> float:
    part = (at - view.start) / (view.end - view.start)
    return left + min(1.0, max(0.0, part)) * (right - left)


def _time_axis(view: View, left: float, right: float, span: tuple[float, float]) -> str:
    seconds = (view.end - view.start) / 1000
    step = next(step for step in (5, 10, 15, 30, 60, 300, 900, 3600, 86_400) if seconds / step <= 9) * 1000
    parts = []
    for at in range(-(-view.start // step) * step, view.end, step):
        x = _x(at, view, left, right)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{span[0]}" y2="{span[1]:.1f}" stroke="{GRID}"/>')
        if right - x < 20:  # its label would be cut off by the panel's edge
            continue
        text = f"{datetime.fromtimestamp(at / 1000, view.zone):%H:%M:%S}"
        parts.append(
            f'<text x="{x:.1f}" y="{span[1] + 16:.1f}" fill="{GREY}" font-size="11" text-anchor="middle">{text}</text>'
        )
    return "".join(parts)


def _marks(marks: Sequence[Json], view: View, left: float, right: float, span: tuple[float, float]) -> list[str]:
    """A dashed red line for each annotation."""
    return [
        f'<path d="M{x:.1f} {span[0]}V{span[1]:.1f}" stroke="#e02f44" stroke-dasharray="4 3"/>'
        f'<path d="M{x - 4:.1f} {span[1] + 5:.1f}h8l-4 -5z" fill="#e02f44"/>'
        for x in (_x(mark["time"], view, left, right) for mark in marks)
    ]


def _scale(low: float, high: float, *, least: float) -> tuple[float, float, float]:
    """(lowest line, highest line, step) that look round and hold all values."""
    span = high - low or abs(high) * 0.2 or 1.0
    size = 10.0 ** math.floor(math.log10(span / 4))
    step = max(least, next(nice * size for nice in (1, 2, 5, 10) if nice * size >= span / 4))
    first = step * math.floor(low / step)
    return first, first + step * max(1, math.ceil((high - first) / step)), step


def _short(value: float, step: float) -> str:
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2 if step >= 0.01 else 3
    return f"{value:.{digits}f}".replace("-0.0", "0.0") if digits else f"{value:.0f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def _suffix(unit: str) -> str:
    text = unit.removeprefix("suffix: ") if unit.startswith("suffix: ") else SYMBOLS.get(unit, "")
    return f" {text}" if text else ""


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return f'<svg width="{width:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'
