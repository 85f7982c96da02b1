"""The benchmarks: for each figure its target, where that comes from, and whether it is met. Pure.

A mean or a share of less than thirty days says nothing, nor does a worst hour that was good so far. What has been
exceeded already is over, however short the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from facility.points import Label
from rules.performance.tally import DAY, Measured, Standing

LEAST = 30 * DAY
"""What a report needs at least."""
EEMUA = Label("EEMUA 191", "EEMUA 191")
ISA = Label("ISA-18.2 / IEC 62682", "ISA-18.2 / IEC 62682")
OURS = Label("无通用指标，供参考", "no common benchmark, for information")


class Verdict(StrEnum):
    """Whether a figure meets its target; NONE: it has no target."""

    WITHIN = "within"
    OVER = "over"
    NOT_ENOUGH = "not_enough"
    NONE = "none"


VERDICTS = {
    Verdict.WITHIN: Label("达标", "within"),
    Verdict.OVER: Label("超标", "over"),
    Verdict.NOT_ENOUGH: Label("数据不足", "not enough data"),
    Verdict.NONE: Label("参考", "no target"),
}
Number = float | int | None


@dataclass(frozen=True, slots=True)
class Target:
    """One figure. `limit`: the most that it may be, `strict`: less than that; None without a target.

    `long`: it is a mean or a share, which a short time can't exceed either.
    """

    code: str
    label: Label
    unit: Label
    value: Callable[[Measured, Standing], Number]
    limit: float | None = None
    strict: bool = False
    long: bool = False
    basis: Label = OURS

    @property
    def words(self) -> str:
        """The target as people read it."""
        return "" if self.limit is None else f"{'<' if self.strict else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure with its verdict."""

    target: Target
    value: Number
    verdict: Verdict


NOTHING = Label("", "")
PER_CENT = Label("%", "%")
SECONDS = Label("秒", "s")
TIMES = Label("次", "times")
ALARMS = Label("条", "alarms")

TARGETS: tuple[Target, ...] = (
    Target("per_ten_mean", Label("每10分钟报警数（平均）", "Alarms per 10 min, mean"), ALARMS,
           lambda m, _: m.mean_ten, 1, long=True, basis=EEMUA),
    Target("per_ten_most", Label("每10分钟报警数（最多）", "Alarms per 10 min, most"), ALARMS,
           lambda m, _: m.most_ten, 10, basis=ISA),
    Target("per_ten_over", Label("超过10条的10分钟时段", "10-min periods with more than 10"), PER_CENT,
           lambda m, _: m.over_ten, 1, strict=True, long=True, basis=ISA),
    Target("per_hour_mean", Label("每小时报警数（平均）", "Alarms per hour, mean"), ALARMS,
           lambda m, _: m.mean_hour, 6, long=True, basis=ISA),
    Target("per_hour_most", Label("每小时报警数（最多）", "Alarms per hour, most"), ALARMS,
           lambda m, _: m.most_hour, 15, basis=EEMUA),
    Target("hours_over", Label("超过30条的小时", "Hours with more than 30"), PER_CENT,
           lambda m, _: m.over_hour, 1, strict=True, long=True, basis=ISA),
    Target("per_day_mean", Label("每天报警数（平均）", "Alarms per day, mean"), ALARMS,
           lambda m, _: m.mean_day, 150, long=True, basis=ISA),
    Target("per_day_most", Label("每天报警数（最多）", "Alarms per day, most"), ALARMS,
           lambda m, _: m.most_day, 300, basis=ISA),
    Target("floods", Label("报警洪峰次数", "Alarm floods"), TIMES, lambda m, _: m.floods),
    Target("flood_share", Label("处于洪峰的时间", "Time in flood"), PER_CENT,
           lambda m, _: m.flood_share, 1, strict=True, long=True, basis=ISA),
    Target("standing", Label("当前报警", "Standing now"), ALARMS, lambda _, s: s.active),
    Target("stale_now", Label("当前长期未消除（超过24小时）", "Stale now (over 24 h)"), ALARMS,
           lambda _, s: s.stale, 5, strict=True, basis=ISA),
    Target("stale_most", Label("同时长期未消除（最多）", "Stale at once, most"), ALARMS,
           lambda m, _: m.stale_most, 5, strict=True, basis=ISA),
    Target("chattering", Label("频繁报警（阵次）", "Chattering episodes"), TIMES,
           lambda m, _: m.episodes, 0, basis=ISA),
    Target("fleeting", Label("瞬时报警（10秒内自行恢复）", "Fleeting (over within 10 s)"), TIMES,
           lambda m, _: m.fleeting, 0, basis=ISA),
    Target("top_share", Label("前十位报警占比", "Share of the top ten"), PER_CENT,
           lambda m, _: m.top_share, 5, strict=True, long=True, basis=ISA),
    Target("high_share", Label("紧急报警占比", "Share of emergencies"), PER_CENT,
           lambda m, _: m.severity_share(1), 5, long=True, basis=EEMUA),
    Target("medium_share", Label("重要报警占比", "Share of urgent alarms"), PER_CENT,
           lambda m, _: m.severity_share(2), 15, long=True, basis=EEMUA),
    Target("low_share", Label("维护与提示占比", "Share of maintenance and advice"), PER_CENT,
           lambda m, _: m.severity_share(3, 4)),
    Target("acknowledge_p50", Label("确认用时（中位数）", "Time to acknowledge, p50"), SECONDS,
           lambda m, _: _seconds(m.answers.p50)),
    Target("acknowledge_p95", Label("确认用时（95%）", "Time to acknowledge, p95"), SECONDS,
           lambda m, _: _seconds(m.answers.p95)),
    Target("shelved_now", Label("当前搁置", "Shelved now"), ALARMS, lambda _, s: s.shelved),
    Target("out_of_service_now", Label("当前停用", "Out of service now"), ALARMS, lambda _, s: s.out_of_service),
    Target("by_design_now", Label("当前按设计抑制", "Suppressed by design now"), ALARMS, lambda _, s: s.by_design),
    Target("shelvings", Label("搁置次数", "Shelvings"), TIMES, lambda m, _: m.shelved),
    Target("removals", Label("停用次数", "Taken out of service"), TIMES, lambda m, _: m.removed),
)  # fmt: skip


def judged(measured: Measured, standing: Standing, *, least: int = LEAST) -> list[Kpi]:
    """Every figure with its verdict; `least` is the span (ms) that is enough."""
    enough = measured.span >= least
    found = []
    for target in TARGETS:
        value = target.value(measured, standing)
        found.append(Kpi(target, value, _verdict(target, value, enough=enough)))
    return found


def _verdict(target: Target, value: Number, *, enough: bool) -> Verdict:
    if target.limit is None:
        return Verdict.NONE
    if value is None:
        return Verdict.NOT_ENOUGH
    over = value >= target.limit if target.strict else value > target.limit
    if not enough and (target.long or not over):
        return Verdict.NOT_ENOUGH
    return Verdict.OVER if over else Verdict.WITHIN


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
