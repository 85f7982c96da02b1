"""Drills and impairments: what is an exercise now, what is out of action, which rounds are due; acts for it all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from nicegui import ui
from nicegui.element import Element

from api.auth import Action
from api.console.frame import Frame
from api.console.marks import Text, box, link
from api.console.standing_dialogs import Declaring, Impairing, Noting
from api.console.standing_words import clock, is_overdue, scope_words
from api.console.visitor import Visitor
from api.drills import stop_drill
from api.impairments import act_on, go_round
from facility.errors import StoreError
from facility.words import DRILL_STATES, IMPAIRMENT_STATES
from rules.desk.drilling import drills_of
from rules.desk.impairing import impairments_of
from rules.drills.drills import TABLE as DRILL_TABLE
from rules.drills.drills import Drill, DrillEvent, DrillState
from rules.drills.impairments import TABLE as IMPAIRMENT_TABLE
from rules.drills.impairments import Impairment, ImpairmentEvent, ImpairmentState

SHOWN = 12
"""Drills and closed entries on the page."""
EVERY_TICKS = 4
Card = tuple[object, ...]


class StandingPage:
    """Both lists of one client. A card is drawn anew when what it shows has changed."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._ticks = 0
        self._drills: Sequence[Drill] | None = None
        self._items: Sequence[Impairment] = ()
        self._drawn: tuple[list[Card], list[Card]] = ([], [])
        self._reading: asyncio.Task[None] | None = None
        self._declaring, self._impairing, self._noting = Declaring(visitor), Impairing(visitor), Noting(visitor)
        with box("standing", "main"):
            with box("buttons"):
                if visitor.may(Action.DRILL):
                    self._button("declare", self._declaring.ask, main=True)
                if visitor.may(Action.IMPAIRMENT):
                    self._button("impair", self._impairing.ask, main=True)
                with link("button", f"/api/v1/handover/export.html?language={visitor.language}") as element:
                    ui.label(visitor.say("shift_list"))
                element.props["target"] = "_blank"
            Text("heading", visitor.say("impairments"))
            self._none_impaired = Text("empty")
            self._ledger = box("list")
            Text("heading", visitor.say("drills"))
            self._no_drill = Text("empty")
            self._exercises = box("list")

    async def first(self) -> None:
        """Read before the page is shown, if the records answer soon."""
        self._reading = asyncio.create_task(self._read(), name="console standing")
        await asyncio.wait({self._reading}, timeout=1.0)

    def tick(self) -> None:
        """Show what was read, as it is now; read anew when it is time."""
        self._ticks += 1
        if self._ticks % EVERY_TICKS == 0 and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read(), name="console standing")
        if self._drills is None:
            return
        now = self._visitor.deps.clock.ms()
        items = [(item, is_overdue(item, now), item.is_round_due(now)) for item in self._items]
        drills: list[Card] = [(drill,) for drill in self._drills]
        if drills != self._drawn[1]:
            self._draw(self._exercises, [partial(self._drill, drill) for drill in self._drills])
        if items != self._drawn[0]:
            self._draw(self._ledger, [partial(self._impairment, *given) for given in items])
        self._drawn = [*items], drills
        self._no_drill.show("" if drills else self._visitor.say("no_drills"))
        self._none_impaired.show("" if items else self._visitor.say("no_impairments"))

    async def _read(self) -> None:
        records, site = self._visitor.deps.records, self._visitor.deps.site.id
        try:
            drills = (await drills_of(records, site, limit=SHOWN)).items
            standing = (await impairments_of(records, site, open_=True, limit=500)).items
            rest = (await impairments_of(records, site, open_=False, limit=SHOWN)).items
        except StoreError:
            return  # the frame says so, and the next reading tries again
        self._drills = sorted(drills, key=_order)
        self._items = [*sorted(standing, key=lambda item: item.expires_at), *rest]

    def _draw(self, where: Element, cards: Sequence[Callable[[], None]]) -> None:
        where.clear()
        with where:
            for card in cards:
                card()

    def _drill(self, drill: Drill) -> None:
        visitor = self._visitor
        look = "running" if drill.state is DrillState.RUNNING else "" if drill.is_open else "over"
        with box(f"card {look}", "article") as element:
            element.props["data-drill"] = drill.id
            with box("first"):
                Text("time", f"{visitor.time(drill.from_at)} – {clock(visitor, drill.until_at)}")
                Text(f"state {drill.state.value}", visitor.to(DRILL_STATES[drill.state.value]))
            Text("title", drill.name)
            Text("asset", scope_words(visitor, drill.scope))
            Text("text", drill.reason)
            Text("when", visitor.say("declared_by", who=drill.declared_by))
            with box("buttons"):
                for key, event in (("end_drill", DrillEvent.END), ("cancel_drill", DrillEvent.CANCEL)):
                    if (drill.state, event) in DRILL_TABLE and visitor.may(Action.DRILL):
                        self._button(key, self._stopper(key, drill, event))

    def _impairment(self, item: Impairment, overdue: bool, round_due: bool) -> None:
        visitor = self._visitor
        over = not item.lasts
        state = ImpairmentState.OVERDUE if overdue else item.state
        with box(f"card {'late' if overdue else 'due' if round_due else 'over' if over else ''}", "article") as element:
            element.props["data-impairment"] = item.id
            with box("first"):
                Text("time", visitor.time(item.opened_at))
                Text(f"state {state.value}", visitor.to(IMPAIRMENT_STATES[state.value]))
            Text("title", item.what)
            Text("asset", scope_words(visitor, item.scope))
            Text("text", item.reason)
            until = visitor.say("due_until", at=clock(visitor, item.expires_at))
            Text("when", f"{until} · {visitor.say('owner_is', who=item.owner)}")
            Text("when", item.measures)
            if item.suppresses and not overdue:
                Text("when", visitor.say("kept_quiet_rules", rules=", ".join(item.suppress)))
            if round_due:
                Text("note now", visitor.say("round_due_now", n=item.missed))
            elif item.round_due is not None:
                Text("note", visitor.say("round_due_at", at=clock(visitor, item.round_due)))
            with box("buttons"):
                self._acts(item)

    def _acts(self, item: Impairment) -> None:
        visitor = self._visitor
        if item.lasts and item.rounds_every and visitor.may(Action.IMPAIRMENT_ROUND):
            self._button("round_done", self._walker(item), main=True)
        moves = (
            ("restored", ImpairmentEvent.RESTORE, Action.IMPAIRMENT),
            ("extend", ImpairmentEvent.EXTEND, Action.IMPAIRMENT_SIGN),
            ("sign_off", ImpairmentEvent.CLOSE, Action.IMPAIRMENT_SIGN),
        )
        for key, event, action in moves:
            if (item.state, event) in IMPAIRMENT_TABLE and visitor.may(action):
                self._button(key, self._mover(key, item, event, action))

    def _stopper(self, key: str, drill: Drill, event: DrillEvent) -> Callable[[], None]:
        deps = self._visitor.deps
        return lambda: self._noting.ask(
            key, drill.name, Action.DRILL, lambda user, note, _: stop_drill(deps, user, drill.id, event, note)
        )

    def _walker(self, item: Impairment) -> Callable[[], None]:
        deps = self._visitor.deps
        return lambda: self._noting.ask(
            "round_done", item.what, Action.IMPAIRMENT_ROUND,
            lambda user, note, _: go_round(deps, user, item.id, note), needed=True, label="round_seen",
        )  # fmt: skip

    def _mover(self, key: str, item: Impairment, event: ImpairmentEvent, action: Action) -> Callable[[], None]:
        deps = self._visitor.deps
        extends = event is ImpairmentEvent.EXTEND
        return lambda: self._noting.ask(
            key, item.what, action,
            lambda user, note, until: act_on(deps, user, item.id, event, note=note, until=until),
            needed=extends, hours=extends,
        )  # fmt: skip

    def _button(self, key: str, do: Callable[[], object], *, main: bool = False) -> None:
        with ui.element("button").classes("button main" if main else "button").on("click", do) as element:
            ui.label(self._visitor.say(key))
        element.props["data-act"] = key


def _order(drill: Drill) -> tuple[bool, bool, int]:
    """What runs first, then what is planned, then what is over."""
    return drill.state is not DrillState.RUNNING, not drill.is_open, -drill.from_at


async def standing_page(visitor: Visitor) -> None:
    """Build the page and keep it fresh."""
    frame = Frame(visitor, "standing")
    page = StandingPage(visitor)
    await page.first()
    await frame.start(page.tick)
