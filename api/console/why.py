"""Why an alarm rang: the section of its page with the sentence, the rule's tree, inputs, messages, and what is next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from nicegui import background_tasks, ui
from nicegui.element import Element

from api.console.marks import Text, box
from api.console.texts import ACTORS, EVENTS, word
from api.console.visitor import Visitor
from api.console.why_texts import CAME_MARKS, CHANNEL_STATES, MARKS, TRUTHS, WHY
from api.explaining import NOTES, Explained, View
from api.present import age_text
from facility.errors import StoreError
from facility.points import Label
from facility.words import QUALITIES
from rules.explain.linkage import CAME, Condition, JudgedEffect
from rules.explain.scene import Account, Input
from rules.explain.telling import Sent, Told
from rules.explain.words import duration, phrase, value_of
from rules.language.trace import Form, Node
from rules.life.rows import AlarmRow, NotFoundError
from rules.notification.notify import REASONS

LATER_MS = 1000
"""A reading that is newer than the instant by more than this came afterwards."""
MOST_INPUTS = 40
"""Inputs that are listed; the API has them all."""
_SHALLOW = frozenset({Form.CONSTANT})


class Why:
    """The section of one alarm, filled when what explains it has been gathered."""

    def __init__(self, visitor: Visitor, row: AlarmRow) -> None:
        self._visitor = visitor
        self._row = row
        self._box = box("why")
        with self._box:
            Text("heading", self._say("why"))
            Text("when", self._say("gathering"))
        background_tasks.create(self._gather(), name=f"explain {row.id}")

    async def _gather(self) -> None:
        found: Explained | None = None
        with suppress(StoreError, NotFoundError):  # said below: it could not be found out
            found = await self._visitor.deps.explainer.alarm(self._row)
        if self._visitor.client.is_deleted or self._box.is_deleted:
            return
        self._box.clear()
        with self._box:
            Text("heading", self._say("why"))
            if found is None:
                Text("when", self._say("not_now"))
            else:
                self._draw(found)

    def _draw(self, found: Explained) -> None:
        self._sentence(found.then, "then", self._visitor.time(found.then.at))
        if found.now is not None:
            self._sentence(found.now, "now", self._say("at_present"))
        if found.next and found.row.live:
            Text("heading", self._say("next"))
            for item in found.next:
                at = self._visitor.time(item.at) if item.at is not None else ""
                _entry(at, self._visitor.to(item.text))
        for view, key in ((found.then, "tree_then"), (found.now, "tree_now")):
            if view and (view.account or view.effect or view.inputs):
                with _fold(self._say(key, at=self._visitor.time(view.at)), opened=view is found.then):
                    rule = view.account.rule if view.account else found.rule
                    if rule:
                        Text("when", self._say("version", id=rule.id, version=rule.version or "—"))
                    draw_view(self._visitor, view)
        if found.told:
            with _fold(self._say("messages"), opened=False):
                for told in found.told:
                    self._told(told)

    def _sentence(self, view: View, look: str, when: str) -> None:
        visitor = self._visitor
        with box(f"said {look}"):
            Text("when", when)
            if view.account or view.effect or view.said:
                Text("sentence", view.sentence(visitor.language))
            draw_notes(visitor, view.notes)

    def _told(self, told: Told) -> None:
        visitor, entry = self._visitor, told.entry
        reason = REASONS.get(entry.reason)
        words = [word(EVENTS, entry.event, visitor.language), word(ACTORS, entry.actor, visitor.language)]
        words += [visitor.to(reason)] if reason else []
        _entry(visitor.time(entry.at), " · ".join(words))
        for sent in told.messages:
            self._message(sent)

    def _message(self, sent: Sent) -> None:
        visitor, row = self._visitor, sent.row
        tries = self._say("tries", n=len(sent.attempts) or row.attempts)
        words = [row.channel, word(CHANNEL_STATES, row.state, visitor.language), tries]
        if row.sent_at is not None:
            words.append(visitor.time(row.sent_at))
        if row.error and row.state != "sent":
            words.append(row.error[:200])
        with box("sent"):
            Text(f"mark {row.state}", "→")
            Text("", " · ".join(words))

    def _say(self, key: str, **fill: object) -> str:
        return WHY[key].to(self._visitor.language).format(**fill)


def draw_notes(visitor: Visitor, notes: Iterable[str]) -> None:
    """Remarks: what could not be known."""
    for code in notes:
        Text("note", visitor.to(NOTES[code]))


def draw_view(visitor: Visitor, view: View) -> None:
    """What lies behind a sentence: a rule's account, a linkage's proofs, or the readings alone."""
    if view.account:
        draw_account(visitor, view.account)
    elif view.effect:
        draw_effect(visitor, view.effect)
    else:
        _inputs(visitor, "", view.at, view.inputs)


def draw_effect(visitor: Visitor, effect: JudgedEffect) -> None:
    """An effect of a fire linkage: what began the run, the deadline, and each condition with its readings."""
    language, run, record = visitor.language, effect.run, effect.record
    when, limit = visitor.time(run.t0), duration(record.limit - run.t0, language)
    Text("when", WHY["linkage_cause"].to(language).format(cause=visitor.to(effect.cause), t0=when))
    key = "linkage_always" if record.continuous else "linkage_limit"
    Text("when", WHY[key].to(language).format(at=visitor.time(record.limit), span=limit, basis=record.basis))
    if effect.command:
        Text("heading", WHY["linkage_command"].to(language))
        _condition(visitor, effect, effect.command)
    for proof in effect.proofs:
        many = len(proof.conditions)
        Text("heading", WHY["linkage_proof"].to(language).format(n=proof.count, of=many, part=proof.part).strip())
        for item in proof.conditions:
            _condition(visitor, effect, item)


def _condition(visitor: Visitor, effect: JudgedEffect, item: Condition) -> None:
    language = visitor.language
    with box("tree"):
        with box("node"):
            truth, name = CAME_MARKS[item.came], visitor.to(CAME[item.came])
            Text(f"mark {MARKS[truth][0]}", f"{MARKS[truth][1]} {name}")
            with box("words"):
                Text("claim", f"{item.asset} {item.claim(language)}")
                Text("code", item.text)
        if item.node and item.node.parts:
            with box("below"):
                _node(item.node, language, depth=1)
    _inputs(visitor, effect.run.panel, effect.at, item.readings)


def draw_account(visitor: Visitor, account: Account) -> None:
    """The trees of a rule's expressions, its delays and its inputs."""
    language = visitor.language
    parts = (("when", account.when), ("clear", account.clear), ("enable", account.enable), ("hush", account.suppress))
    for key, node in parts:
        if node is not None:
            Text("heading", WHY[f"expression_{key}"].to(language))
            with box("tree"):
                _node(node, language, depth=0)
    Text("when delays", _delays(account, language))
    Text("heading", WHY["inputs"].to(language))
    _inputs(visitor, account.asset, account.at, account.inputs)


def _node(node: Node, language: str, *, depth: int) -> None:
    with box("node"):
        if node.is_truth:
            mark(node.value if isinstance(node.value, bool) else None, language)
        else:
            Text("mark value", "=")
        with box("words"):
            Text("claim", _words(node, language))
            if depth == 0 or node.form in (Form.COMPARE, Form.CALL, Form.AMONG, Form.RELATION, Form.SUM):
                Text("code", node.text)
        if not node.is_truth:
            Text("shown", value_of(node.value, node.point, node.unit, language))
    inner = [part for part in node.parts if part.form not in _SHALLOW]
    if inner:
        with box("below"):
            for part in inner:
                _node(part, language, depth=depth + 1)


def _words(node: Node, language: str) -> str:
    """In the tree `and` and `or` stand for themselves: their parts follow."""
    if node.form in (Form.ALL, Form.ANY, Form.NOT):
        return WHY[f"form_{node.form.value}"].to(language)
    if node.form is Form.ASSET:
        return node.name
    return phrase(node, language)


def mark(truth: bool | None, language: str) -> Element:
    """Colour, sign and word of a truth."""
    return Text(f"mark {MARKS[truth][0]}", f"{MARKS[truth][1]} {TRUTHS[truth].to(language)}")


def _inputs(visitor: Visitor, asset: str, at: int, items: Sequence[Input]) -> None:
    """Readings in a table. `asset`: the one whose points need no name of it."""
    with box("inputs"):
        for item in items[:MOST_INPUTS]:
            _input(visitor, asset, at, item)


def _input(visitor: Visitor, asset: str, at: int, item: Input) -> None:
    language = visitor.language
    name = visitor.to(item.point.label) if item.asset == asset else f"{item.asset} {visitor.to(item.point.label)}"
    quality = QUALITIES[item.quality] if item.quality else Label("未收到", "never received")
    good = item.value is not None
    Text("name", name)
    Text("value", value_of(item.value, item.point, item.point.unit, language))
    Text("quality" if good else "quality shown", visitor.to(quality))
    age = age_text(at - item.at, language) if item.at else ""
    later = item.at > at + LATER_MS
    Text("age", WHY["later"].to(language) if later else WHY["old"].to(language).format(age=age) if age else "")


def _delays(account: Account, language: str) -> str:
    timing, state = account.timing, account.state
    pieces: Mapping[str, str] = {
        "on_delay": duration(timing.raise_ms, language) if timing.raise_ms else "",
        "off_delay": duration(timing.clear_ms, language) if timing.clear_ms else "",
        "holds": duration(account.at - state.since, language) if state.since else "",
        "left": duration(account.due - account.at, language) if account.due else "",
    }
    return " · ".join(WHY[key].to(language).format(t=text) for key, text in pieces.items() if text)


def _entry(at: str, text: str) -> None:
    with box("entry"):
        Text("at", at or "·")
        Text("what", text)


def _fold(title: str, *, opened: bool) -> Element:
    """Something to open and shut, with its title."""
    element = ui.element("details").classes("fold")
    if opened:
        element.props["open"] = True
    with element, ui.element("summary"):
        ui.label(title)
    return element
