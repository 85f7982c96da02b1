"""How good the alarm system is, for managers: five figures to be read in one look, then all of them, and who and what.

A page is read once and stands; only the frame around it goes on. Another span is another address.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from nicegui import ui

from api.auth import Action
from api.console.frame import Frame
from api.console.marks import Text, box, link, severity_mark
from api.console.visitor import Visitor
from facility.errors import StoreError
from facility.points import Label
from rules.performance.months import Month
from rules.performance.names import title_of, titles
from rules.performance.reading import TooMuchError
from rules.performance.tally import DAY, HOUR, Key, Measured, Often, Standing
from rules.performance.targets import LEAST, VERDICTS, Kpi, judged

DAYS = (1, 7, 30, 90, 365)
USUAL = 30
CARDS = ("per_ten_mean", "flood_share", "stale_most", "top_share", "acknowledge_p50")
"""What a manager looks at first."""

WORDS = {
    "span": Label("统计时间", "Period"),
    "days": Label("{n} 天", "{n} d"),
    "counted": Label("实际统计 {span}，共 {raises} 条报警", "{span} counted, {raises} alarms"),
    "in_days": Label("{n:.1f} 天", "{n:.1f} days"),
    "in_hours": Label("{n:.1f} 小时", "{n:.1f} hours"),
    "short": Label("不足30天：平均值和占比暂不评价。", "Less than 30 days: means and shares are not judged yet."),
    "report": Label("{month} 月报", "Report {month}"),
    "sheet": Label("下载表格", "Sheet (CSV)"),
    "target": Label("目标 {target}", "target {target}"),
    "all": Label("全部指标", "All figures"),
    "top": Label("最频繁的十种报警", "The ten most frequent alarms"),
    "people": Label("确认用时（按人员）", "Time to acknowledge, by person"),
    "nothing": Label("此时段没有报警", "No alarms in this period"),
    "nobody": Label("此时段没有人确认报警", "Nobody acknowledged an alarm in this period"),
    "figure": Label("指标", "Figure"),
    "value": Label("数值", "Value"),
    "aim": Label("目标", "Target"),
    "verdict": Label("评价", "Verdict"),
    "basis": Label("依据", "Basis"),
    "who": Label("人员", "Person"),
    "count": Label("确认数", "Acknowledged"),
    "half": Label("中位数", "p50"),
    "most": Label("95%", "p95"),
    "shelved": Label("搁置数", "Shelved"),
    "too_much": Label("此时段记录过多，请选择较短的时间", "Too many records: choose a shorter period"),
    "times": Label("{n} 次", "{n} times"),
    "chattering": Label("频繁 {n} 阵", "chattering {n}"),
    "fleeting": Label("瞬时 {n}", "fleeting {n}"),
}


async def performance_page(visitor: Visitor, days: int) -> None:
    """Build the page over so many days up to now."""
    frame = Frame(visitor, "performance")
    with box("performance", "main"):
        if not visitor.may(Action.PERFORMANCE):
            Text("empty", visitor.say("forbidden"))
        else:
            await _Page(visitor, days if days in DAYS else USUAL).build()
    await frame.start(lambda: None)


class _Page:
    def __init__(self, visitor: Visitor, days: int) -> None:
        self._visitor, self._days = visitor, days

    def _say(self, key: str, **fill: object) -> str:
        return self._visitor.to(WORDS[key]).format(**fill)

    async def build(self) -> None:
        deps = self._visitor.deps
        now = deps.clock.ms()
        self._choice(now)
        try:
            zone = ZoneInfo(deps.site.time_zone)
            measured, standing = await deps.performance.of(deps.site.id, zone, now - self._days * DAY, now)
            named = await titles(deps.records, deps.site.id, [item.key for item in measured.top])
        except StoreError:
            Text("empty", self._visitor.say("try_again"))
            return
        except TooMuchError:
            Text("empty", self._say("too_much"))
            return
        self._figures(measured, standing, named)

    def _choice(self, now: int) -> None:
        visitor, month = self._visitor, Month.of(now, ZoneInfo(self._visitor.deps.site.time_zone)).before
        with box("top"):
            with box("choice", "nav"):
                ui.label(self._say("span")).classes("heading")
                for days in DAYS:
                    with link(f"button {'here' if days == self._days else ''}", f"/console/performance?days={days}"):
                        ui.label(self._say("days", n=days))
            with box("files"):
                with link("button", f"/api/v1/alarms/reports/{month}?language={visitor.language}"):
                    ui.label(self._say("report", month=month))
                with link("button", f"/api/v1/alarms/kpis?format=csv&start={now - self._days * DAY}&end={now}"):
                    ui.label(self._say("sheet"))

    def _figures(self, measured: Measured, standing: Standing, named: dict[Key, Label]) -> None:
        kpis = judged(measured, standing)
        whole = measured.span >= 2 * DAY
        span = self._say(
            "in_days" if whole else "in_hours", n=measured.span / (DAY if whole else HOUR)
        )  # fmt: skip
        words = self._say("counted", span=span, raises=measured.raises)
        Text("counted", words if measured.span >= LEAST else f"{words} · {self._say('short')}")
        by_code = {kpi.target.code: kpi for kpi in kpis}
        with box("cards"):
            for code in CARDS:
                self._card(by_code[code])
        with box("columns"):
            with box("panel figures"):
                ui.label(self._say("all")).classes("heading")
                self._table(kpis)
            with box("side"):
                with box("panel often"):
                    ui.label(self._say("top")).classes("heading")
                    self._top(measured.top, named)
                with box("panel people"):
                    ui.label(self._say("people")).classes("heading")
                    self._people(measured)

    def _card(self, kpi: Kpi) -> None:
        visitor = self._visitor
        with box(f"card {kpi.verdict}") as element:
            Text("name", visitor.to(kpi.target.label))
            with box("figure"):
                Text("number", _number(kpi.value))
                Text("unit", visitor.to(kpi.target.unit))
            verdict = visitor.to(VERDICTS[kpi.verdict])
            Text(
                "verdict",
                f"{verdict} · {self._say('target', target=kpi.target.words)}" if kpi.target.words else verdict,
            )
        element.props["data-kpi"] = kpi.target.code

    def _table(self, kpis: Sequence[Kpi]) -> None:
        visitor = self._visitor
        with box("rows", "table"):
            _line("th", [self._say(key) for key in ("figure", "value", "aim", "verdict", "basis")])
            for kpi in kpis:
                value = f"{_number(kpi.value)} {visitor.to(kpi.target.unit)}" if kpi.value is not None else "—"
                basis = visitor.to(kpi.target.basis) if kpi.target.words else ""
                verdict = visitor.to(VERDICTS[kpi.verdict])
                row = [visitor.to(kpi.target.label), value, kpi.target.words, verdict, basis]
                _line("td", row, look=str(kpi.verdict))

    def _top(self, top: Sequence[Often], named: dict[Key, Label]) -> None:
        visitor = self._visitor
        if not top:
            Text("empty", self._say("nothing"))
        for item in top:
            asset = item.key[2]
            with link("bad", f"/console/assets/{asset}"):
                with box("first"):
                    severity_mark(item.severity, visitor.language, word=False)
                    Text("id", asset)
                    Text("name", visitor.to(title_of(item.key, named)))
                    Text("number", f"{self._say('times', n=item.raises)} · {item.share:.0f} %")
                with box("share"):
                    box("part").style(f"width:{max(1.0, item.share):.1f}%")
                habits = [("chattering", item.chattering), ("fleeting", item.fleeting)]
                Text("habit", " · ".join(self._say(key, n=number) for key, number in habits if number))

    def _people(self, measured: Measured) -> None:
        if not measured.people:
            Text("empty", self._say("nobody"))
            return
        with box("rows", "table"):
            _line("th", [self._say(key) for key in ("who", "count", "half", "most", "shelved")])
            for who, (answers, shelved) in measured.people.items():
                spans = [_span(answers.p50), _span(answers.p95)]
                _line("td", [who, str(answers.count), *spans, str(shelved)])


def _line(tag: str, cells: Sequence[str], *, look: str = "") -> None:
    with box(look, "tr"):
        for cell in cells:
            with box("", tag):
                ui.label(cell)


def _number(value: float | int | None) -> str:
    if value is None:
        return "—"
    return str(value) if isinstance(value, int) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _span(ms: int | None) -> str:
    return "—" if ms is None else f"{ms / 1000:.0f} s"
