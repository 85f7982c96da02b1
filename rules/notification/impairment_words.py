"""What people are told of an impairment, in both languages. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from facility.clock import from_ms
from facility.points import Label
from rules.drills.impairments import Impairment
from rules.notification.notify import Words

TITLE = Label("设施停用", "Impairment")
EVENTS = {
    "open": Label("已登记，须在 {until} 前恢复。负责人：{owner}", "opened, to be restored by {until}. Owner: {owner}"),
    "extend": Label("已延期至 {until}。负责人：{owner}", "extended to {until}. Owner: {owner}"),
    "restore": Label("已恢复，待签认", "restored, to be signed off"),
    "close": Label("已签认关闭", "signed off and closed"),
    "overdue": Label(
        "已超期：应于 {until} 前恢复，由其屏蔽的报警已恢复通知。负责人：{owner}",
        "OVERDUE since {until}; alarms that it kept quiet are told again. Owner: {owner}",
    ),
    "missed": Label("漏巡 {missed} 次，请立即派人巡查并登记", "rounds missed: {missed}. Send somebody round now"),
}
_GUIDANCE = Label("恢复前按补偿措施巡查：", "Until it is restored: ")


def said(item: Impairment, event: str, at: int, time_zone: str, language: str) -> Words:
    """Title, one line and what makes up for it."""
    zone = ZoneInfo(time_zone)
    until, today = from_ms(item.expires_at).astimezone(zone), from_ms(at).astimezone(zone)
    clock = until.strftime("%H:%M" if until.date() == today.date() else "%Y-%m-%d %H:%M")
    what = EVENTS[event].to(language).format(until=clock, owner=item.owner, missed=item.missed)
    title = f"{TITLE.to(language)}{'：' if language == 'zh' else ': '}{item.what}"
    text = f"【{title}】{what}" if language == "zh" else f"[{title}] {what}"
    return Words(title, text, _GUIDANCE.to(language) + item.measures if item.measures else "")
