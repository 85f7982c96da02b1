"""What happens next with an alarm: who owes what, which clocks run, and what it waits for. Pure; instants are ms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from facility.points import Label
from facility.words import SEVERITIES, TICKET_STATES
from rules.explain.scene import Account
from rules.explain.sentence import missing
from rules.life.alarm import State, Suppression
from rules.life.escalation import next_due
from rules.life.rows import AlarmRow, TicketRow
from rules.rule import Rule

_QUIET: Mapping[str, Label] = {
    "settling": Label("暂缓通知，到时再看是否有上级原因", "People are told then, unless its cause has shown itself"),
    "flood": Label("报警洪峰结束后，仍未恢复则补发通知", "It is told on its own if it still stands after the flood"),
    "repeat": Label("反复报警，到时若仍未恢复则再次通知", "It is told again then, if it still stands"),
}


@dataclass(frozen=True, slots=True)
class Next:
    """One thing that is due, or waited for. `code` is stable; `at` when, None where that is open."""

    code: str
    text: Label
    at: int | None = None


def ahead(row: AlarmRow, rule: Rule | None, account: Account | None, ticket: TicketRow | None) -> list[Next]:
    """Everything that is to come, what people owe first."""
    return [*_owed(row), *_clocks(row, rule), *_clearing(row, account), *_work(ticket)]


def _owed(row: AlarmRow) -> Iterator[Next]:
    if row.alarm.is_owed:
        yield Next("acknowledge", Label("等待有人确认", "Somebody has to acknowledge it"))
    if row.state is State.LATCHED_ACKNOWLEDGED:
        yield Next("reset", Label("条件已消除，等待有人复位", "Its condition is over; somebody has to reset it"))
    if row.latch and row.alarm.is_active:
        text = Label("恢复后会锁定，需要确认并复位", "It will be held after it clears, until somebody resets it")
        yield Next("latches", text)


def _clocks(row: AlarmRow, rule: Rule | None) -> Iterator[Next]:
    if row.suppression is Suppression.SHELVED:
        yield Next("shelving_ends", Label("搁置到期", "Its shelving ends"), row.shelved_until)
    if row.suppression is Suppression.OUT_OF_SERVICE:
        text = Label("停用中：工单关闭后恢复监视", "It is out of service until its ticket is closed")
        yield Next("out_of_service", text)
    if row.suppression is Suppression.BY_DESIGN:
        text = Label("按设计抑制：抑制条件消除后通知", "It is suppressed by design; people are told when that ends")
        yield Next("by_design", text)
    due = next_due(row, rule.escalate) if rule else None
    if due:
        level = SEVERITIES[int(due[1])]
        yield Next("escalates", Label(f"升级为“{level.zh}”", f"It becomes {level.en.lower()}"), due[0])
    if row.quiet == "folded" and not row.told:
        text = Label(
            "是另一报警的后果：原因消除后仍未恢复则通知", "It is told if it still stands after its cause is over"
        )
        yield Next("told_at", text, row.tell_at)
    elif row.quiet in _QUIET and not row.told:
        yield Next("told_at", _QUIET[row.quiet], row.tell_at)


def _clearing(row: AlarmRow, account: Account | None) -> Iterator[Next]:
    if account is None or not row.alarm.is_active:
        return
    if account.verdict == "clearing":
        yield Next("clears", Label("恢复延时到期，报警恢复", "Its off-delay is over and it clears"), account.due)
        return
    zh, en = missing(account, "zh"), missing(account, "en")
    if zh:
        yield Next("clear_needs", Label(f"尚未恢复：{zh}", f"It does not clear yet: {en}"))


def _work(ticket: TicketRow | None) -> Iterator[Next]:
    if ticket is None:
        return
    state = TICKET_STATES[ticket.state.value]
    who = ticket.assignee
    text = Label(f"工单：{state.zh}{f'（{who}）' if who else ''}", f"Ticket: {state.en}{f' ({who})' if who else ''}")
    yield Next("ticket", text)
