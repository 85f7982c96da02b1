"""The messages of an alarm flood: how many, how bad, where. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facility.points import Label
from facility.words import SEVERITIES
from rules.notification.flood import Due
from rules.notification.notify import Routing, Words, channels_for
from rules.notification.plain import Telling, outbox_rows

TOP = 3
"""Places named in a summary."""
RULE = "flood"
"""What stands in a summary's message instead of a rule."""

_TITLE = {
    Due.BEGUN: Label("报警洪峰", "Alarm flood"),
    Due.GOES_ON: Label("报警洪峰持续", "Alarm flood goes on"),
    Due.ENDED: Label("报警洪峰结束", "Alarm flood is over"),
}
_GUIDANCE = Label(
    "先处理紧急报警，再按位置和原因分组查看报警列表；洪峰期间维护和提示级报警只汇总通知。",
    "See to the emergencies first, then look at the alarm list grouped by place or cause; as long as this lasts, "
    "maintenance alarms and advice are told in summaries only.",
)


@dataclass(frozen=True, slots=True)
class Counted:
    """One alarm in a flood; `untold`: nobody was told of it on its own."""

    asset: str
    asset_class: str
    severity: int
    raises: str
    untold: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told at `at` (ms): `alarms` are those it speaks of, `untold` decides who has to hear of it."""

    what: Due
    at: int
    began: int
    alarms: Sequence[Counted]
    untold: Sequence[Counted] = ()


def text_of(summary: Summary, routing: Routing, language: str) -> str:
    """One line: what, how many, how bad, the assets that have most."""
    title = _TITLE[summary.what].to(language)
    worst = SEVERITIES[min((item.severity for item in summary.alarms), default=4)].to(language).lower()
    number, untold = len(summary.alarms), sum(item.untold for item in summary.alarms)
    top = Counter(item.asset for item in summary.alarms).most_common(TOP)
    empty = Label("", "")
    if language == "zh":
        places = "、".join(f"{name}{routing.assets.get(name, empty).zh} {n} 条" for name, n in top)
        return f"【{title}】{number} 条报警，最高级别：{worst}，其中 {untold} 条未单独通知。{places}"
    places = ", ".join(f"{name} {routing.assets.get(name, empty).en}: {n}".replace(" :", ":") for name, n in top)
    kind = "alarm" if number == 1 else "alarms"
    return f"[{title.upper()}] {number} {kind}, the worst {worst}, {untold} of them not told on their own. {places}"


def rows_of(summary: Summary, routing: Routing) -> list[dict[str, Any]]:
    """The outbox rows: one for each channel that any of the alarms would have gone to."""
    kinds = {(item.severity, item.asset_class) for item in (*summary.untold, *summary.alarms)}
    wanted = {name for severity, kind in kinds for name in channels_for(routing, severity, kind)}
    return outbox_rows(_telling(summary, routing), routing, [name for name in routing.channels if name in wanted])


def _telling(summary: Summary, routing: Routing) -> Telling:
    zh, en = (
        Words(_TITLE[summary.what].to(language), text_of(summary, routing, language), _GUIDANCE.to(language))
        for language in ("zh", "en")
    )
    return Telling(
        rule=RULE,
        event=f"flood_{summary.what.value}",
        key=f"{RULE}:{summary.began}:{summary.what.value}:{summary.at}",
        at=summary.at,
        since=summary.began,
        severity=min((item.severity for item in summary.alarms), default=4),
        zh=zh,
        en=en,
        path="/console/alarms",
        facts={"alarms": len(summary.alarms), "untold": sum(item.untold for item in summary.alarms)},
    )
