"""A back-test as a table for people, in Chinese or English, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from facility.duration import spoken
from facility.points import Label
from rules.trial.compare import Change, Comparison, Pair, Tally

SHOWN = 30
"""Alarms that differ and are listed, the newest."""
_COLUMNS = (
    Label("旧", "old"), Label("新", "new"), Label("新增", "added"), Label("消失", "removed"), Label("更早", "earlier"),
    Label("更晚", "later"), Label("更长", "longer"), Label("更短", "shorter"),
)  # fmt: skip
CHANGES = dict(zip(Change, _COLUMNS[2:], strict=True))
"""What became of an alarm, in words."""


@dataclass(frozen=True, slots=True)
class Report:
    """A back-test that ran. `start`, `end` in ms UTC; `seconds` it took; `notes` say what it could not look at."""

    site: str
    start: int
    end: int
    time_zone: str
    rules: tuple[str, ...]
    samples: int
    seconds: float
    source: str
    comparison: Comparison
    notes: tuple[Label, ...] = ()

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds if self.seconds else 0.0


def lines(report: Report, language: str) -> Iterator[str]:
    """The whole report."""
    found, zone = report.comparison, ZoneInfo(report.time_zone)

    def local(ms: int | None) -> str:
        return datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S") if ms is not None else "..."

    yield Label(
        f"{report.site}：{local(report.start)} 至 {local(report.end)}，{len(report.rules)} 条规则不同，"
        f"{report.samples} 个样本，{report.rate:,.0f} 样本/秒（{report.source}）",
        f"{report.site}: {local(report.start)} to {local(report.end)}, {len(report.rules)} rules differ, "
        f"{report.samples} samples, {report.rate:,.0f} samples/s ({report.source})",
    ).to(language)
    yield from (f"! {note.to(language)}" for note in report.notes)
    yield ""
    rules = {rule: found.rules.get(rule, Tally()) for rule in report.rules}
    yield from _table(Label("规则", "rule"), {**rules, Label("合计", "in all").to(language): found.total}, language)
    yield from _table(Label("日期", "day"), found.days, language)
    nights = {f"{hour:02}-{(hour + 1) % 24:02}": tally for hour, tally in found.nights.items()}
    yield from _table(Label("夜间时段", "hour of night"), nights, language)
    different = [pair for pair in found.pairs if pair.changes]
    if different:
        yield Label(
            f"不同的报警（最近 {min(SHOWN, len(different))} / {len(different)}）",
            f"alarms that differ (the newest {min(SHOWN, len(different))} of {len(different)})",
        ).to(language)
    for pair in different[-SHOWN:]:
        rule, index, asset = pair.first.key
        name = rule + (f"[{index}]" if index else "")
        words = ", ".join(_words(pair, change).to(language) for change in pair.changes)
        yield f"  {local(pair.first.raised)}  {asset:<12} {name:<36} {words}"


def _words(pair: Pair, change: Change) -> Label:
    """A change with its size where it has one."""
    label = CHANGES[change]
    size = {Change.EARLIER: pair.moved, Change.LATER: pair.moved, Change.LONGER: pair.grown, Change.SHORTER: pair.grown}
    if change not in size:
        return label
    text = spoken(abs(size[change]) / 1000)
    return Label(f"{label.zh} {text}", f"{text} {label.en}")


def _table(head: Label, rows: Mapping[str, Tally], language: str) -> Iterator[str]:
    if not rows:
        return
    title = head.to(language)
    width = max(len(title) * (2 if language == "zh" else 1), *(len(name) for name in rows))
    yield title + " " * (width - _width(title)) + "".join(_right(column.to(language), 9) for column in _COLUMNS)
    for name, tally in rows.items():
        numbers = [tally.old, tally.new, *(tally.changes[change] for change in Change)]
        yield name + " " * (width - _width(name)) + "".join(f"{number or '.':>9}" for number in numbers)
    yield ""


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if "\u2e80" <= character <= "\uffef" else 1 for character in text)


def _right(text: str, width: int) -> str:
    return " " * (width - _width(text)) + text


def as_json(report: Report) -> dict[str, Any]:
    """Everything, every differing alarm among it."""
    found = report.comparison
    return {
        "site": report.site,
        "from": report.start,
        "to": report.end,
        "rules_that_differ": list(report.rules),
        "samples": report.samples,
        "seconds": round(report.seconds, 3),
        "samples_per_s": round(report.rate),
        "source": report.source,
        "notes": [{"zh": note.zh, "en": note.en} for note in report.notes],
        "total": found.total.as_dict(),
        "rules": {rule: found.rules.get(rule, Tally()).as_dict() for rule in report.rules},
        "days": {day: tally.as_dict() for day, tally in found.days.items()},
        "nights": {str(hour): tally.as_dict() for hour, tally in found.nights.items()},
        "alarms": [_pair(pair) for pair in found.pairs if pair.changes],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    rule, index, asset = pair.first.key
    return {
        "rule": rule,
        "index": index,
        "asset": asset,
        "changes": [change.value for change in pair.changes],
        "old": [pair.old.raised, pair.old.cleared] if pair.old else None,
        "new": [pair.new.raised, pair.new.cleared] if pair.new else None,
    }
