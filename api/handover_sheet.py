"""The list for shift hand-over on paper, in Chinese or English. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from facility.clock import from_ms
from facility.config import Site
from facility.points import Label
from facility.words import DRILL_STATES, IMPAIRMENT_STATES
from rules.drills.drills import Drill
from rules.drills.impairments import Impairment, ImpairmentState
from rules.drills.scope import Scope

WORDS: dict[str, Label] = {
    "title": Label("交接班清单：演习与设施停用", "Shift hand-over: drills and impairments"),
    "at": Label("时间", "At"),
    "overdue": Label("超期", "Overdue"),
    "rounds": Label("巡查到期", "Rounds due"),
    "drills": Label("演习", "Drills"),
    "impairments": Label("停用的设施", "Out of action"),
    "restored": Label("24小时内恢复", "Restored in the last 24 hours"),
    "what": Label("内容", "What"),
    "scope": Label("范围", "Scope"),
    "state": Label("状态", "State"),
    "until": Label("截止", "Until"),
    "owner": Label("负责人", "Owner"),
    "measures": Label("补偿措施与巡查", "Measures and rounds"),
    "none": Label("无", "None"),
    "site": Label("全部设备", "The whole site"),
    "every": Label("每 {n} 分钟巡查，下次 {at}，漏 {missed} 次", "round every {n} min, next at {at}, {missed} missed"),
    "signed": Label("交班签字 __________　接班签字 __________", "Handed over __________  Taken over __________"),
}  # fmt: skip
_STYLE = """
body{font:13px/1.45 "Noto Sans CJK SC","Microsoft YaHei",system-ui,sans-serif;color:#111;margin:24px}
h1{font-size:20px;margin:0 0 4px}h2{font-size:15px;margin:18px 0 6px}table{border-collapse:collapse;width:100%}
th,td{border:1px solid #999;padding:4px 6px;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#eee}
tr{break-inside:avoid}tr.late{background:#fbe3e3;font-weight:700}.sign{margin-top:40px}small{color:#444}
@page{size:A4 landscape;margin:12mm}
"""


@dataclass(frozen=True, slots=True)
class Handover:
    """What stands at an instant (ms UTC): drills, impairments (the earliest expiry first), those restored lately."""

    at: int
    drills: Sequence[Drill]
    impairments: Sequence[Impairment]
    restored: Sequence[Impairment]

    @property
    def overdue(self) -> int:
        """How many should be in action again."""
        return sum(self.is_late(item) for item in self.impairments)

    @property
    def rounds_due(self) -> int:
        """How many rounds somebody should be on."""
        return sum(item.is_round_due(self.at) for item in self.impairments)

    def is_late(self, item: Impairment) -> bool:
        """Whether it should be in action again."""
        return item.lasts and (item.state is ImpairmentState.OVERDUE or item.expires_at <= self.at)


def as_html(found: Handover, site: Site, language: str) -> str:
    """A whole page, without scripts."""
    tongue = "zh-CN" if language == "zh" else "en"
    title = escape(f"{site.label.to(language)} · {_word('title', language)}")
    counts = f"{_word('overdue', language)}: {found.overdue} · {_word('rounds', language)}: {found.rounds_due}"
    drills = [
        ("", [item.name, item.reason, _scope(item.scope, site, language), DRILL_STATES[item.state.value].to(language),
              f"{_local(item.from_at, site)} – {_local(item.until_at, site)}", item.declared_by, ""])
        for item in found.drills
    ]  # fmt: skip
    parts = [
        (_word("impairments", language), [_row(found, item, site, language) for item in found.impairments]),
        (_word("drills", language), drills),
        (_word("restored", language), [_row(found, item, site, language) for item in found.restored]),
    ]
    body = "".join(f"<h2>{escape(name)}</h2>{_table(rows, language)}" for name, rows in parts)
    return (
        f'<!doctype html><html lang="{tongue}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{_word('at', language)} {_local(found.at, site)} · {counts}</p>{body}"
        f'<p class="sign">{escape(_word("signed", language))}</p></body></html>'
    )


def _row(found: Handover, item: Impairment, site: Site, language: str) -> tuple[str, list[str]]:
    late = found.is_late(item)
    state = ImpairmentState.OVERDUE.value if late else item.state.value
    rounds = ""
    if item.round_due is not None:
        every = _word("every", language)
        rounds = every.format(n=item.rounds_every, at=_local(item.round_due, site), missed=item.missed)
    cells = [
        item.what,
        item.reason,
        _scope(item.scope, site, language),
        IMPAIRMENT_STATES[state].to(language),
        _local(item.expires_at, site),
        item.owner,
        " · ".join(part for part in (item.measures, rounds) if part),
    ]
    return ("late" if late else ""), cells


def _table(rows: Sequence[tuple[str, list[str]]], language: str) -> str:
    if not rows:
        return f"<p>{escape(_word('none', language))}</p>"
    names = ("what", "scope", "state", "until", "owner", "measures")
    head = "".join(f"<th>{escape(_word(name, language))}</th>" for name in names)
    body = "".join(
        f'<tr class="{look}"><td>{escape(what)}<br><small>{escape(why)}</small></td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for look, (what, why, *cells) in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _scope(scope: Scope, site: Site, language: str) -> str:
    places = [site.locations[name].label.to(language) if name in site.locations else name for name in scope.locations]
    assets = [
        f"{name} {site.assets[name].label.to(language)}" if name in site.assets else name for name in scope.assets
    ]
    zones = [f"{panel}: {', '.join(map(str, numbers))}" for panel, numbers in scope.zones.items()]
    whole = [_word("site", language)] if scope.site else []
    return "; ".join([*whole, *places, *scope.classes, *assets, *zones])


def _local(at: int, site: Site) -> str:
    found: datetime = from_ms(at).astimezone(ZoneInfo(site.time_zone))
    return found.strftime("%Y-%m-%d %H:%M")


def _word(key: str, language: str) -> str:
    return WORDS[key].to(language)
