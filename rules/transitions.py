"""What a transition changes, worked out before anything is written: alarm, journal, ticket, messages, notice.

Pure. `Changes` gathers everything that one transaction has to write; the engine's judgements and the commands of people
both go through `move`, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from rules.alarm import Alarm, Event, State, Suppression, step
from rules.effects import Judgement
from rules.notify import Decision, Moment, Routing, decide, message, notice, ticket_priority, wants_ticket
from rules.rows import AlarmRow, TicketRow
from rules.tickets import TicketState

ENGINE = "engine"
"""The actor of what the rules engine did."""
SYSTEM = "system"
"""The actor of what time did, such as the end of a shelving."""

NewId = Callable[[str, int], str]
"""Gives an id for a prefix and an instant: ids sort by instant."""
Key = tuple[str, int, str]
"""(rule, index, asset): the identity of an alarm within its site."""

_RELEASES = frozenset({Event.UNSHELVE, Event.RELEASE, Event.RETURN})
_NOBODY_TO_TELL = frozenset({"no_route", "no_channel"})
_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Changes:
    """Everything that one transaction writes. `at` is the instant of writing; `versions` those that the rows had."""

    routing: Routing
    at: int
    new_id: NewId
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who did what when: `until` is the end of a shelving, `judgement` what the engine said, if it was the engine."""

    at: int
    actor: str = ENGINE
    note: str = ""
    until: int | None = None
    judgement: Judgement | None = None


def identity(site: str, judgement: Judgement) -> str:
    """What makes a judgement the same one, should it come again after a commit whose answer was lost."""
    rule = judgement.rule
    return f"{site}|{rule.id}|{rule.index}|{judgement.asset}|{judgement.event}|{judgement.since}|{judgement.at}"


def key_of(judgement: Judgement) -> Key:
    """The alarm that a judgement is about."""
    return judgement.rule.id, judgement.rule.index, judgement.asset


def judge(changes: Changes, live: MutableMapping[Key, AlarmRow], judgement: Judgement) -> None:
    """Apply one judgement to the live alarms; `live` follows, so that the next judgement sees it."""
    key = key_of(judgement)
    row = live.get(key)
    event = Event(judgement.event)
    if row is None:
        if event is Event.CLEAR:
            changes.unchanged += 1
            return
        row = _open(changes, judgement)
    elif judgement.historical and judgement.at < max(row.raised_at or 0, row.cleared_at or 0):
        # the live alarm knows better than a replayed past; the journal still says that it happened
        _write_down(changes, row, event.value, Act(at=judgement.at, judgement=judgement), "historical")
        return
    after = move(changes, row, event, Act(at=judgement.at, judgement=judgement))
    if after is row:
        changes.unchanged += 1
    if after.live:
        live[key] = after
    else:
        live.pop(key, None)


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
    elif event is Event.ACKNOWLEDGE:
        extra = {"acknowledged_by": act.actor}
    row = _moved(row, alarm, changes.at, extra)
    decision = decide(row, event.value, changes.routing, historical=historical)
    if event is Event.RAISE:
        row = _told(_with_ticket(changes, row, moment, historical=historical), decision)
    changes.keep(row)
    _write_down(changes, row, event.value, act, decision.reason)
    _send(changes, row, event.value, decision, moment)
    _tell_bus(changes, row, event.value, act.at)
    if event in _RELEASES:
        row = announce(changes, row)
    return row


def announce(changes: Changes, row: AlarmRow) -> AlarmRow:
    """Tell people of an alarm that stands although nobody was told when it was raised (suppressed, or replayed)."""
    if row.told or row.state is not State.UNACKNOWLEDGED or row.suppression is not Suppression.NONE:
        return row
    changes.versions.setdefault(row.id, row.version)
    moment = Moment(row.raised_at or changes.at, row.since, row.facts)
    decision = decide(row, "raise", changes.routing)
    row = replace(_with_ticket(changes, row, moment), version=row.version + 1, changed_at=changes.at)
    row = _told(row, decision)
    changes.keep(row)
    _write_down(changes, row, "announce", Act(at=changes.at, actor=SYSTEM), decision.reason)
    _send(changes, row, "raise", decision, moment)
    _tell_bus(changes, row, "announce", changes.at)
    return row


def remark(changes: Changes, row: AlarmRow, event: str, reason: str) -> None:
    """Write something down about an alarm without moving it."""
    _write_down(changes, row, event, Act(at=changes.at, actor=SYSTEM), reason)


def _open(changes: Changes, judgement: Judgement) -> AlarmRow:
    """A new alarm, still normal; the raise that follows makes it what it is."""
    rule = judgement.rule
    row = AlarmRow(
        id=changes.new_id("A", changes.at),
        site=changes.routing.site,
        rule=rule.id,
        rule_index=rule.index,
        rule_version=rule.version,
        asset=judgement.asset,
        asset_class=rule.asset_class,
        severity=int(rule.severity),
        raises=rule.raises.value,
        latch=rule.latch,
        shelvable=rule.shelvable,
        historical=judgement.historical,
        told=False,
        live=True,
        state=State.NORMAL,
        suppression=Suppression.NONE,
        raise_count=0,
        opened_at=changes.at,
        since=judgement.since,
        raised_at=None,
        cleared_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        shelved_until=None,
        changed_at=changes.at,
        version=0,
        title_zh=rule.label.zh,
        title_en=rule.label.en,
        guidance_zh=rule.guidance.zh,
        guidance_en=rule.guidance.en,
        facts={},
        ticket_id=None,
    )
    changes.opened[row.id] = row
    return row


def _moved(row: AlarmRow, alarm: Alarm, at: int, extra: dict[str, Any]) -> AlarmRow:
    return replace(
        row,
        state=alarm.state,
        suppression=alarm.suppression,
        live=alarm.is_live,
        raise_count=alarm.raises,
        raised_at=alarm.raised_at,
        cleared_at=alarm.cleared_at,
        acknowledged_at=alarm.acknowledged_at,
        shelved_until=alarm.shelved_until,
        changed_at=at,
        version=row.version + 1,
        **extra,
    )


def _told(row: AlarmRow, decision: Decision) -> AlarmRow:
    """`told` also where there is nobody to tell, so that nobody tries again and again."""
    told = decision.is_told or decision.reason in _NOBODY_TO_TELL
    return row if told == row.told else replace(row, told=told)


def _with_ticket(changes: Changes, row: AlarmRow, moment: Moment, *, historical: bool = False) -> AlarmRow:
    """The alarm with the one ticket that it opens, unless it has one, wants none, or is suppressed."""
    if not wants_ticket(row) or row.suppression is not Suppression.NONE:
        return row
    ticket = TicketRow(
        id=changes.new_id("T", changes.at),
        site=row.site,
        alarm_id=row.id,
        asset=row.asset,
        asset_class=row.asset_class,
        priority=ticket_priority(row),
        state=TicketState.OPEN,
        assignee="",
        created_at=changes.at,
        changed_at=changes.at,
        assigned_at=None,
        accepted_at=None,
        arrived_at=None,
        finished_at=None,
        verified_at=None,
        closed_at=None,
        version=1,
        title_zh=row.title_zh,
        title_en=row.title_en,
        guidance_zh=row.guidance_zh,
        guidance_en=row.guidance_en,
    )
    row = replace(row, ticket_id=ticket.id)
    changes.tickets.append(ticket)
    changes.ticket_journal.append(ticket_entry(ticket, "open", changes.at, actor=SYSTEM))
    decision = decide(row, "ticket", changes.routing, historical=historical)
    _send(changes, row, "ticket", decision, moment)
    return row


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


def _write_down(changes: Changes, row: AlarmRow, event: str, act: Act, reason: str) -> None:
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
            "note": act.note,
            "judgement": identity(row.site, act.judgement) if act.judgement else None,
            "rule_version": act.judgement.rule.version if act.judgement else "",
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
    return {
        "site": row.site,
        "kind": kind,
        "channel": channel,
        "alarm_id": row.id,
        "ticket_id": row.ticket_id,
        "priority": row.severity,
        "payload": payload,
        "key": key,
        "state": "pending",
        "due_at": changes.at,
        "attempts": 0,
        "lease_until": 0,
        "lease_owner": "",
        "error": "",
        "created_at": changes.at,
        "sent_at": None,
    }
