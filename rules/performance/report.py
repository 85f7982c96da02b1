"""The month's report on the alarm system as a page that prints: plain HTML, nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from facility.points import Label
from facility.words import SEVERITIES
from rules.performance.actors import LEAST as LEAST_RAISES
from rules.performance.actors import SHARE, bad_actors
from rules.performance.months import Month
from rules.performance.tally import DAY, Key, Measured, Often, Standing
from rules.performance.targets import VERDICTS, Kpi, Verdict, judged

ENOUGH = 28 * DAY
"""The shortest month is enough for a month's report."""

WORDS = {
    "title": Label("报警系统月报", "Alarm system report"),
    "watched": Label("统计 {days:.1f} 天，共 {raises} 条报警", "{days:.1f} days counted, {raises} alarms"),
    "short": Label(
        "统计时间不足整月，平均值和占比不作评价。", "Less than the month was watched: means and shares are not judged."
    ),
    "verdict": Label("{within} 项达标，{over} 项超标", "{within} within target, {over} over"),
    "figures": Label("指标", "Figures"),
    "figure": Label("指标", "Figure"),
    "value": Label("数值", "Value"),
    "target": Label("目标", "Target"),
    "judgement": Label("评价", "Verdict"),
    "basis": Label("依据", "Basis"),
    "top": Label("最频繁的十种报警", "The ten most frequent alarms"),
    "chattering": Label("频繁动作的报警", "Chattering alarms"),
    "actors": Label("需整改的报警与工单", "Bad actors and their tickets"),
    "actors_are": Label(
        "当月发生不少于 {least} 次且占比超过 {share:g}%，或频繁动作的报警，各开一张维护工单。",
        "Raised {least} times at least with a share above {share:g} %, or chattering: one maintenance ticket each.",
    ),
    "people": Label("确认用时（按人员）", "Time to acknowledge, by person"),
    "alarm": Label("报警", "Alarm"),
    "asset": Label("设备", "Asset"),
    "severity": Label("级别", "Severity"),
    "raises": Label("次数", "Times"),
    "share": Label("占比", "Share"),
    "episodes": Label("频繁（阵）", "Chattering"),
    "fleeting": Label("瞬时", "Fleeting"),
    "ticket": Label("工单", "Ticket"),
    "who": Label("人员", "Person"),
    "answered": Label("确认数", "Acknowledged"),
    "shelved": Label("搁置数", "Shelved"),
    "p50": Label("中位数", "p50"),
    "p95": Label("95%", "p95"),
    "seconds": Label("秒", "s"),
    "none": Label("无", "none"),
    "rest": Label(
        "“当前”各项为生成本页时的情况。历史补传的报警、演习中的报警、试运行规则的报警不计入。",
        "What stands “now” is as it was when this page was made. Alarms from replayed history, of drills and of rules "
        "on trial do not count.",
    ),
}

STYLE = """
:root{color-scheme:light}body{font:14px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:#1b2530;
max-width:60rem;margin:2rem auto;padding:0 1.5rem}h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem;
border-bottom:2px solid #1b2530;padding-bottom:.2rem}p{margin:.3rem 0}.sub{color:#55636f}.sum{font-size:1.15rem;
font-weight:600;margin-top:.8rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;
border-bottom:1px solid #d5dbe0;vertical-align:top}th{color:#55636f;font-weight:600}td.n,th.n{text-align:right;
font-variant-numeric:tabular-nums;white-space:nowrap}.over{color:#b3261e;font-weight:700}.over::before{content:"▲ "}
.within{color:#1a6e3c}.within::before{content:"✓ "}.not_enough,.none{color:#6b7780}.code{font-family:ui-monospace,
monospace;font-size:.85em}tr{break-inside:avoid}@page{size:A4;margin:15mm}@media print{body{margin:0;padding:0}
h2{break-after:avoid}}
"""


LEAST_SHOWN = 0.01
"""Smaller numbers are shown by their first digit."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a month's page is made of. `assets`: names by id; `titles`: of the alarms; `tickets`: of the bad actors."""

    site: Label
    month: Month
    measured: Measured
    standing: Standing
    assets: Mapping[str, Label]
    titles: Mapping[Key, Label]
    tickets: Mapping[Key, str]

    @property
    def kpis(self) -> list[Kpi]:
        """The figures, judged over the month."""
        return judged(self.measured, self.standing, least=ENOUGH)


def page(report: Report, language: str) -> str:
    """The whole page in one language (zh or en)."""
    writer = _Writer(report, language)
    parts = [writer.head(), writer.figures()]
    parts.append(writer.often("actors", bad_actors(report.measured), tickets=True))
    parts.append(writer.often("top", report.measured.top))
    parts.append(writer.often("chattering", report.measured.chattering))
    parts.append(writer.people())
    title = f"{report.site.to(language)} · {writer.say('title')} {report.month}"
    lang = "zh-CN" if language == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title>"
        f"<style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}<p class=sub>{writer.say('rest')}</p></body></html>\n"
    )


class _Writer:
    def __init__(self, report: Report, language: str) -> None:
        self._report, self._language = report, language

    def say(self, key: str, **fill: object) -> str:
        return escape(WORDS[key].to(self._language).format(**fill))

    def head(self) -> str:
        report, measured = self._report, self._report.measured
        kpis = report.kpis
        count = {verdict: sum(kpi.verdict is verdict for kpi in kpis) for verdict in Verdict}
        short = f"<p class=sub>{self.say('short')}</p>" if measured.span < ENOUGH else ""
        return (
            f"<h1>{escape(report.site.to(self._language))} · {self.say('title')} {report.month}</h1>"
            f"<p class=sub>{self.say('watched', days=measured.span / DAY, raises=measured.raises)}</p>"
            f"<p class=sum>{self.say('verdict', within=count[Verdict.WITHIN], over=count[Verdict.OVER])}</p>{short}"
        )

    def figures(self) -> str:
        rows = [
            (
                escape(kpi.target.label.to(self._language)),
                _number(kpi.value, kpi.target.unit.to(self._language)),
                _target(kpi, self._language),
                f'<span class="{kpi.verdict}">{escape(VERDICTS[kpi.verdict].to(self._language))}</span>',
                escape(kpi.target.basis.to(self._language)) if kpi.target.words else "",
            )
            for kpi in self._report.kpis
        ]
        return self._table("figures", ("figure", "value", "target", "judgement", "basis"), rows, numbers={1, 2})

    def often(self, heading: str, items: Sequence[Often], *, tickets: bool = False) -> str:
        report, language = self._report, self._language
        rows = []
        for item in items:
            rule, _, asset = item.key
            name = report.assets.get(asset, Label("", "")).to(language)
            severity = SEVERITIES.get(item.severity)
            row = [
                escape(report.titles.get(item.key, Label(rule, rule)).to(language)),
                f"<span class=code>{escape(asset)}</span> {escape(name)}",
                escape(severity.to(language)) if severity else "",
                str(item.raises),
                f"{item.share:.1f} %",
                str(item.chattering),
                str(item.fleeting),
            ]
            if tickets:
                row.append(f"<span class=code>{escape(report.tickets.get(item.key, '—'))}</span>")
            rows.append(tuple(row))
        columns = ("alarm", "asset", "severity", "raises", "share", "episodes", "fleeting")
        note = f"<p class=sub>{self.say('actors_are', least=LEAST_RAISES, share=SHARE)}</p>" if tickets else ""
        numbers = {3, 4, 5, 6}
        return self._table(heading, (*columns, "ticket") if tickets else columns, rows, numbers=numbers, note=note)

    def people(self) -> str:
        rows = [
            (escape(who), str(answers.count), self._seconds(answers.p50), self._seconds(answers.p95), str(shelved))
            for who, (answers, shelved) in self._report.measured.people.items()
        ]
        heads = [self.say("who"), self.say("answered"), self.say("p50"), self.say("p95"), self.say("shelved")]
        return self._table("people", heads, rows, numbers={1, 2, 3, 4}, said=True)

    def _seconds(self, ms: int | None) -> str:
        return "—" if ms is None else f"{ms / 1000:.0f} {self.say('seconds')}"

    def _table(
        self,
        heading: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        numbers: set[int],
        note: str = "",
        said: bool = False,
    ) -> str:
        """`columns` are keys of WORDS, or texts as they are (`said`)."""

        def cell(tag: str, place: int, text: str) -> str:
            return f"<{tag}{' class=n' if place in numbers else ''}>{text}</{tag}>"

        heads = "".join(cell("th", n, name if said else self.say(name)) for n, name in enumerate(columns))
        body = "".join(f"<tr>{''.join(cell('td', n, text) for n, text in enumerate(row))}</tr>" for row in rows)
        inner = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>" if body else ""
        nothing = f"<p>{self.say('none')}</p>"
        return f"<h2>{self.say(heading)}</h2>{note}{inner or nothing}"


def _number(value: float | int | None, unit: str) -> str:
    if value is None:
        return "—"
    if isinstance(value, int):
        text = str(value)
    elif 0 < value < LEAST_SHOWN:
        text = f"{value:.1g}"  # a little is not nothing
    else:
        text = f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{text} {escape(unit)}".strip()


def _target(kpi: Kpi, language: str) -> str:
    """What it should be; with the sign of per cent, without which a share can't be told from a number."""
    unit = kpi.target.unit.to(language)
    return escape(f"{kpi.target.words} %" if kpi.target.words and unit == "%" else kpi.target.words)
