"""The shapes of an explanation on the wire: views of a rule at an instant, messages, and what happens next."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.schemas import Shape
from facility.readings import Quality


class NodeOut(Shape):
    """A part of an expression. `truth` of a condition: true, false or unknown; null for a value.

    `zh`/`en`: a condition as a claim (`Outlet pressure is below 0.3 MPa`), a value by its name. `shown_*`: its value.
    """

    form: str
    text: str = Field(examples=["sys.outlet_pressure < 0.3"])
    zh: str
    en: str
    truth: str | None = Field(examples=["true"])
    value: bool | float | str | None
    shown_zh: str
    shown_en: str
    point: str
    name: str = Field(description="operators, a function's name, or the id of another asset")
    parts: list[NodeOut]


class InputOut(Shape):
    """A point that the rule looks at. `quality` null and `at` null: nothing was ever received. `age` in seconds."""

    asset: str
    point: str
    zh: str
    en: str
    value: bool | float | str | None
    shown_zh: str
    shown_en: str
    quality: Quality | None
    quality_zh: str
    quality_en: str
    at: datetime | None
    age: float | None


class TimersOut(Shape):
    """The condition's delays. `since`: when the truth that it waits for, or rests on, began.

    `on_delay`, `off_delay` and `spent` (already seen of the one that runs) in seconds; `due`: when that is over.
    """

    phase: str
    since: datetime | None
    running_since: datetime | None
    spent: float
    due: datetime | None
    on_delay: float
    off_delay: float


class NoteOut(Shape):
    """A remark: something could not be known, or is not as it was."""

    code: str
    zh: str
    en: str


class ConditionOut(Shape):
    """One condition of a proof: what became of it by its deadline, and the readings that it rests on.

    `verdict`: in_time, late, missing, unseen, waiting; stands or fell where it has to stand all the time (`deadline`
    null). `seconds` from T0 until it held. The readings are those that made it true, else the newest of the run.
    """

    asset: str
    text: str = Field(examples=["fire.parked"])
    zh: str
    en: str
    verdict: str
    verdict_zh: str
    verdict_en: str
    deadline: datetime | None
    held_at: datetime | None
    seconds: float | None
    tree: NodeOut | None
    readings: list[InputOut]


class ProofOut(Shape):
    """It holds when `count` of its conditions do. Proofs of one `part` support each other: one of several is weak."""

    count: int
    part: str
    conditions: list[ConditionOut]


class LinkageViewOut(Shape):
    """An effect of a fire linkage, from the record of its run: what began it, the deadline, and each proof.

    `deadline` and `limit` (seconds from T0) null: it has to stand all the time. `command` null: the panel does not
    repeat it. `decided_at`: when it got this verdict, if that is known.
    """

    run: str
    panel: str
    zone: int
    zone_zh: str
    zone_en: str
    mode: str
    cause: str = Field(examples=["zone"])
    cause_zh: str
    cause_en: str
    t0: datetime
    effect: int
    zh: str
    en: str
    basis: str
    deadline: datetime | None
    limit: float | None
    verdict: str
    verdict_zh: str
    verdict_en: str
    decided_at: datetime | None
    command: ConditionOut | None
    proofs: list[ProofOut]


class ViewOut(Shape):
    """A rule at an instant. `truth`: whether it wants to raise, with what enables it.

    `clear` null: it clears when `when` is false. `linkage`: for an alarm of the fire linkage, which has no expressions.
    """

    at: datetime
    verdict: str
    verdict_zh: str
    verdict_en: str
    sentence_zh: str
    sentence_en: str
    truth: str | None
    when: NodeOut | None
    clear: NodeOut | None
    enable: NodeOut | None
    suppress: NodeOut | None
    in_hours: bool | None
    inputs: list[InputOut]
    timers: TimersOut | None
    notes: list[NoteOut]
    linkage: LinkageViewOut | None = None


class RuleTextOut(Shape):
    """The text of a rule: of the version that raised the alarm where that was kept, else the one in force."""

    id: str
    index: int
    zh: str
    en: str
    version: str
    asset_class: str
    severity: int
    raises: str
    when: str
    clear: str
    enable: str
    suppress: str
    on_delay: float
    off_delay: float
    latch: bool
    origin: str


class AttemptOut(Shape):
    """One try to send a message; `took` in seconds."""

    at: datetime
    ok: bool
    took: float
    error: str


class MessageOut(Shape):
    """A message to a channel: pending, sent or dead, with every try."""

    event: str
    channel: str
    state: str
    created_at: datetime
    sent_at: datetime | None
    due_at: datetime
    error: str
    attempts: list[AttemptOut]


class ToldOut(Shape):
    """A transition, why people were told of it or not, and the messages that it caused."""

    at: datetime
    actor: str
    event: str
    state: str
    reason: str
    reason_zh: str
    reason_en: str
    note: str
    messages: list[MessageOut]


class NextOut(Shape):
    """What is due or waited for; `who`: the roles that may do it, empty where it is nobody's act."""

    code: str
    zh: str
    en: str
    at: datetime | None
    who: list[str]


class AlarmExplainedOut(Shape):
    """Why an alarm rang, who was told, and what happens next. `then`: when it rang, or `at`; `now` while it is live."""

    alarm: str
    asset: str
    rule: RuleTextOut | None
    then: ViewOut
    now: ViewOut | None
    told: list[ToldOut]
    next: list[NextOut]


class RuleExplainedOut(Shape):
    """What a rule comes to at an asset."""

    asset: str
    rule: RuleTextOut
    view: ViewOut


class RuleStateOut(Shape):
    """One rule of an asset as it is now, in one line."""

    rule: str
    index: int
    zh: str
    en: str
    severity: int
    verdict: str
    verdict_zh: str
    verdict_en: str
    sentence_zh: str
    sentence_en: str
    since: datetime | None
    due: datetime | None
