"""The fire linkage: the matrix of a run with what has come and what is still awaited, and the runs that are over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from nicegui import ui

from api.auth import Action, User
from api.console.frame import Frame
from api.console.marks import Look, Text, box, link
from api.console.visitor import Visitor
from api.linkage import notes_of, write_note
from api.linkage_sheet import end_words, limit_words, since, word
from facility.errors import StoreError
from facility.points import Label
from facility.readings import Quality
from rules.explain.linkage import CAME, Came, condition, reading_words
from rules.linkage.ledger import Link
from rules.linkage.run import EffectRecord, Run, Seen
from rules.linkage.run import Text as Words
from rules.linkage.verdicts import WORDS, Verdict
from rules.records import linkage_runs

SHOWN = 40
"""Runs in the list."""
EVERY_TICKS = 2
"""The runs are read once a second."""
BAD = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.WEAK)


class Row:
    """One effect of the run that is shown; its texts change, the row stays."""

    def __init__(self, visitor: Visitor, effect: EffectRecord) -> None:
        self._visitor = visitor
        with box("", "article") as element:
            element.props["data-effect"] = str(effect.number)
            self._look = Look(element, "effect")
            Text("number", f"L{effect.number}")
            with box("words"):
                Text("name", _to(effect.label, visitor))
                self._note = Text("why")
            self._verdict = Text("verdict")
            self._left = Text("left")
            self._feedback = Text("seconds")
            self._evidence = Text("evidence")
        self._looked: tuple[tuple[Seen, ...], int] | None = None

    def show(self, run: Run, effect: EffectRecord, now: int) -> None:
        """What is known of it at `now`."""
        visitor, verdict = self._visitor, effect.verdict
        standing = effect.continuous and verdict is Verdict.PENDING and run.is_live
        self._look.show(f"effect {'standing' if standing else verdict.value}")
        undecided = verdict is Verdict.PENDING and not run.is_live
        word_of = visitor.say("linkage_undecided") if undecided else visitor.to(WORDS[verdict])
        self._verdict.show(visitor.say("linkage_stands") if standing else word_of)
        self._left.show(self._countdown(run, effect, now))
        self._feedback.show("" if effect.t_feedback is None else f"{since(run, effect.t_feedback)} s")
        self._note.show(self._why(effect))
        looked = tuple(effect.terms), now // 1000 if run.is_live else 0
        if looked != self._looked:  # to put it in words takes longer than all the rest
            self._looked = looked
            self._evidence.show("\n".join(self._proof(run, seen, now) for seen in looked[0]))

    def _proof(self, run: Run, seen: Seen, now: int) -> str:
        """A condition in words, what became of it and when, and which of its readings are not good."""
        visitor, deps = self._visitor, self._visitor.deps
        at = run.ended_at or now
        item = condition(seen, seen.asset or run.panel, at, deps.site.assets, deps.catalog)
        came = CAME[item.came].to(visitor.language)
        if item.came is Came.WAITING and not run.is_live:
            came = visitor.say("linkage_undecided")
        if item.held_at is not None and item.held_at <= at:
            came = f"{came} {visitor.time(item.held_at)}"
        bad = [reading_words(one, at, visitor.language) for one in item.readings if one.quality is not Quality.GOOD]
        return " · ".join([f"{item.asset} {item.claim(visitor.language)}", came, *bad])

    def _countdown(self, run: Run, effect: EffectRecord, now: int) -> str:
        limit = limit_words(run, effect, self._visitor.language)
        if effect.reason:
            return ""
        if effect.continuous:
            return limit
        if run.is_live and effect.verdict is Verdict.PENDING and effect.limit > now:
            return self._visitor.say("linkage_left", n=f"{(effect.limit - now) / 1000:.0f}")
        return self._visitor.say("linkage_limit", n=limit)

    def _why(self, effect: EffectRecord) -> str:
        """Why it is not judged, or what to do by hand."""
        if effect.reason:
            return _to(effect.reason, self._visitor)
        return _to(effect.action, self._visitor) if effect.verdict in BAD else ""


class LinkagePage:
    """The runs of one client, and the one that is opened."""

    def __init__(self, visitor: Visitor, wanted: str) -> None:
        self._visitor = visitor
        self._wanted = wanted
        self._ticks = 0
        self._runs: Sequence[Run] | None = None
        self._notes: tuple[str, Sequence[Link]] = ("", ())
        self._drawn = ""
        self._shown_notes = -1
        self._listed: tuple[tuple[str, str], ...] | None = None
        self._rows: dict[int, Row] = {}
        self._reading: asyncio.Task[None] | None = None
        with box("linkage", "main"):
            with box("column past"):
                Text("heading", visitor.say("linkage_runs"))
                self._empty = Text("empty")
                self._list = box("list")
            self._detail = box("run", "section")
            with self._detail:
                with box("first"):
                    self._title = Text("title")
                    self._state = Text("state")
                self._facts = Text("when")
                self._tools = box("buttons")
                self._table = box("effects")
                self._said = box("said")

    async def first(self) -> None:
        """Read before the page is shown, if the records answer soon."""
        self._reading = asyncio.create_task(self._read(), name="console linkage")
        await asyncio.wait({self._reading}, timeout=1.0)

    def tick(self) -> None:
        """Show what was read, with what is left of each limit now; read anew when it is time."""
        self._ticks += 1
        if self._ticks % EVERY_TICKS == 0 and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read(), name="console linkage")
        if self._runs is None:
            return
        self._empty.show("" if self._runs else self._visitor.say("no_linkage"))
        run = self._chosen(self._runs)
        self._show_list(self._runs, run)
        self._detail.set_visibility(run is not None)
        if run is not None:
            self._show_run(run)

    async def _read(self) -> None:
        deps = self._visitor.deps
        try:
            runs = await linkage_runs.runs(deps.records, deps.site.id, limit=SHOWN)
            run = self._chosen(runs)
            if run is not None:
                self._notes = run.id, await notes_of(deps, run.id)
        except StoreError:
            return  # the frame says so, and the next reading tries again
        self._runs = runs

    def _chosen(self, runs: Sequence[Run]) -> Run | None:
        """The one that was clicked; else what is going on; else the newest."""
        found = next((run for run in runs if run.id == self._wanted), None)
        return found or next((run for run in runs if run.is_live), runs[0] if runs else None)

    # the list

    def _show_list(self, runs: Sequence[Run], chosen: Run | None) -> None:
        marks = tuple((run.id, _summary(self._visitor, run) + str(run is chosen) + run.end) for run in runs)
        if marks == self._listed:
            return
        self._listed = marks
        self._list.clear()
        with self._list:
            for run in runs:
                self._entry(run, here=run is chosen)

    def _entry(self, run: Run, *, here: bool) -> None:
        visitor = self._visitor
        bad = any(effect.verdict in BAD for effect in run.effects)
        looks = f"card {'here' if here else ''} {'alarm1' if bad else ''} {'' if run.is_live else 'over'}"
        with box(looks, "article") as card:
            card.props["tabindex"] = "0"
            card.props["data-run"] = run.id
            card.on("click", lambda: self._choose(run.id)).on("keydown.enter", lambda: self._choose(run.id))
            with box("first"):
                Text("time", visitor.time(run.t0))
                Text("state", word("live" if run.is_live else run.end, visitor.language))
            Text("title", _zone(visitor, run))
            Text("when", _summary(visitor, run))

    def _choose(self, run: str) -> None:
        self._wanted = run
        ui.run_javascript(f"caretaker.here({json.dumps('/console/linkage?run=' + run)})")
        self._notes = ("", ())
        self.tick()
        self._reading = asyncio.create_task(self._read(), name="console linkage")

    # the run

    def _show_run(self, run: Run) -> None:
        if self._drawn != run.id:
            self._draw(run)
        visitor = self._visitor
        now = visitor.deps.clock.ms()
        for effect in run.effects:
            if effect.number in self._rows:
                self._rows[effect.number].show(run, effect, now)
        state = visitor.say("linkage_since", n=f"{max(0, now - run.t0) / 1000:.0f}") if run.is_live else ""
        self._state.show(state or end_words(run, visitor.deps.site, visitor.language), "live" if run.is_live else "")
        self._title.show(_zone(visitor, run))
        self._show_notes(run)

    def _draw(self, run: Run) -> None:
        self._drawn = run.id
        self._shown_notes = -1
        visitor = self._visitor
        local = visitor.local(run.t0).strftime("%Y-%m-%d %H:%M:%S")
        self._facts.show(f"{word('t0', visitor.language)} {local} · {run.panel} · {word(run.mode, visitor.language)}")
        self._rows = {}
        self._table.clear()
        with self._table:
            for effect in run.effects:
                self._rows[effect.number] = Row(visitor, effect)
        self._tools.clear()
        with self._tools:
            for key, name in (("linkage_print", "export.html"), ("linkage_table", "export.csv")):
                target = f"/api/v1/linkage/runs/{run.id}/{name}?language={visitor.language}"
                with link("button", target) as anchor:
                    anchor.props["target"] = "_blank"
                    ui.label(visitor.say(key))
            if visitor.may(Action.LINKAGE_NOTE):
                with ui.element("button").classes("button").on("click", lambda: self._ask(run.id)):
                    ui.label(visitor.say("linkage_note"))

    def _show_notes(self, run: Run) -> None:
        whose, notes = self._notes
        number = len(notes) if whose == run.id else 0
        if number == self._shown_notes:
            return
        self._shown_notes = number
        self._said.clear()
        with self._said:
            for note in notes if whose == run.id else ():
                with box("entry"):
                    Text("at", self._visitor.time(note.at))
                    Text("what", f"{note.author}: {note.body}")

    def _ask(self, run: str) -> None:
        """A field for what there is to say; it is appended and stays."""
        visitor = self._visitor
        with ui.dialog() as dialog, ui.card().classes("dialog"):
            Text("title", visitor.say("linkage_note"))
            field = ui.textarea(visitor.say("note")).props("outlined autogrow maxlength=2000").classes("wide")

            async def keep() -> None:
                text = str(field.value or "").strip()
                if not text:
                    visitor.tell(visitor.say("linkage_say"), "warning")
                    return

                async def do(user: User) -> None:
                    await write_note(visitor.deps, user, run, text)

                if await visitor.act(Action.LINKAGE_NOTE, do):
                    dialog.close()
                    await self._read()
                    self.tick()

            with box("buttons"):
                with ui.element("button").classes("button").on("click", dialog.close):
                    ui.label(visitor.say("cancel_dialog"))
                with ui.element("button").classes("button main").on("click", keep):
                    ui.label(visitor.say("confirm"))
        dialog.open()


def _summary(visitor: Visitor, run: Run) -> str:
    """The verdicts counted, worst first, but for what does not apply."""
    order = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.WEAK, Verdict.LATE, Verdict.PENDING, Verdict.CONFIRMED)
    counted = {verdict: sum(effect.verdict is verdict for effect in run.effects) for verdict in order}
    return " · ".join(f"{visitor.to(WORDS[verdict])} {number}" for verdict, number in counted.items() if number)


def _zone(visitor: Visitor, run: Run) -> str:
    return visitor.to(Label(run.zone_label.zh, run.zone_label.en))


def _to(text: Words, visitor: Visitor) -> str:
    return text.zh if visitor.language == "zh" else text.en


async def linkage_page(visitor: Visitor, wanted: str) -> None:
    """Build the page and keep it fresh; `wanted` is the id of a run to open."""
    frame = Frame(visitor, "linkage")
    page = LinkagePage(visitor, wanted)
    await page.first()
    await frame.start(page.tick)
