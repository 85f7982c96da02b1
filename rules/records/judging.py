"""The engine's judgements applied to the live alarms: opened, moved, or written down as past; and how they behave.

Pure. What a transition changes is worked out in `transitions`, as for the commands of people.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from facility.points import Label
from rules.effects import Judgement
from rules.life import chatter
from rules.life.alarm import Event, Suppression
from rules.life.chatter import Habit
from rules.life.rows import AlarmRow
from rules.notification.notify import is_guarded
from rules.records.opening import CHATTER_GUIDANCE, CHATTER_PRIORITY, CHATTERING, new_alarm
from rules.records.scoped import impaired
from rules.records.transitions import SYSTEM, Act, Changes, Key, mark, move, open_ticket, write_down

_CONDITION = frozenset({Event.RAISE, Event.CLEAR})


def judge(changes: Changes, live: MutableMapping[Key, AlarmRow], judgement: Judgement) -> None:
    """Apply one judgement to the live alarms; `live` follows, so that the next judgement sees it."""
    key = judgement.key
    row = live.get(key)
    event = Event(judgement.event)
    if row is None:
        if event in (Event.CLEAR, Event.RELEASE):
            changes.unchanged += 1
            return
        row = _open(changes, judgement)
    elif event in _CONDITION and _is_past(judgement, row):
        # the live alarm knows better than a past told late; the journal still says that it happened
        write_down(changes, row, event.value, Act(at=judgement.at, judgement=judgement), "historical")
        return
    after = move(changes, row, event, Act(at=judgement.at, judgement=judgement))
    if after is row:
        changes.unchanged += 1
    elif not (judgement.historical or after.drill):
        after = _behave(changes, key, after, judgement)
    if after.live:
        live[key] = after
    else:
        live.pop(key, None)


def _is_past(judgement: Judgement, row: AlarmRow) -> bool:
    """Whether the alarm has moved on since; what is live is never taken for past, should the clock have gone back."""
    newest = max(row.raised_at or 0, row.cleared_at or 0)
    return (judgement.historical or judgement.late) and judgement.at < newest


def _behave(changes: Changes, key: Key, row: AlarmRow, judgement: Judgement) -> AlarmRow:
    """Remember how the alarm behaves; one that chatters is shelved for a while, unless it must not be."""
    at = judgement.at
    before = changes.behaved.get(key) or changes.habits.get(key) or Habit()
    if judgement.event == "raise":
        changes.behaved[key] = chatter.raised(before, at)
        return row
    if judgement.event != "clear":
        return row
    habit = changes.behaved[key] = chatter.cleared(before, at)
    if habit.episodes > before.episodes:
        _chatter_ticket(changes, row)
    if not habit.erupts:
        return row
    if row.chattering_since is None:
        row = mark(changes, row, "chattering", chattering_since=habit.since)
    if row.suppression is not Suppression.NONE or is_guarded(row):
        return row
    until = max(at, changes.at) + chatter.SHELVE_MS
    act = Act(at=at, actor=SYSTEM, until=until, seen=judgement.seen, reason="chattering")
    return move(changes, row, Event.SHELVE, act)


def _chatter_ticket(changes: Changes, row: AlarmRow) -> None:
    """One ticket for each episode, for whoever mends the contact."""
    title = Label(CHATTERING.zh + row.title_zh, CHATTERING.en + row.title_en)
    open_ticket(changes, row, (title, CHATTER_GUIDANCE), priority=CHATTER_PRIORITY, alarm_id=None)


def _open(changes: Changes, judgement: Judgement) -> AlarmRow:
    """A new alarm, still normal; the raise that follows makes it what it is."""
    habit = changes.behaved.get(judgement.key) or changes.habits.get(judgement.key) or Habit()
    since = habit.chattering_since(judgement.at)
    id_ = changes.new_id("A", changes.at)
    row = new_alarm(judgement, id_, site=changes.routing.site, at=changes.at, chattering_since=since)
    changes.opened[row.id] = row
    removal = changes.removals.get(row.asset)
    covered = removal.id if removal and (removal.life_safety or not is_guarded(row)) else None
    if out := covered or impaired(changes.routing, row, judgement.facts):
        row = move(changes, row, Event.REMOVE, Act(at=judgement.at, actor=SYSTEM, removal=out))
    return row
