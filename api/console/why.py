"""Why an alarm rang: the section of its page with the sentence, the rule's tree, inputs, messages, and what is next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from nicegui import background_tasks, ui
from nicegui.element import Element

from api.console.marks import Text, box
from api.console.texts import ACTORS, EVENTS, word
from api.console.visitor import Visitor
from api.console.why_texts import CHANNEL_STATES, MARKS, TRUTHS, WHY
from api.explaining import NOTES, Explained, View
from api.present import age_text
from facility.errors import StoreError
from facility.points import Label
from facility.words import QUALITIES
from rules.explain.ahead import ahead
from rules.explain.scene import Account, Input
from rules.explain.sentence import sentence
from rules.explain.telling import Sent, Told
from rules.explain.words import duration, phrase, value_of
from rules.language.trace import Form, Node
from rules.life.rows import AlarmRow, NotFoundError
from rules.notification.notify import REASONS

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
        shown = found.now if found.now and found.now.account else found.then
        coming = ahead(found.row, found.item.rule if found.item else None, shown.account, found.ticket)
        if coming and found.row.live:
            Text("heading", self._say("next"))
            for item in coming:
                at = self._visitor.time(item.at) if item.at is not None else ""
                _entry(at, self._visitor.to(item.text))
        for view, key in ((found.then, "tree_then"), (found.now, "tree_now")):
            if view and view.account:
                with _fold(self._say(key, at=self._visitor.time(view.at)), opened=view is found.then):
                    rule = view.account.rule
                    Text("when", self._say("version", id=rule.id, version=rule.version or "—"))
                    draw_account(self._visitor, view.account)
        if found.told:
            with _fold(self._say("messages"), opened=False):
                for told in found.told:
                    self._told(told)

    def _sentence(self, view: View, look: str, when: str) -> None:
        visitor = self._visitor
        with box(f"said {look}"):
            Text("when", when)
            if view.account:
                Text("sentence", sentence(view.account, visitor.language))
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
    with box("inputs"):
        for item in account.inputs[:MOST_INPUTS]:
            _input(visitor, account, item)


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


def _input(visitor: Visitor, account: Account, item: Input) -> None:
    language = visitor.language
    name = (
        visitor.to(item.point.label) if item.asset == account.asset else f"{item.asset} {visitor.to(item.point.label)}"
    )
    quality = QUALITIES[item.quality] if item.quality else Label("未收到", "never received")
    good = item.value is not None
    Text("name", name)
    Text("value", value_of(item.value, item.point, item.point.unit, language))
    Text("quality" if good else "quality shown", visitor.to(quality))
    age = age_text(account.at - item.at, language) if item.at else ""
    Text("age", WHY["old"].to(language).format(age=age) if age else "")


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
