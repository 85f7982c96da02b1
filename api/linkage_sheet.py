"""A linkage run on paper: as a table for spreadsheets and as a page to print, in Chinese or English. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from facility.clock import from_ms
from facility.config import Site
from facility.points import Label
from rules.linkage.ledger import Link
from rules.linkage.run import EffectRecord, Run, Seen, Text
from rules.linkage.verdicts import WORDS

WORDS_OF: dict[str, Label] = {
    "title": Label("消防联动核查记录", "Fire linkage record"),
    "panel": Label("控制器", "Panel"),
    "zone": Label("防区", "Zone"),
    "t0": Label("确认时刻 T0", "Confirmed, T0"),
    "ended": Label("结束", "Ended"),
    "mode": Label("类别", "Kind"),
    "real": Label("实际火警", "real"),
    "drill": Label("演练", "drill"),
    "test": Label("测试", "test"),
    "reset": Label("主机复位", "panel reset"),
    "settled": Label("全部判定完毕", "all decided"),
    "live": Label("进行中", "going on"),
    "effect": Label("联动效果", "Effect"),
    "verdict": Label("结论", "Verdict"),
    "limit": Label("时限 (s)", "Limit (s)"),
    "command": Label("命令 (s)", "Command (s)"),
    "feedback": Label("反馈 (s)", "Feedback (s)"),
    "basis": Label("依据", "Basis"),
    "evidence": Label("证据", "Evidence"),
    "action": Label("人工处置", "By hand"),
    "notes": Label("说明", "Notes"),
    "always": Label("全程", "all the time"),
    "signed": Label("签字", "Signature"),
    "mark": Label("校验值", "Hash"),
    "no_notes": Label("无", "none"),
}
_STYLE = """
body{font:13px/1.45 "Noto Sans CJK SC","Microsoft YaHei",system-ui,sans-serif;color:#111;margin:24px}
h1{font-size:20px;margin:0 0 8px}dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0 0 14px}
dt{color:#555}dd{margin:0}table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:4px 6px;
text-align:left;vertical-align:top}th{background:#eee}tr{break-inside:avoid}td.n{text-align:right;white-space:nowrap}
.failed,.unknown{font-weight:700}.failed{background:#fbe3e3}.weak,.late,.unknown{background:#fdf3d8}
small{color:#444;overflow-wrap:anywhere}.sign{margin-top:36px}code{font-size:11px;overflow-wrap:anywhere}
@page{size:A4 landscape;margin:12mm}
"""
_RISKY = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would take a cell that begins so for a formula."""


def word(key: str, language: str) -> str:
    """A word of the sheet."""
    return WORDS_OF[key].to(language)


def as_csv(run: Run, notes: Iterable[Link], site: Site, language: str) -> str:
    """One line an effect, after them one a note."""
    out = io.StringIO()
    writer = csv.writer(out)
    heads = ("effect", "verdict", "limit", "command", "feedback", "basis", "evidence", "action")
    writer.writerow([word("zone", language), word("t0", language), "#", *(word(head, language) for head in heads)])
    t0 = _local(run.t0, site).isoformat()
    for effect in run.effects:
        cells = [_to(run.zone_label, language), t0, effect.number, *_cells(run, effect, language)]
        writer.writerow([_safe(cell) for cell in (*cells, _evidence(run, effect, site), _to(effect.action, language))])
    for note in notes:
        row = [word("notes", language), _local(note.at, site).isoformat(), "", note.author, note.body]
        writer.writerow([_safe(cell) for cell in row])
    return out.getvalue()


def as_html(run: Run, links: Iterable[Link], site: Site, language: str) -> str:
    """A whole page. `links` are those of the chain that concern the run."""
    links = list(links)
    tongue = "zh-CN" if language == "zh" else "en"
    title = f"{word('title', language)} {run.id}"
    rows = "".join(_row(run, effect, site, language) for effect in run.effects)
    heads = ("effect", "verdict", "limit", "command", "feedback", "basis", "evidence")
    head = "".join(f"<th>{escape(word(key, language))}</th>" for key in heads)
    notes = "".join(
        f"<li>{_local(link.at, site):%Y-%m-%d %H:%M:%S} {escape(link.author)}: {escape(link.body)}</li>"
        for link in links
        if link.kind == "note"
    )
    marks = "".join(f"<li>{escape(link.kind)} <code>{escape(link.hash)}</code></li>" for link in links)
    none, going = (f"<li>{escape(word(key, language))}</li>" for key in ("no_notes", "live"))
    return (
        f'<!doctype html><html lang="{tongue}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><dl>{_head(run, site, language)}</dl>"
        f"<table><thead><tr><th>#</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"<h2>{escape(word('notes', language))}</h2><ul>{notes or none}</ul>"
        f"<h2>{escape(word('mark', language))}</h2><ul>{marks or going}</ul>"
        f'<p class="sign">{escape(word("signed", language))}: ____________________</p></body></html>'
    )


def end_words(run: Run, site: Site, language: str) -> str:
    """When and why a run was over, or that it is not."""
    if run.ended_at is None:
        return word("live", language)
    return f"{_local(run.ended_at, site):%Y-%m-%d %H:%M:%S} ({word(run.end, language)})"


def since(run: Run, at: int | None) -> str:
    """An instant as seconds from T0; a dash where there is none."""
    return "–" if at is None else f"{(at - run.t0) / 1000:.1f}"


def limit_words(run: Run, effect: EffectRecord, language: str) -> str:
    """What an effect may take."""
    if effect.reason:
        return "–"
    return word("always", language) if effect.continuous else f"{(effect.limit - run.t0) / 1000:g}"


def seen_words(run: Run, seen: Seen, site: Site) -> str:
    """One piece of evidence: where, what, since when, and the readings."""
    held = "–" if seen.held_at is None else f"{_local(seen.held_at, site):%H:%M:%S}"
    facts = ", ".join(
        f"{key} = {_value(value)} [{quality} {_local(at, site):%H:%M:%S}]" if at else f"{key} = – [{quality}]"
        for key, (value, quality, at) in seen.facts.items()
    )
    return f"{seen.asset or run.panel} {seen.text} @ {held}: {facts}"


def _head(run: Run, site: Site, language: str) -> str:
    pairs = (
        (site.label.to(language), site.id),
        (word("panel", language), run.panel),
        (word("zone", language), f"{run.zone} {_to(run.zone_label, language)}"),
        (word("t0", language), f"{_local(run.t0, site):%Y-%m-%d %H:%M:%S}"),
        (word("ended", language), end_words(run, site, language)),
        (word("mode", language), word(run.mode, language)),
    )
    return "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in pairs)


def _row(run: Run, effect: EffectRecord, site: Site, language: str) -> str:
    label, verdict, limit, command, feedback, basis = _cells(run, effect, language)
    why = f"<br><small>{escape(_to(effect.reason, language))}</small>" if effect.reason else ""
    evidence = "<br>".join(escape(seen_words(run, seen, site)) for seen in effect.terms)
    numbers = "".join(f'<td class="n">{escape(cell)}</td>' for cell in (limit, command, feedback))
    return (
        f'<tr class="{effect.verdict.value}"><td class="n">L{effect.number}</td><td>{escape(label)}{why}</td>'
        f"<td>{escape(verdict)}</td>{numbers}<td>{escape(basis)}</td><td><small>{evidence}</small></td></tr>"
    )


def _cells(run: Run, effect: EffectRecord, language: str) -> tuple[str, ...]:
    return (
        _to(effect.label, language),
        WORDS[effect.verdict].to(language),
        limit_words(run, effect, language),
        since(run, effect.t_command),
        since(run, effect.t_feedback),
        effect.basis,
    )


def _evidence(run: Run, effect: EffectRecord, site: Site) -> str:
    return "; ".join(seen_words(run, seen, site) for seen in effect.terms)


def _to(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en


def _local(at: int, site: Site) -> datetime:
    return from_ms(at).astimezone(ZoneInfo(site.time_zone))


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _safe(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_RISKY) else text
