"""New rows: an alarm that has not been raised yet, and the ticket that somebody has to do. Pure."""

from __future__ import annotations

from facility.points import Label
from rules.effects import Judgement
from rules.life.alarm import State, Suppression
from rules.life.rows import AlarmRow, TicketRow
from rules.life.tickets import TicketState

CHATTERING = Label("频繁报警：", "Chattering: ")
CHATTER_GUIDANCE = Label(
    "该报警在一分钟内反复动作。检查触点、接线和传感器，核对回差和延时设置；现场情况未查明前不要当作误报。",
    "It came and went several times in a minute. Look at contacts, wiring and sensor, then at hysteresis and delays. "
    "Do not take it for a false alarm before somebody has looked.",
)
CHATTER_PRIORITY = 3
"""The ticket of an episode of chattering is maintenance."""


def new_alarm(
    judgement: Judgement, alarm_id: str, *, site: str, at: int, chattering_since: int | None = None
) -> AlarmRow:
    """A new alarm, still normal; the raise that follows makes it what it is."""
    rule = judgement.rule
    return AlarmRow(
        id=alarm_id,
        site=site,
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
        opened_at=at,
        since=judgement.since,
        raised_at=None,
        cleared_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        shelved_until=None,
        changed_at=at,
        version=0,
        title_zh=rule.label.zh,
        title_en=rule.label.en,
        guidance_zh=rule.guidance.zh,
        guidance_en=rule.guidance.en,
        facts={},
        ticket_id=None,
        chattering_since=chattering_since,
    )


def new_ticket(
    row: AlarmRow, ticket_id: str, words: tuple[Label, Label], *, priority: int, alarm_id: str | None, at: int
) -> TicketRow:
    """An open ticket at the alarm's asset: `words` are title and guidance.

    `alarm_id` is the alarm that it answers, None for work about it.
    """
    title, guidance = words
    return TicketRow(
        id=ticket_id,
        site=row.site,
        alarm_id=alarm_id,
        asset=row.asset,
        asset_class=row.asset_class,
        priority=priority,
        state=TicketState.OPEN,
        assignee="",
        created_at=at,
        changed_at=at,
        assigned_at=None,
        accepted_at=None,
        arrived_at=None,
        finished_at=None,
        verified_at=None,
        closed_at=None,
        version=1,
        title_zh=title.zh,
        title_en=title.en,
        guidance_zh=guidance.zh,
        guidance_en=guidance.en,
    )
