"""An explanation on the wire: what was gathered (explaining.py) in the shapes of schemas_explain.py. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from api.auth import TABLE, Action
from api.explaining import NOTES, Explained, View
from api.schemas_explain import (
    AlarmExplainedOut,
    AttemptOut,
    ConditionOut,
    InputOut,
    LinkageViewOut,
    MessageOut,
    NextOut,
    NodeOut,
    NoteOut,
    ProofOut,
    RuleStateOut,
    RuleTextOut,
    TimersOut,
    ToldOut,
    ViewOut,
)
from facility.clock import from_ms
from facility.points import Label
from facility.words import QUALITIES
from rules.explain.ahead import Next
from rules.explain.linkage import CAME, Condition, JudgedEffect
from rules.explain.scene import Account, Input
from rules.explain.sentence import VERDICTS, sentence
from rules.explain.telling import Sent, Told
from rules.explain.words import phrase, value_of
from rules.language.trace import Given, Node
from rules.linkage.verdicts import WORDS
from rules.notification.notify import REASONS
from rules.rule import Rule

_WHO: Mapping[str, Action] = {"acknowledge": Action.ALARM_ACKNOWLEDGE, "reset": Action.ALARM_RESET}
_NEVER = Label("未收到", "never received")
_TRUTHS = {True: "true", False: "false", None: "unknown"}


def alarm_explained(found: Explained) -> AlarmExplainedOut:
    """An alarm."""
    return AlarmExplainedOut(
        alarm=found.row.id,
        asset=found.row.asset,
        rule=rule_text(found.rule) if found.rule else None,
        then=view_out(found.then),
        now=view_out(found.now) if found.now else None,
        told=[_told(item) for item in found.told],
        next=[_next(item) for item in found.next],
    )


def rule_text(rule: Rule) -> RuleTextOut:
    """A rule's text."""
    return RuleTextOut(
        id=rule.id,
        index=rule.index,
        zh=rule.label.zh,
        en=rule.label.en,
        version=rule.version,
        asset_class=rule.asset_class,
        severity=int(rule.severity),
        raises=rule.raises.value,
        when=rule.when,
        clear=rule.clear,
        enable=rule.enable,
        suppress=rule.suppress,
        on_delay=rule.delay,
        off_delay=rule.clear_delay,
        latch=rule.latch,
        origin=rule.origin,
    )


def view_out(view: View) -> ViewOut:
    """A view; without an account only its remarks."""
    account, verdict = view.account, view.verdict
    notes = [NoteOut(code=code, zh=NOTES[code].zh, en=NOTES[code].en) for code in view.notes]
    return ViewOut(
        at=from_ms(view.at),
        verdict=verdict,
        verdict_zh=VERDICTS[verdict].zh,
        verdict_en=VERDICTS[verdict].en,
        sentence_zh=view.sentence("zh"),
        sentence_en=view.sentence("en"),
        truth=_TRUTHS[account.truth] if account else None,
        when=node_out(account.when) if account else None,
        clear=_maybe(account.clear if account else None),
        enable=_maybe(account.enable if account else None),
        suppress=_maybe(account.suppress if account else None),
        in_hours=account.in_hours if account else None,
        inputs=[_input(item, view.at) for item in (account.inputs if account else view.inputs)],
        timers=_timers(account) if account else None,
        notes=notes,
        linkage=linkage_out(view.effect) if view.effect else None,
    )


def linkage_out(effect: JudgedEffect) -> LinkageViewOut:
    """An effect of a fire linkage."""
    run, record = effect.run, effect.record
    return LinkageViewOut(
        run=run.id,
        panel=run.panel,
        zone=run.zone,
        zone_zh=run.zone_label.zh,
        zone_en=run.zone_label.en,
        mode=run.mode,
        cause=run.cause,
        cause_zh=effect.cause.zh,
        cause_en=effect.cause.en,
        t0=from_ms(run.t0),
        effect=record.number,
        zh=record.label.zh,
        en=record.label.en,
        basis=record.basis,
        deadline=None if record.continuous else from_ms(record.limit),
        limit=None if record.continuous else (record.limit - run.t0) / 1000,
        verdict=effect.verdict.value,
        verdict_zh=WORDS[effect.verdict].zh,
        verdict_en=WORDS[effect.verdict].en,
        decided_at=from_ms(record.at) if record.at is not None and record.at <= effect.at else None,
        command=_condition(effect.command, effect) if effect.command else None,
        proofs=[
            ProofOut(
                count=proof.count,
                part=proof.part,
                conditions=[_condition(item, effect) for item in proof.conditions],
            )
            for proof in effect.proofs
        ],
    )


def _reading(item: Input, at: int) -> InputOut:
    """As an input; what came only after the instant has no age."""
    found = _input(item, at)
    return found.model_copy(update={"age": None}) if item.at > at else found


def _condition(item: Condition, effect: JudgedEffect) -> ConditionOut:
    t0 = effect.run.t0
    return ConditionOut(
        asset=item.asset,
        text=item.text,
        zh=item.claim("zh"),
        en=item.claim("en"),
        verdict=item.came.value,
        verdict_zh=CAME[item.came].zh,
        verdict_en=CAME[item.came].en,
        deadline=from_ms(item.limit) if item.limit is not None else None,
        held_at=from_ms(item.held_at) if item.held_at is not None else None,
        seconds=(item.held_at - t0) / 1000 if item.held_at is not None else None,
        tree=node_out(item.node) if item.node else None,
        readings=[_reading(reading, effect.at) for reading in item.readings],
    )


def state_out(view: View) -> RuleStateOut | None:
    """A rule in one line."""
    account = view.account
    if account is None:
        return None
    rule, words = account.rule, VERDICTS[account.verdict]
    return RuleStateOut(
        rule=rule.id,
        index=rule.index,
        zh=rule.label.zh,
        en=rule.label.en,
        severity=int(rule.severity),
        verdict=account.verdict,
        verdict_zh=words.zh,
        verdict_en=words.en,
        sentence_zh=sentence(account, "zh"),
        sentence_en=sentence(account, "en"),
        since=from_ms(account.state.since) if account.state.since else None,
        due=from_ms(account.due) if account.due else None,
    )


def node_out(node: Node) -> NodeOut:
    """A tree."""
    truth = isinstance(node.value, bool) if node.value is not None else None
    return NodeOut(
        form=node.form.value,
        text=node.text,
        zh=phrase(node, "zh"),
        en=phrase(node, "en"),
        truth=_TRUTHS[node.value if truth else None] if node.is_truth else None,  # type: ignore[index]
        value=_told_value(node.value),
        shown_zh=value_of(node.value, node.point, node.unit, "zh"),
        shown_en=value_of(node.value, node.point, node.unit, "en"),
        point=node.point.key if node.point else "",
        name=node.name,
        parts=[node_out(part) for part in node.parts],
    )


def _maybe(node: Node | None) -> NodeOut | None:
    return node_out(node) if node else None


def _told_value(value: Given) -> Given:
    """As JSON can carry it: a whole number that no float can hold is told in words only."""
    return None if isinstance(value, int) and abs(value) > sys.float_info.max else value


def _input(item: Input, at: int) -> InputOut:
    quality = QUALITIES[item.quality] if item.quality else _NEVER
    return InputOut(
        asset=item.asset,
        point=item.point.key,
        zh=item.point.label.zh,
        en=item.point.label.en,
        value=_told_value(item.value),
        shown_zh=value_of(item.value, item.point, item.point.unit, "zh"),
        shown_en=value_of(item.value, item.point, item.point.unit, "en"),
        quality=item.quality,
        quality_zh=quality.zh,
        quality_en=quality.en,
        at=from_ms(item.at) if item.at else None,
        age=max(0, at - item.at) / 1000 if item.at else None,
    )


def _timers(account: Account) -> TimersOut:
    state, timing, due = account.state, account.timing, account.due
    return TimersOut(
        phase=state.phase.value,
        since=from_ms(state.since) if state.since else None,
        running_since=from_ms(state.running) if state.running is not None else None,
        spent=state.spent / 1000,
        due=from_ms(due) if due is not None else None,
        on_delay=timing.raise_ms / 1000,
        off_delay=timing.clear_ms / 1000,
    )


def _told(item: Told) -> ToldOut:
    entry, reason = item.entry, REASONS.get(item.entry.reason)
    return ToldOut(
        at=from_ms(entry.at),
        actor=entry.actor,
        event=entry.event,
        state=entry.state,
        reason=entry.reason,
        reason_zh=reason.zh if reason else "",
        reason_en=reason.en if reason else "",
        note=entry.note,
        messages=[_message(sent) for sent in item.messages],
    )


def _message(sent: Sent) -> MessageOut:
    row = sent.row
    return MessageOut(
        event=sent.event,
        channel=row.channel,
        state=row.state,
        created_at=from_ms(row.created_at),
        sent_at=from_ms(row.sent_at) if row.sent_at is not None else None,
        due_at=from_ms(row.due_at),
        error=row.error,
        attempts=[
            AttemptOut(at=from_ms(item.at), ok=item.ok, took=item.took_ms / 1000, error=item.error)
            for item in sent.attempts
        ],
    )


def _next(item: Next) -> NextOut:
    action = _WHO.get(item.code)
    who = sorted(role.value for role in TABLE[action]) if action else []
    return NextOut(
        code=item.code,
        zh=item.text.zh,
        en=item.text.en,
        at=from_ms(item.at) if item.at is not None else None,
        who=who,
    )
