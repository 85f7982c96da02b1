"""Whether a played test is as expected, and if not, what a person needs to see why, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from facility.catalog import Catalog
from facility.points import Kind, Label, Point
from facility.readings import Quality
from rules.book.rulebook import Definition
from rules.conditions import Phase
from rules.engine import Key
from rules.trial.notation import Told
from rules.trial.play import Part, Played, Stand, Trace, play, trace
from rules.trial.story import Expected, Shown, Story, Transition, named

MAX_TIMELINE = 24
"""Lines of the timeline that are shown."""


class Outcome(StrEnum):
    """What became of a test. `changed`: a shipped test, and all that differs are rules that the site has of its own."""

    PASSED = "passed"
    FAILED = "failed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One test judged: `lines` say what differs, line by line."""

    story: Story
    outcome: Outcome
    played: Played
    lines: tuple[Label, ...] = ()
    seconds: float = 0.0


_SHOWN = {
    Shown.NONE: Label("无", "none"),
    Shown.PENDING: Label("等待", "pending"),
    Shown.ACTIVE: Label("激活", "active"),
    Shown.CLEARING: Label("恢复中", "clearing"),
    Shown.LATCHED: Label("锁存", "latched"),
    Shown.CLEARED: Label("已恢复", "cleared"),
}
_TRUTH = {True: Label("真", "true"), False: Label("假", "false"), None: Label("未知", "unknown")}


def _same(text: str) -> Label:
    return Label(text, text)


def judge(
    story: Story, definitions: Sequence[Definition], catalog: Catalog, *, own: frozenset[str], time_zone: str
) -> Verdict:
    """Play a test and say how it went; `own` are the rules that the site has itself, over shipped ones or new."""
    played = play(story, definitions, catalog, time_zone=time_zone)
    wrong = list(_wrong_states(story, played))
    expected, actual = _wrong_transitions(story, played)
    if not wrong and not expected and not actual:
        return Verdict(story, Outcome.PASSED, played)
    blamed = {item.key: item.at for item, _ in reversed(wrong)}
    for item in sorted([*expected, *actual], key=lambda item: -item.at):
        blamed[item.key] = item.at
    mine = story.shipped and all(key[0] in own for key in blamed)
    looked = trace(story, definitions, catalog, blamed, time_zone=time_zone)
    teller = _Teller(story, catalog, played)
    lines = [line for item, stand in wrong for line in teller.state(item, stand)]
    if expected or actual:
        lines += teller.transitions(expected, actual)
    for item_traced in sorted(looked, key=lambda item: item.at):
        lines += teller.inside(item_traced)
    return Verdict(story, Outcome.CHANGED if mine else Outcome.FAILED, played, tuple(lines))


def _wrong_states(story: Story, played: Played) -> Iterator[tuple[Expected, Stand | None]]:
    for item, stand in zip(story.expected, played.stands, strict=True):
        as_wanted = stand is not None and stand.shown.meets(item.shown)
        if stand is None or not as_wanted or item.severity not in (None, stand.severity):
            yield item, stand


def _wrong_transitions(story: Story, played: Played) -> tuple[list[Transition], list[Transition]]:
    """Those that were expected and did not come, and those that came unexpected."""
    if story.transitions is None:
        return [], []
    missing: list[Transition] = []
    left = list(played.transitions)
    for wanted in story.transitions:
        found = next((item for item in left if item.meets(wanted)), None)
        if found is None:
            missing.append(wanted)
        else:
            left.remove(found)
    return missing, left


@dataclass
class _Teller:
    """Puts a difference into words."""

    story: Story
    catalog: Catalog
    played: Played
    _points: dict[tuple[str, str], Point | None] = field(default_factory=dict)

    def state(self, item: Expected, stand: Stand | None) -> Iterator[Label]:
        """A rule that stands otherwise than it should."""
        name, at = self._named(item.key), self.story.when(item.at)
        wanted = _SHOWN[item.shown]
        severity = f" {item.severity}" if item.severity else ""
        yield Label(
            f"{at} {name}：应为 {wanted.zh}{severity}（第 {item.line} 行）",
            f"{at} {name}: expected {wanted.en}{severity} (line {item.line})",
        )
        if stand is None:
            why = self.played.missing.get(item.key[0], "it is switched off, or has no such index")
            yield Label(f"    实际：该规则在此测试中不运行：{why}", f"    actual: the rule does not run here: {why}")
            return
        shown, delays = _SHOWN[stand.shown], stand.delays
        zh, en = f"    实际：{shown.zh} {stand.severity}", f"    actual: {shown.en} {stand.severity}"
        if delays.phase in (Phase.PENDING, Phase.CLEARING):
            since = self.story.when(delays.since - self.story.start)
            spent = delays.spent + (item.at + self.story.start - delays.running if delays.running is not None else 0)
            zh += f"，自 {since} 起，计时已走 {spent / 1000:g} s"
            en += f" since {since}, {spent / 1000:g} s of its delay seen"
            if delays.running is None:
                zh, en = f"{zh}，因未知而停表", f"{en}, its clock stands because the condition is unknown"
        yield Label(zh, en)

    def transitions(self, expected: Iterable[Transition], actual: Iterable[Transition]) -> Iterator[Label]:
        """What did not come (-) and what came unexpected (+), among what is as it should be."""
        yield Label("转换（- 应有而无，+ 多出）：", "transitions (- expected and missing, + not expected):")
        missing, extra = list(expected), list(actual)
        right = [item for item in self.played.transitions if item not in extra]
        lines = [(item.at, "-", item) for item in missing]
        lines += [(item.at, "+", item) for item in extra] + [(item.at, " ", item) for item in right]
        for _, mark, item in sorted(lines, key=lambda line: (line[0], line[1] != "-")):
            yield _same(f"  {mark} {item.line(self.story.asset)}")

    def inside(self, traced: Trace) -> Iterator[Label]:
        """What was told before the instant, how the rule went, and which part of its condition said what."""
        name, at = self._named(traced.key), self.story.when(traced.at)
        if not traced.stands:
            return
        points = {point for part in traced.parts for point in part.points}
        yield Label(f"{name} 到 {at} 的经过：", f"{name} up to {at}:")
        events = list(self._told(traced.key[2], points))
        for stand in traced.stands:
            truth, shown = _TRUTH[stand.truth], _SHOWN[stand.shown]
            label = Label(f"  => 条件{truth.zh}，{shown.zh}", f"  => condition {truth.en}, {shown.en}")
            events.append((stand.at, 1, label))
        until = [event for event in sorted(events, key=lambda event: event[:2]) if event[0] <= traced.at]
        if len(until) > MAX_TIMELINE:
            yield _same(f"    ... {len(until) - MAX_TIMELINE}")
        for when, _, label in until[-MAX_TIMELINE:]:
            clock = f"{self.story.when(when):>8}"
            yield Label(f"    {clock}  {label.zh}", f"    {clock}  {label.en}")
        yield Label(f"  {at} 时条件各部分：", f"  its condition at {at}:")
        depths = [part.depth for part in traced.parts[1:]] + [0]
        for part, following in zip(traced.parts, depths, strict=True):
            yield self._part(part, traced, is_leaf=following <= part.depth)

    def _part(self, part: Part, traced: Trace, *, is_leaf: bool) -> Label:
        """A part with what it says; one that is unknown in itself also with the readings that may be why."""
        truth = _TRUTH[part.truth]
        seen = ""
        if part.truth is None and is_leaf:
            bad = [point for point in part.points if not self._is_good(point, traced)]
            seen = "   <- " + ", ".join(self._newest(point, traced) for point in bad or part.points)
        text = "  " * part.depth + part.text
        return Label(f"    {truth.zh:<4} {text}{seen}", f"    {truth.en:<8} {text}{seen}")

    def _told(self, asset: str, points: set[str]) -> Iterator[tuple[int, int, Label]]:
        """What an asset tells of these points, where it is something new: (at, 0, words)."""
        before: dict[str, Told] = {}
        for item in self.story.tellings:
            if item.asset != asset:
                continue
            new = {key: told for key, told in item.told.items() if key in points and before.get(key) != told}
            before |= new
            if new:
                text = "  ".join(f"{key} = {self._value(asset, key, told)}" for key, told in new.items())
                yield item.at, 0, _same(text)

    def _is_good(self, point: str, traced: Trace) -> bool:
        told = self._last(point, traced)
        return told is not None and told[1][1].is_good

    def _last(self, point: str, traced: Trace) -> tuple[int, Told] | None:
        """The newest reading of a point of the rule's asset up to the instant."""
        for item in reversed(self.story.tellings):
            if item.at <= traced.at and item.asset == traced.key[2] and point in item.told:
                return item.at, item.told[point]
        return None

    def _newest(self, point: str, traced: Trace) -> str:
        found = self._last(point, traced)
        if found is None:
            return f"{point}: -"
        return f"{point} = {self._value(traced.key[2], point, found[1])} ({self.story.when(found[0])})"

    def _value(self, asset: str, key: str, told: Told) -> str:
        value, quality = told
        if quality is not Quality.GOOD:
            return f"<{quality.value}>"
        point = self.catalog.classes[self.story.assets[asset].asset_class].point(key)
        if point and point.kind in (Kind.DISCRETE, Kind.ENUM) and value is not None:
            state = point.states.get(int(value))
            if state:
                return state.code
        return f"{value:g}" if isinstance(value, float) else str(value)

    def _named(self, key: Key) -> str:
        return named(key, self.story.asset)
