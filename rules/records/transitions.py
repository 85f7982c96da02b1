"""What a transition changes, worked out before anything is written: alarm, journal, ticket, messages, notice.

Pure. `Changes` gathers everything that one transaction has to write; the engine's judgements and the commands of people
both go through `move`, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from facility.points import Label
from rules.effects import Judgement, Look, Seen, blind
from rules.life.alarm import Alarm, Event, State, Suppression, step
from rules.life.changed import changed
from rules.life.chatter import Habit
from rules.life.rows import AlarmRow, RemovalRow, TicketRow
from rules.notification.notify import (
    Decision,
    Moment,
    Routing,
    decide,
    message,
    notice,
    ticket_priority,
    wants_ticket,
)
from rules.notification.queued import queued
from rules.notification.sift import FOLDED, NOBODY, Sift
from rules.records.opening import new_ticket
from rules.records.scoped import rehearsed

ENGINE = "engine"
"""The actor of what the rules engine did."""
SYSTEM = "system"
"""The actor of what time did, such as the end of a shelving."""

NewId = Callable[[str, int], str]
"""Gives an id for a prefix and an instant: ids sort by instant."""
Key = tuple[str, int, str]
"""(rule, index, asset): the identity of an alarm within its site."""

_RELEASES = frozenset({Event.UNSHELVE, Event.RELEASE, Event.RETURN})
_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Changes:
    """Everything that one transaction writes. `at` is the instant of writing; `versions` those that the rows had.

    `habits` are those loaded, by alarm, and `behaved` the ones that changed; `removals` the assets out of service.
    `look` says what the points of a rule are now, for the journal of what people and time do.
    `sift` holds back what need not be told on its own; without it everything is told at once.
    """

    routing: Routing
    at: int
    new_id: NewId
    habits: dict[Key, Habit] = field(default_factory=dict)
    removals: Mapping[str, RemovalRow] = field(default_factory=dict)
    look: Look = blind
    behaved: dict[Key, Habit] = field(default_factory=dict)
    sift: Sift | None = None
    opened: dict[str, AlarmRow] = field(default_factory=dict)
    moved: dict[str, AlarmRow] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[TicketRow] = field(default_factory=list)
    ticket_journal: list[dict[str, Any]] = field(default_factory=list)
    outbox: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0
    duplicates: int = 0

    def keep(self, row: AlarmRow) -> None:
        """Remember the newest form of an alarm."""
        if row.id in self.opened:
            self.opened[row.id] = row
        else:
            self.moved[row.id] = row
        if self.sift and not row.drill:  # a drill is no cause of anything real
            self.sift.note(row)

    def sifted(
        self, row: AlarmRow, decision: Decision, *, settled: bool = False, again: bool = False
    ) -> tuple[AlarmRow, Decision]:
        """The alarm and who is told of it now, as `Sift.decide`."""
        if self.sift is None or row.drill:
            return changed(row, quiet="", tell_at=None, cause_id=None), decision
        return self.sift.decide(row, decision, self.at, settled=settled, again=again)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who did what when: `until` is the end of a shelving, `judgement` what the engine said, if it was the engine.

    `seen` are the readings of the rule at that instant, if they are not those of now; `removal` what takes it out of
    service; `reason` a code of REASONS that says more than why people were told.
    """

    at: int
    actor: str = ENGINE
    note: str = ""
    until: int | None = None
    judgement: Judgement | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)
    removal: str | None = None
    reason: str = ""


def identity(site: str, judgement: Judgement) -> str:
    """What makes a judgement the same one, should it come again after a commit whose answer was lost."""
    rule = judgement.rule
    return f"{site}|{rule.id}|{rule.index}|{judgement.asset}|{judgement.event}|{judgement.since}|{judgement.at}"


def move(changes: Changes, row: AlarmRow, event: Event, act: Act) -> AlarmRow:
    """The alarm after `event`, with its journal, ticket, messages and notice added to `changes`.

    Returns the same row when the table says that nothing is new. TransitionError, ValueError as `alarm.step`.
    """
    before = row.alarm
    alarm = step(before, event, act.at, until=act.until)
    if alarm is before:
        return row
    changes.versions.setdefault(row.id, row.version)
    said = act.judgement
    moment = Moment(act.at, said.since, said.facts) if said else Moment(act.at, row.since, row.facts)
    historical = said is not None and said.historical
    extra: dict[str, Any] = {}
    if event is Event.RAISE:
        extra = {"told": False, "since": moment.since, "facts": dict(moment.facts), "historical": historical}
        if said:
            extra["rule_version"] = said.rule.version
            extra["severity"] = int(said.rule.severity)  # it may have escalated when it was raised before
        extra["drill"] = rehearsed(changes.routing, row, moment.facts, act.at)
    elif event is Event.ACKNOWLEDGE:
        extra = {"acknowledged_by": act.actor}
    elif event in (Event.REMOVE, Event.RETURN):
        extra = {"removal_id": act.removal}
    if event in (Event.RAISE, Event.CLEAR):
        extra["stale_at"] = None
    row = _moved(row, alarm, changes.at, extra)
    decision = decide(row, event.value, changes.routing, at=changes.at, historical=historical)
    if event is Event.RAISE:
        row, decision = changes.sifted(row, decision)
        row = _told(_with_ticket(changes, row, moment, historical=historical), decision, changes.at)
    changes.keep(row)
    write_down(changes, row, event.value, act, act.reason or decision.reason)
    _send(changes, row, event.value, decision, moment)
    _tell_bus(changes, row, event.value, act.at)
    if event in _RELEASES:
        row = announce(changes, row)
    return row


def announce(changes: Changes, row: AlarmRow) -> AlarmRow:
    """Tell people of an alarm that stands although nobody was told when it was raised.

    It was suppressed, or replayed, or held back; what is still to be held back is written down with its new reason.
    One that chatters waits until they may be told anew.
    """
    if row.told or row.state is not State.UNACKNOWLEDGED or row.suppression is not Suppression.NONE:
        return row
    if changes.sift is None and row.quiet:
        return row  # the rules role sees to it, which knows of causes and floods
    decision = decide(row, "raise", changes.routing, at=changes.at)
    if decision.reason == "chattering":
        return row
    changes.versions.setdefault(row.id, row.version)
    moment = Moment(row.raised_at or changes.at, row.since, row.facts)
    before, had_ticket = row.quiet, row.ticket_id is not None
    row, decision = changes.sifted(row, decision, settled=True)
    row = changed(_with_ticket(changes, row, moment), version=row.version + 1, changed_at=changes.at)
    row = _told(row, decision, changes.at)
    changes.keep(row)
    if row.quiet and row.quiet == before and not row.cause_id:
        return row  # held a little longer
    event = "fold" if row.cause_id else "announce"
    write_down(changes, row, event, Act(at=changes.at, actor=SYSTEM), decision.reason)
    _send(changes, row, "raise", decision, moment)
    if before and had_ticket:  # its message was held back too
        _send(changes, row, "ticket", decide(row, "ticket", changes.routing, at=changes.at), moment)
    _tell_bus(changes, row, event, changes.at)
    return row


def escalate(changes: Changes, row: AlarmRow, severity: int) -> AlarmRow:
    """Make an alarm that has stood for long more severe, and tell whom the new severity goes to."""
    changes.versions.setdefault(row.id, row.version)
    before = row
    row = changed(row, severity=severity, version=row.version + 1, changed_at=changes.at)
    decision = decide(changed(row, told=False, chattering_since=None), "raise", changes.routing, at=changes.at)
    sifted, decision = changes.sifted(row, decision, settled=True, again=True)
    if decision.is_told:
        row = _told(sifted, decision, changes.at)
    changes.keep(row)
    reason = "escalated" if decision.is_told else decision.reason
    note = f"{before.severity} → {severity}"
    write_down(changes, row, "escalate", Act(at=changes.at, actor=SYSTEM, note=note), reason)
    _send(changes, row, "escalate", decision, Moment(changes.at, row.since, row.facts))
    _tell_bus(changes, row, "escalate", changes.at)
    return row


def mark(changes: Changes, row: AlarmRow, event: str, **values: Any) -> AlarmRow:
    """Change what is known of an alarm beside its states (`event` is a code of REASONS too); journal and notice."""
    changes.versions.setdefault(row.id, row.version)
    row = changed(row, version=row.version + 1, changed_at=changes.at, **values)
    changes.keep(row)
    remark(changes, row, event, event)
    _tell_bus(changes, row, event, changes.at)
    return row


def remark(changes: Changes, row: AlarmRow, event: str, reason: str) -> None:
    """Write something down about an alarm without moving it."""
    write_down(changes, row, event, Act(at=changes.at, actor=SYSTEM), reason)


def _moved(row: AlarmRow, alarm: Alarm, at: int, extra: dict[str, Any]) -> AlarmRow:
    return changed(
        row,
        state=alarm.state,
        suppression=alarm.suppression,
        live=alarm.is_live,
        raise_count=alarm.raises,
        raised_at=alarm.raised_at,
        cleared_at=alarm.cleared_at,
        acknowledged_at=alarm.acknowledged_at,
        shelved_until=alarm.shelved_until,
        inhibited=alarm.inhibited,
        changed_at=at,
        version=row.version + 1,
        **extra,
    )


def _told(row: AlarmRow, decision: Decision, at: int) -> AlarmRow:
    """`told` also where there is nobody to tell, so that nobody tries again and again."""
    told = decision.is_told or decision.reason in NOBODY
    return changed(row, told=told, told_at=at if told else row.told_at)


def _with_ticket(changes: Changes, row: AlarmRow, moment: Moment, *, historical: bool = False) -> AlarmRow:
    """The alarm with the one ticket that it opens, unless it has one, wants none, is suppressed, or a drill."""
    if not wants_ticket(row) or row.drill or row.suppression is not Suppression.NONE:
        return row
    priority = ticket_priority(row)
    ticket = open_ticket(changes, row, (row.title, row.guidance), priority=priority, alarm_id=row.id)
    row = changed(row, ticket_id=ticket.id)
    decision = decide(row, "ticket", changes.routing, at=changes.at, historical=historical)
    _send(changes, row, "ticket", decision, moment)
    return row


def open_ticket(
    changes: Changes, row: AlarmRow, words: tuple[Label, Label], *, priority: int, alarm_id: str | None
) -> TicketRow:
    """A new ticket about an alarm, with its journal."""
    ticket_id = changes.new_id("T", changes.at)
    ticket = new_ticket(row, ticket_id, words, priority=priority, alarm_id=alarm_id, at=changes.at)
    changes.tickets.append(ticket)
    changes.ticket_journal.append(ticket_entry(ticket, "open", changes.at, actor=SYSTEM))
    return ticket


def ticket_entry(ticket: TicketRow, event: str, at: int, *, actor: str, note: str = "") -> dict[str, Any]:
    """A row of the ticket's journal."""
    return {
        "ticket_id": ticket.id,
        "at": at,
        "actor": actor,
        "event": event,
        "state": ticket.state.value,
        "version": ticket.version,
        "note": note,
    }


def write_down(changes: Changes, row: AlarmRow, event: str, act: Act, reason: str) -> None:
    """Add to the journal of an alarm."""
    seen = act.judgement.seen if act.judgement else act.seen or changes.look(row.asset, row.facts)
    changes.journal.append(
        {
            "alarm_id": row.id,
            "at": act.at,
            "recorded_at": changes.at,
            "actor": act.actor,
            "event": event,
            "state": row.state.value,
            "suppression": row.suppression.value,
            "version": row.version,
            "reason": reason,
            "note": act.note or (row.cause_id or "" if reason == FOLDED else ""),
            "judgement": identity(row.site, act.judgement) if act.judgement else None,
            "rule_version": act.judgement.rule.version if act.judgement else "",
            "seen": {
                key: {"value": item.value, "quality": item.quality and item.quality.value, "at": item.at}
                for key, item in seen.items()
            },
        }
    )


def _send(changes: Changes, row: AlarmRow, event: str, decision: Decision, moment: Moment) -> None:
    for channel in decision.channels:
        built = message(row, event, channel, changes.routing, moment)
        payload = _encoder.encode(built).decode()
        changes.outbox.append(_outbox(changes, row, "message", channel=channel, key=built.key, payload=payload))


def _tell_bus(changes: Changes, row: AlarmRow, event: str, at: int) -> None:
    payload = _encoder.encode(notice(row, event, at)).decode()
    changes.outbox.append(_outbox(changes, row, "notice", key=f"{row.id}:notice:{row.version}", payload=payload))


def _outbox(changes: Changes, row: AlarmRow, kind: str, *, key: str, payload: str, channel: str = "") -> dict[str, Any]:
    return queued(
        changes.at,
        site=row.site,
        kind=kind,
        channel=channel,
        alarm_id=row.id,
        ticket_id=row.ticket_id,
        priority=row.severity,
        payload=payload,
        key=key,
    )
