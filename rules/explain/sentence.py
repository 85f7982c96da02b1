"""One sentence for a person: why a rule has raised its alarm, or why it has not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from facility.points import Label
from facility.readings import Quality
from facility.words import QUALITIES
from rules.explain.scene import Account, Input
from rules.explain.words import duration, unknown, why
from rules.language.trace import Node

VERDICTS: Mapping[str, Label] = {
    "active": Label("报警中", "in alarm"),
    "clearing": Label("正在恢复", "returning"),
    "pending": Label("即将报警", "about to ring"),
    "paused": Label("计时暂停", "its delay stands still"),
    "unknown": Label("无法判断", "can't tell"),
    "outside_hours": Label("不在生效时段", "outside its hours"),
    "disabled": Label("未启用", "not enabled"),
    "watching": Label("监视中", "watching"),
}


def sentence(account: Account, language: str) -> str:
    """Why it is as it is, at the instant of the account."""
    zh = language.startswith("zh")
    verdict, state, at = account.verdict, account.state, account.at
    lasted = duration(at - state.since, language) if state.since else ""
    if verdict == "active":
        if account.when.value is not True:
            return _still_active(account, language)
        reason = _said(account, account.when, language)
        return f"{reason}{_lasted(lasted, language)}"
    if verdict == "clearing":
        left = duration((account.due or at) - at, language) if account.due else ""
        text = Label("恢复条件已满足", "Its condition to clear is met").to(language)
        if not left:
            return text + _lasted(lasted, language)
        return f"{text}，再过 {left} 恢复" if zh else f"{text}; it returns to normal in {left}"
    if verdict == "pending":
        left = duration((account.due or at) - at, language)
        tail = f"，再过 {left} 报警" if zh else f"; it rings in {left}"
        return _said(account, account.when, language) + _lasted(lasted, language) + tail
    if verdict == "paused":
        reason = _said(account, account.when, language)
        return f"计时暂停：{reason}" if zh else f"Its delay stands still: {reason}"
    if verdict == "unknown":
        node = account.when if account.when.value is None or account.enable is None else account.enable
        return ("无法判断：" if zh else "It can't tell: ") + _said(account, node, language)
    if verdict == "outside_hours":
        return Label("不在规则的生效时段内", "It is outside the hours of the rule").to(language)
    if verdict == "disabled" and account.enable is not None:
        return ("规则此时不适用：" if zh else "The rule does not apply now: ") + _said(
            account, account.enable, language
        )
    return ("条件不成立：" if zh else "Its condition is not met: ") + _said(account, account.when, language)


def missing(account: Account, language: str) -> str:
    """What is still missing before an active alarm clears; empty when nothing is, or it is not active."""
    if account.verdict not in ("active", "clearing") or account.cleared is True:
        return ""
    if account.clear is not None and account.clear.value is not True:
        return _said(account, account.clear, language)
    if account.enable is not None and account.enable.value is not True:
        return _said(account, account.enable, language)
    if account.in_hours is False:
        return Label("不在规则的生效时段内", "it is outside the hours of the rule").to(language)
    return _said(account, account.when, language)


def _still_active(account: Account, language: str) -> str:
    """The alarm stands although its condition is not true now: what it waits for to clear."""
    lacks = missing(account, language)
    if language.startswith("zh"):
        return f"触发条件已不成立，但恢复条件尚未满足：{lacks}" if lacks else "触发条件已不成立"
    return f"What raised it is over, but it can't clear yet: {lacks}" if lacks else "What raised it is over"


def _said(account: Account, node: Node, language: str) -> str:
    """The claims that decided it; where it is unknown, what is the matter with each input."""
    blind = [item for item in unknown(node) if item.point] if node.value is None else []
    inputs = {item.point.key: item for item in reversed(account.inputs)}
    known = [inputs[item.point.key] for item in blind if item.point and item.point.key in inputs]
    silent = list(dict.fromkeys(item.point.key for item in known if item.value is None))
    if node.value is None and silent:
        return Label("；", "; ").to(language).join(_matter(inputs[key], account.at, language) for key in silent)
    return why(node, language)


def _matter(item: Input, at: int, language: str) -> str:
    """What is the matter with an input, and since when."""
    name = item.point.label.to(language)
    if item.quality is None or not item.at:
        return f"{name}没有收到数据" if language.startswith("zh") else f"nothing was received for {name}"
    words = QUALITIES[Quality.COMM if item.quality is Quality.GOOD else item.quality].to(language)
    age = duration(at - item.at, language)
    return f"{name}{words}（{age}前）" if language.startswith("zh") else f"{name}: {words} ({age} ago)"


def _lasted(lasted: str, language: str) -> str:
    if not lasted:
        return ""
    return f"，已持续 {lasted}" if language.startswith("zh") else f", for {lasted}"
