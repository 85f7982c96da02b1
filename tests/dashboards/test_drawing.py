"""The pictures of the boards say what the panels say: titles, units, words, silences, and that they are no Grafana."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from dashboards import panels
from dashboards.board import laid_out
from dashboards.infinity import ApiReadings
from dashboards.panels import Json
from facility.points import Kind, Label, Point, State
from scripts.panel_drawing import View, page

T0 = 1_790_000_000_000
HOUR = 3_600_000
SPEED = Point("car.speed", Kind.ANALOG, Label("速度", "Speed <i>"), "m/s")
DOOR = Point("door.car.state", Kind.ENUM, Label("轿门", "Door"), states={1: State(1, "fault", Label("故障", "Faulty"))})


def drawn(panel: Json, rows: list[Json], language: str = "en") -> str:
    """A page of one panel over three hours."""
    board = {"title": "Lifts & more", "panels": laid_out([panel])}
    view = View(T0, T0 + 3 * HOUR, ZoneInfo("Asia/Shanghai"), language)
    return page(board, {1: rows}, [{"time": T0 + HOUR}], view, chosen="EL-01").text


def plot(values: dict[int, float | None]) -> str:
    """A plot of one measurement: minute -> value."""
    panel = panels.timeseries("Speed", [ApiReadings().over_time("elevator", [SPEED], "en")], unit="m/s")
    return drawn(panel, [{"Time": T0 + 60_000 * minute, "Speed <i>": value} for minute, value in values.items()])


def test_a_plot_has_its_title_units_newest_value_and_marks() -> None:
    text = plot({0: 0.0, 5: None, 10: 2.5})
    assert "<h2>Speed</h2>" in text
    assert "Lifts &amp; more" in text
    assert "Speed &lt;i&gt;<b>2.5 m/s</b>" in text
    assert "stroke-dasharray" in text


@pytest.mark.parametrize(("minute", "strokes"), [(10, 1), (15, 1), (16, 2)])
def test_a_silence_breaks_the_line(minute: int, strokes: int) -> None:
    (path,) = [re.findall(r'<path d="(M[^"]*)" fill="none"', plot({0: 1.0, minute: 2.0}))]
    assert len(path) == strokes


def test_states_are_bands_in_words_and_colours() -> None:
    target = ApiReadings().over_time("elevator", [DOOR], "zh")
    panel = panels.state_timeline("状态", [target], [DOOR], "zh")
    rows = [{"Time": T0 + 60_000 * minute, "轿门": 1.0} for minute in (0, 10, 60, 70)]
    text = drawn(panel, rows, "zh")
    assert text.count('fill="#e02f44" fill-opacity') == 2
    assert "故障" in text
    assert "不是 Grafana 截图" in text


def test_a_panel_without_rows_says_so() -> None:
    assert "No data" in drawn(panels.table("Alarms", [ApiReadings().over_time("elevator", [SPEED], "en")]), [])
