"""How good the alarm system is over the board's own span: the figures with their verdicts, and the ten worst alarms."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards import panels, tables
from dashboards.infinity import SPAN
from dashboards.panels import Json
from facility.points import Label

VERDICT = Label("评价", "Verdict")
FIGURES: tuple[tables.Column, ...] = (
    ("{l}", Label("指标", "Figure"), "string"),
    ("value", Label("数值", "Value"), "number"),
    ("unit_{l}", Label("单位", "Unit"), "string"),
    ("target", Label("目标", "Target"), "string"),
    ("verdict_{l}", VERDICT, "string"),
    ("basis_{l}", Label("依据", "Basis"), "string"),
)
OFTEN: tuple[tables.Column, ...] = (
    ("raises", Label("次数", "Times"), "number"),
    ("share", Label("占比 %", "Share %"), "number"),
    ("asset", Label("设备", "Asset"), "string"),
    ("{l}", Label("报警", "Alarm"), "string"),
    ("severity", tables.SEVERITY, "number"),
    ("chattering", Label("频繁（阵）", "Chattering"), "number"),
    ("fleeting", Label("瞬时", "Fleeting"), "number"),
)
COLOURS = (("达标", "within", "green"), ("超标", "over", "orange"), ("数据不足", "not enough data", "text"))


def alarm_quality(language: str) -> Iterator[Json]:
    """Rates, floods, standing and stale alarms, time to acknowledge in one table; the top ten in another."""
    figures = tables.listing(
        Label("报警系统指标", "How good the alarm system is"),
        f"/api/v1/alarms/kpis/figures?{SPAN}",
        FIGURES,
        language,
        width=13,
    )
    figures["gridPos"]["h"] = 16
    yield _verdicts(figures, language)
    top = tables.listing(
        Label("最频繁的十种报警", "The ten most frequent alarms"),
        f"/api/v1/alarms/kpis/top?{SPAN}",
        OFTEN,
        language,
        width=11,
    )
    top["gridPos"]["h"] = 16
    yield top


def _verdicts(panel: Json, language: str) -> Json:
    """The same panel with its verdicts coloured."""
    options = {
        (zh if language == "zh" else en): {"color": colour, "index": index}
        for index, (zh, en, colour) in enumerate(COLOURS)
    }
    panels.worded(panel, VERDICT.to(language), {})
    override = panel["fieldConfig"]["overrides"][-1]
    override["properties"] = [
        {"id": "mappings", "value": [{"type": "value", "options": options}]},
        {"id": "custom.cellOptions", "value": {"type": "color-text"}},
    ]
    return panel
