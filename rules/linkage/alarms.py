"""The alarms of a linkage as rules: each effect that is missing, weak, not to be seen, or there unasked has its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from facility.points import Label
from rules.linkage.matrix import Effect, Matrix
from rules.linkage.verdicts import Verdict
from rules.rule import Raises, Rule, Severity
from rules.versions import stamped

WEAK, UNKNOWN, UNEXPECTED = "fire_alarm.linkage_weak", "fire_alarm.linkage_unknown", "fire_alarm.linkage_unexpected"
IDS: Mapping[str, Severity] = {WEAK: Severity.URGENT, UNKNOWN: Severity.URGENT, UNEXPECTED: Severity.URGENT}
"""Those that are the same for every effect, with their severity."""
_TEXTS: Mapping[str, tuple[Label, Label]] = {
    WEAK: (
        Label("联动证据不足：{effect}", "Linkage not fully proven: {effect}"),
        Label(
            "只有部分证据表明已动作，派人现场核实，核实前不要当作已动作。{action}",
            "Only a part of what proves it was seen; send somebody to look. Do not count on it before that. {action}",
        ),
    ),
    UNKNOWN: (
        Label("联动反馈无法判断：{effect}", "Linkage can't be seen: {effect}"),
        Label(
            "反馈读数无效或过期，平台无法证实其动作，火灾时须派人现场核实，不要当作已动作。检查反馈模块和线路。{action}",
            "Its feedback is bad or too old, so nothing proves it; in a fire send somebody to look. "
            "Do not count on it. Check its module and wiring. {action}",
        ),
    ),
    UNEXPECTED: (
        Label("无火警时联动设备动作：{effect}", "Linkage acted without a fire: {effect}"),
        Label(
            "没有命令却有反馈。派人核实是现场手动、误动作还是接线错误，查明原因后恢复。不要只复位了事。",
            "It acted, and nothing had told it to. See whether somebody operated it, it did so by itself, "
            "or a contact is wired wrong; then put it back. Do not just reset it.",
        ),
    ),
}


def failed(effect: Effect) -> Rule:
    """The emergency of an effect that did not come."""
    rule = Rule(
        id=f"fire_alarm.{effect.id}_failed",
        asset_class="fire_alarm",
        label=effect.missing,
        guidance=effect.action,
        severity=Severity.EMERGENCY,
        raises=Raises.EMERGENCY,
        when="",
        latch=True,
        shelvable=False,
        index=effect.number,
    )
    return stamped(rule, definition(effect))


def common(rule_id: str, effect: Effect) -> Rule:
    """One of IDS for an effect."""
    label, guidance = _TEXTS[rule_id]
    rule = Rule(
        id=rule_id,
        asset_class="fire_alarm",
        label=_filled(label, effect),
        guidance=_filled(guidance, effect),
        severity=IDS[rule_id],
        raises=Raises.TICKET,
        when="",
        shelvable=False,
        index=effect.number,
    )
    return stamped(rule, definition(effect))


def definition(effect: Effect) -> dict[str, object]:
    """The row of the matrix as plain data, for the text of its alarms; limits in seconds from T0."""
    return {
        "effect": effect.number,
        "basis": effect.basis,
        "limit_s": effect.limit / 1000,
        "proofs": [
            {
                "count": proof.count,
                "part": proof.part,
                "terms": [
                    {"asset": term.asset, "when": term.text, "limit_s": term.limit / 1000} for term in proof.terms
                ],
            }
            for proof in effect.proofs
        ],
        "command": effect.command.text if effect.command else "",
        "unexpected": effect.unexpected.text if effect.unexpected else "",
        "continuous": effect.continuous,
        "fallback": effect.fallback,
        "zones": sorted(effect.zones),
    }


def of_verdict(verdict: Verdict, effect: Effect) -> Rule | None:
    """The alarm that stands while an effect has this verdict."""
    if verdict is Verdict.FAILED:
        return failed(effect)
    name = {Verdict.WEAK: WEAK, Verdict.UNKNOWN: UNKNOWN}.get(verdict)
    return common(name, effect) if name else None


def rules_of(matrices: Iterable[Matrix]) -> list[Rule]:
    """Every rule that the linkage of a site may raise."""
    found = {}
    for matrix in matrices:
        for effect in matrix.effects:
            if effect.excused is None:
                for rule in (failed(effect), *(common(name, effect) for name in IDS)):
                    found[rule.id, rule.index] = rule
    return list(found.values())


def _filled(text: Label, effect: Effect) -> Label:
    zh = text.zh.replace("{effect}", effect.label.zh).replace("{action}", effect.action.zh)
    return Label(zh, text.en.replace("{effect}", effect.label.en).replace("{action}", effect.action.en))
