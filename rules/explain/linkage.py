"""An alarm of the fire linkage laid open: what began the run, the effect, and each proof that came or did not. Pure.

Everything is taken from the run's own record, so that it is what was judged, whatever the matrix says by now. What
could be seen of a proof is a tree over the very readings that the record keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from facility.assets import Asset
from facility.catalog import Catalog
from facility.points import Label
from facility.readings import Quality
from facility.words import QUALITIES
from rules.explain.ahead import Next
from rules.explain.scene import Input
from rules.explain.words import claim, duration, value_of
from rules.language.frame import Frame
from rules.language.grammar import ExpressionError
from rules.language.trace import Node, Trace
from rules.life.rows import AlarmRow
from rules.linkage.alarms import UNKNOWN, WEAK
from rules.linkage.run import NEVER, EffectRecord, Facts, Run, Seen
from rules.linkage.verdicts import WORDS, Verdict

CAUSES: Mapping[str, Label] = {
    "zone": Label("该防区的火警已确认", "the fire in this zone was confirmed"),
    "started": Label("主机发出联动启动信号", "the panel said that it had started the linkage"),
}
"""What began a run, by Run.cause."""


class Came(StrEnum):
    """What became of one condition, at an instant."""

    IN_TIME = "in_time"
    LATE = "late"
    MISSING = "missing"
    UNSEEN = "unseen"
    WAITING = "waiting"
    STANDS = "stands"
    FELL = "fell"


CAME: Mapping[Came, Label] = {
    Came.IN_TIME: Label("按时到位", "in time"),
    Came.LATE: Label("超时到位", "late"),
    Came.MISSING: Label("到期未到位", "not there by its deadline"),
    Came.UNSEEN: Label("到期时无法判断", "could not be seen at its deadline"),
    Came.WAITING: Label("等待中", "waiting"),
    Came.STANDS: Label("保持", "stands"),
    Came.FELL: Label("曾经失去", "was lost"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a proof. `limit` None: it has to stand from T0 to the end; instants in ms.

    `node` is its tree over `readings` (those that made it true, else the newest ones); None where its asset or point is
    no longer of this site.
    """

    asset: str
    text: str
    node: Node | None
    limit: int | None
    held_at: int | None
    came: Came
    readings: tuple[Input, ...]

    def claim(self, language: str) -> str:
        """What it says, in words; its text where nothing better is known."""
        return claim(self.node, language) if self.node else self.text


@dataclass(frozen=True, slots=True)
class JudgedProof:
    """It holds when `count` of its conditions do. Proofs of one `part` support each other."""

    count: int
    part: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class JudgedEffect:
    """One effect of a run as it was at `at` (ms UTC). `command` None: the panel does not repeat it.

    `standing`: whether its alarm stood then.
    """

    run: Run
    record: EffectRecord
    at: int
    verdict: Verdict
    standing: bool
    command: Condition | None
    proofs: tuple[JudgedProof, ...]

    @property
    def cause(self) -> Label:
        """What began the run."""
        return CAUSES.get(self.run.cause, Label(self.run.cause, self.run.cause))

    @property
    def conditions(self) -> list[Condition]:
        """Those of all proofs; the command alone where there are none."""
        found = [item for proof in self.proofs for item in proof.conditions]
        return found or ([self.command] if self.command else [])


def run_about(runs: Iterable[Run], number: int, *, since: int, at: int) -> Run | None:
    """The run that an alarm of the effect `number` is about: the one whose T0 it names, else the one of then."""
    found = [run for run in runs if run.effect(number) and run.t0 <= at]
    exact = next((run for run in found if run.t0 == since), None)
    going = (run for run in found if run.ended_at is None or run.ended_at >= at)
    return exact or max(going, key=lambda run: run.t0, default=None)


def verdict_of(rule: str) -> Verdict:
    """The verdict that an alarm of this rule stands for (rules/linkage/alarms.py)."""
    return {WEAK: Verdict.WEAK, UNKNOWN: Verdict.UNKNOWN}.get(rule, Verdict.FAILED)


def laid_open(run: Run, alarm: AlarmRow, at: int, assets: Mapping[str, Asset], catalog: Catalog) -> JudgedEffect | None:
    """The effect that an alarm is about, at an instant; None when the run has none of this number.

    A run keeps the newest verdict alone: what it was before that is known from the alarm.
    """
    record = run.effect(alarm.rule_index)
    if record is None:
        return None
    raised = alarm.raised_at is not None and alarm.raised_at <= at
    over = alarm.cleared_at is not None and (alarm.raised_at or 0) <= alarm.cleared_at <= at
    if record.at is not None and record.at <= at:
        verdict = record.verdict
    else:
        verdict = verdict_of(alarm.rule) if raised else Verdict.PENDING
    command = condition(record.command, run.panel, at, assets, catalog) if record.command else None
    proofs = tuple(
        JudgedProof(
            part.count,
            part.part,
            tuple(condition(seen, seen.asset or run.panel, at, assets, catalog) for seen in part.terms),
        )
        for part in record.proofs
    )
    return JudgedEffect(run, record, at, verdict, raised and not over, command, proofs)


def sentence(effect: JudgedEffect, language: str) -> str:
    """Which fire, what had to come by when, and which proofs did not."""
    run, record, zh = effect.run, effect.record, language.startswith("zh")
    zone = run.zone_label.zh if zh else run.zone_label.en
    name = record.label.zh if zh else record.label.en
    verdict = WORDS[effect.verdict].to(language)
    cause = effect.cause.to(language)
    if record.continuous:
        limit = Label("须全程保持", "has to stand all the time").to(language)
    else:
        span = duration(record.limit - run.t0, language)
        limit = f"须在 {span}内到位" if zh else f"has {span} to come"
    head = f"{zone}：{cause}；“{name}”{limit}：{verdict}" if zh else f"{zone}: {cause}; {name} {limit}: {verdict}"
    open_ = [item for item in effect.conditions if item.came not in (Came.IN_TIME, Came.STANDS)]
    if not open_:
        return head
    listed = Label("；", "; ").to(language).join(_lacking(item, effect.at, language) for item in open_)
    return f"{head}。{listed}" if zh else f"{head}. {listed}"


def ahead(effect: JudgedEffect) -> list[Next]:
    """What happens next with its alarm; what a person has to do comes first."""
    run, record = effect.run, effect.record
    verdict = effect.verdict
    found: list[Next] = []
    if effect.standing:
        found.append(Next("by_hand", Label(f"人工处置：{record.action.zh}", f"By hand: {record.action.en}")))
    if run.is_live and verdict is Verdict.PENDING:
        found.append(Next("effect_due", Label("到期判定", "It is decided"), record.limit))
    elif run.is_live and effect.standing:
        late = Label(
            "反馈到位后改判为“超时后动作”，报警恢复", "When its proofs come it counts as late, and the alarm clears"
        )
        found.append(Next("effect_late", late))
    if run.held and effect.standing:
        text = Label("主机火警复位后，本次联动结束，报警恢复", "When the fire is reset at the panel the alarm clears")
        found.append(Next("fire_reset", text))
    settled = run.settled_at
    if run.is_live and settled is not None:
        text = Label("全部判定完毕，记录封存", "All is decided, and the run's record is sealed")
        found.append(Next("run_sealed", text, settled))
    return found


def condition(seen: Seen, asset: str, at: int, assets: Mapping[str, Asset], catalog: Catalog) -> Condition:
    """What a run keeps of a condition of `asset`, as it was at `at` (ms)."""
    node, readings = _tree(seen.text, asset, seen.facts, assets, catalog)
    limit = seen.limit if seen.limit < NEVER else None
    return Condition(asset, seen.text, node, limit, seen.held_at, _came(seen, at), readings)


def _came(seen: Seen, at: int) -> Came:
    if seen.limit >= NEVER:
        if seen.fallen_at is not None and seen.fallen_at <= at:
            return Came.FELL
        return Came.UNSEEN if seen.truth is None else Came.STANDS
    if seen.held_at is not None and seen.held_at <= at:
        return Came.IN_TIME if seen.in_time else Came.LATE
    if at < seen.limit:
        return Came.WAITING
    return Came.UNSEEN if seen.by_limit is None else Came.MISSING


def _tree(
    text: str, asset: str, facts: Facts, assets: Mapping[str, Asset], catalog: Catalog
) -> tuple[Node | None, tuple[Input, ...]]:
    known = assets.get(asset)
    kind = catalog.classes.get(known.asset_class) if known else None
    if known is None or kind is None:
        return None, ()
    frame, inputs = Frame(kind.points, known.rated), []
    for key, (value, said, at) in facts.items():
        point = kind.points.get(key)
        if point is None:
            continue
        quality = Quality(said) if said in set(Quality) else None
        if quality is not None:
            frame.slot(key).take(at, value, quality)
        inputs.append(Input(asset, point, value if quality is Quality.GOOD else None, quality, at))
    try:
        node = Trace(text, kind, classes=catalog.classes).over(frame)
    except ExpressionError:  # the class has changed since: its text is all that is known
        node = None
    return node, tuple(inputs)


def _lacking(item: Condition, at: int, language: str) -> str:
    zh = language.startswith("zh")
    read: Sequence[str] = [reading_words(one, at, language) for one in item.readings]
    beside = Label("，", ", ").to(language).join([CAME[item.came].to(language), *read])
    return (
        f"{item.asset} {item.claim(language)}（{beside}）" if zh else f"{item.asset} {item.claim(language)} ({beside})"
    )


def reading_words(item: Input, at: int, language: str) -> str:
    """A reading with its quality and its age at `at`."""
    if item.quality is None or not item.at:
        return Label("没有读数", "no reading").to(language)
    value = value_of(item.value, item.point, item.point.unit, language)
    quality = QUALITIES[item.quality].to(language)
    if item.at > at:
        return Label(f"读数 {value}，{quality}，其后", f"read {value}, {quality}, afterwards").to(language)
    age = duration(at - item.at, language)
    return Label(f"读数 {value}，{quality}，{age}前", f"read {value}, {quality}, {age} old").to(language)
