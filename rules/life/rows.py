"""What the records database gives out: frozen rows, with every text in both languages. Instants are ms UTC."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from facility.errors import CaretakerError
from facility.points import Label
from facility.readings import Value
from rules.life.alarm import Alarm, State, Suppression
from rules.life.commanding import CommandState, Order
from rules.life.tickets import Ticket, TicketState

T = TypeVar("T")


class Columns(Protocol):
    """A row as the database gives it: values by column name."""

    def __getitem__(self, key: str, /) -> Any:
        """The value of a column."""


class NotFoundError(CaretakerError):
    """There is no such alarm, ticket or command: the caller's fault, HTTP 404."""

    def __init__(self, kind: str, id_: str) -> None:
        self.kind = kind
        self.id = id_
        super().__init__(f"there is no {kind} {id_!r}")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, newest first; `next` is what to give as `after` for the following page, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: rules.changed copies it
class AlarmRow:
    """One alarm: one occurrence of one rule on one asset, from its first raise until it is normal and free again.

    `raises` is what follows from it (emergency, ticket, nothing); `raise_count` how often it became active.
    `opened_at` is when it was recorded, `since` the reading that made its condition turn, `facts` what the rule saw.
    `rule_version` is that of the rule that raised it last (rules/records/rule_texts.py has its text).
    `told`: people were told of the present raise, or nobody is to be told; `told_at`: when they last were.
    `inhibited`: the plant's own logic wants it quiet. `chattering_since`, `stale_at`: it comes and goes, or was found
    to stand for too long. `removal_id`: what took it out of service. `version` grows with each transition.
    `quiet`: why it is not told on its own, for now until `tell_at` if set; `cause_id` is its cause; `drill` its drill.
    """

    id: str
    site: str
    rule: str
    rule_index: int
    rule_version: str
    asset: str
    asset_class: str
    severity: int
    raises: str
    latch: bool
    shelvable: bool
    historical: bool
    told: bool
    live: bool
    state: State
    suppression: Suppression
    raise_count: int
    opened_at: int
    since: int
    raised_at: int | None
    cleared_at: int | None
    acknowledged_at: int | None
    acknowledged_by: str
    shelved_until: int | None
    changed_at: int
    version: int
    title_zh: str
    title_en: str
    guidance_zh: str
    guidance_en: str
    facts: dict[str, Value]
    ticket_id: str | None
    inhibited: bool = False
    told_at: int | None = None
    chattering_since: int | None = None
    stale_at: int | None = None
    removal_id: str | None = None
    quiet: str = ""
    tell_at: int | None = None
    cause_id: str | None = None
    drill: str | None = None

    @property
    def alarm(self) -> Alarm:
        """The part that the machine in rules.alarm moves."""
        return Alarm(
            self.latch, self.state, self.suppression, self.raised_at, self.cleared_at, self.acknowledged_at,
            self.shelved_until, self.raise_count, self.inhibited,
        )  # fmt: skip

    @property
    def title(self) -> Label:
        """What is wrong."""
        return Label(self.title_zh, self.title_en)

    @property
    def guidance(self) -> Label:
        """What to do."""
        return Label(self.guidance_zh, self.guidance_en)

    @property
    def shown(self) -> str:
        """The one name that a person sees: the suppression if there is one, else the process state."""
        return self.alarm.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """One transition of an alarm. `reason` says why people were told or not (codes in rules.notify.REASONS).

    `at` is when it happened, `recorded_at` when it was written; `note` is what a person wrote. `seen` are the readings
    of the rule at that instant, by point: `{"value": 7, "quality": "good", "at": 1700000000000}`, where known.
    """

    id: int
    alarm_id: str
    at: int
    recorded_at: int
    actor: str
    event: str
    state: str
    suppression: str
    version: int
    reason: str
    note: str
    rule_version: str
    seen: dict[str, dict[str, Value]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalRow:
    """Something out of service for a ticket: one alarm, or (`alarm_id` None) every alarm of an asset, later ones too.

    `life_safety`: alarms of life safety are out of service too. `ended_at` None while it lasts.
    """

    id: str
    site: str
    asset: str
    alarm_id: str | None
    ticket_id: str
    life_safety: bool
    reason: str
    begun_at: int
    begun_by: str
    ended_at: int | None
    ended_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """A piece of work for the crew. `priority` is the severity of its alarm (1 first)."""

    id: str
    site: str
    alarm_id: str | None
    asset: str
    asset_class: str
    priority: int
    state: TicketState
    assignee: str
    created_at: int
    changed_at: int
    assigned_at: int | None
    accepted_at: int | None
    arrived_at: int | None
    finished_at: int | None
    verified_at: int | None
    closed_at: int | None
    version: int
    title_zh: str
    title_en: str
    guidance_zh: str
    guidance_en: str

    @property
    def ticket(self) -> Ticket:
        """The part that the table in rules.tickets moves."""
        return Ticket(
            self.state,
            self.assignee,
            self.assigned_at,
            self.accepted_at,
            self.arrived_at,
            self.finished_at,
            self.verified_at,
            self.closed_at,
        )

    @property
    def title(self) -> Label:
        """What is wrong."""
        return Label(self.title_zh, self.title_en)

    @property
    def guidance(self) -> Label:
        """What to do."""
        return Label(self.guidance_zh, self.guidance_en)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketJournalRow:
    """One move of a ticket."""

    id: int
    ticket_id: str
    at: int
    actor: str
    event: str
    state: str
    version: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """A value that somebody wants a point to have. `ttl`: seconds until it reverts, 0 for ever.

    `last_step` and `message` are the gateway's newest word, or why the desk could not send it. `due_at` as in Order.
    """

    id: str
    site: str
    gateway: str
    asset: str
    point: str
    value: float | int | bool
    ttl: float
    reason: str
    asked_by: str
    approved_by: str
    state: CommandState
    last_step: str
    message: str
    created_at: int
    approved_at: int | None
    expires_at: int | None
    due_at: int
    changed_at: int
    version: int

    @property
    def order(self) -> Order:
        """The part that the table in rules.commanding moves."""
        return Order(self.state, self.due_at, self.approved_by, self.approved_at, self.expires_at)

    @property
    def shown(self) -> str:
        """The one word that a person sees: what the gateway said last, else where the desk stands."""
        told = self.last_step if self.state in (CommandState.SENT, CommandState.ENDED) else ""
        return told or self.state.value


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStepRow:
    """What a gateway said of a command: `at` by its own clock, `recorded_at` when it was heard."""

    id: int
    command_id: str
    step: str
    at: int
    recorded_at: int
    value: Value
    message: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """Something that must leave: a `message` to a channel, or a `notice` on the bus. State: pending, sent, dead.

    `key` is the idempotency key. `due_at` is when the next attempt is due, `error` the last one's. `priority` is the
    severity of the alarm: emergencies leave first.
    """

    id: int
    site: str
    kind: str
    channel: str
    alarm_id: str | None
    ticket_id: str | None
    priority: int
    payload: str
    key: str
    state: str
    due_at: int
    attempts: int
    error: str
    created_at: int
    sent_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One attempt to send: when it began, how long it took, and what came of it."""

    id: int
    outbox_id: int
    channel: str
    attempt: int
    at: int
    took_ms: int
    ok: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far the rules are with a gateway: its newest (boot, seq), the newest instant judged, in all and per asset."""

    gateway: str
    boot: str = ""
    seq: int = 0
    at: int = 0
    assets: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The whole at a glance.

    `active_by_severity` counts alarms that are active and not suppressed; `live` those that are not over; `alarms`,
    `emergencies`, `tickets` and `by_class` (alarms by asset class) everything there ever was. `sent` and `dead` count
    messages; `outbox_*` count notices for the bus too.
    """

    active_by_severity: dict[int, int]
    live: int
    owed: int
    suppressed: int
    alarms: int
    emergencies: int
    tickets: int
    open_tickets: int
    outbox_pending: int
    outbox_dead: int
    sent: int
    dead: int
    by_class: dict[str, int]

    LEVELS: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)


def alarm_row(mapping: Columns) -> AlarmRow:
    """A row of the table `alarms`."""
    values = {name: mapping[name] for name in _names(AlarmRow)}
    values["state"] = State(values["state"])
    values["suppression"] = Suppression(values["suppression"])
    return AlarmRow(**values)


def ticket_row(mapping: Columns) -> TicketRow:
    """A row of the table `tickets`."""
    values = {name: mapping[name] for name in _names(TicketRow)}
    values["state"] = TicketState(values["state"])
    return TicketRow(**values)


def command_row(mapping: Columns) -> CommandRow:
    """A row of the table `commands`."""
    values = {name: mapping[name] for name in _names(CommandRow)}
    values["state"] = CommandState(values["state"])
    return CommandRow(**values)


def row(kind: type[T], mapping: Columns) -> T:
    """A row of any other table, as the dataclass `kind`; columns that it does not name are left out."""
    return kind(**{name: mapping[name] for name in _names(kind)})  # type: ignore[arg-type]


def values(item: AlarmRow | TicketRow | CommandRow) -> dict[str, Any]:
    """The columns of an alarm, ticket or command; enums become their text."""
    found = {name: getattr(item, name) for name in _names(type(item))}  # type: ignore[arg-type]
    for name in found.keys() & {"state", "suppression"}:
        found[name] = found[name].value
    return found


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))
