"""What stands around every screen: site, counts of alarms, gateways, clock, sound, language; and its heartbeat.

One timer a client refreshes frame and page twice a second. The clock is written last: when anything before it fails,
or the server or the network is gone, the clock stands, the browser sees that and covers the page. Nothing that is
stale looks live.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from html import escape

from nicegui import ui

from api.auth import Action
from api.console.marks import Look, Text, box, link, severity_mark
from api.console.standing_words import drill_words, impaired_words
from api.console.visitor import Visitor
from api.live import Gateway
from facility.errors import StoreError
from facility.words import SEVERITIES
from rules.life.alarm import Suppression
from rules.life.rows import AlarmRow

TICK_S = 0.5
LATE_S = 10.0
"""How long the records may not answer before the screens say so."""
FIRST_S = 1.0
"""How long a page waits for the records before it is shown without."""
LOUD = 2
"""Severities up to this one sound until they are acknowledged."""
PAGES = (
    ("wall", "/console/"),
    ("alarms", "/console/alarms"),
    ("tickets", "/console/tickets"),
)
MORE = (
    ("linkage", "/console/linkage"),
    ("standing", "/console/standing"),
    ("trials", "/console/rules"),
)
"""Pages that are opened less often, under "more": the head of a page is one line."""

PERFORMANCE = ("performance", "/console/performance")
"""The page of the alarm system's figures, for those who may see them."""
HARDWARE = ("hardware", "/console/hardware")
"""The page of the simulated hardware, where there is any."""

Tick = Callable[[], None]


class Frame:
    """The frame of one page of one client. `alarms` are the live alarms, worst first; None before the first answer."""

    def __init__(self, visitor: Visitor, page: str, title: str = "") -> None:
        self.visitor = visitor
        self.alarms: tuple[AlarmRow, ...] | None = None
        self._page = page
        self._tick: Tick = lambda: None
        self._reading: asyncio.Task[None] | None = None
        self._answered = visitor.deps.clock.monotonic()
        self._lost = False
        self._in = True
        self._told = "-"
        ui.page_title(f"{title or visitor.say(page)} · {visitor.to(visitor.deps.site.label)}")
        with box("bar", "header"):
            self._brand()
            with link("counts", "/console/alarms"):
                self._counts = {severity: self._count(severity) for severity in SEVERITIES}
            with box("status"):
                with box("gateways"):
                    self._online = Text("gateway")
                    self._gateways = {name: Text("gateway") for name in visitor.deps.site.gateways}
                self._clock = Text("clock")
                self._tools()
        self._broker = Text("banner")
        self._records = Text("banner")
        self._flood = Text("banner flood")
        self._drill = Text("banner drill")
        self._impaired = Text("banner impaired")
        self._body = Look(ui.query("body").element, "reading")

    async def start(self, tick: Tick) -> None:
        """Fill frame and page, then refresh both twice a second. `tick` must not wait for anything."""
        self._tick = tick
        self._read()
        if self._reading:
            await asyncio.wait({self._reading}, timeout=FIRST_S)
        self._beat()
        ui.timer(TICK_S, self._beat, immediate=False)

    def _beat(self) -> None:
        if not self._in:
            ui.navigate.to("/console/login")
            return
        self._read()
        self._show_counts()
        self._show_gateways()
        self._show_troubles()
        self._sound()
        self._tick()
        deps = self.visitor.deps
        self._clock.show(self.visitor.local(deps.clock.ms()).strftime("%H:%M:%S"))

    def _read(self) -> None:
        """Ask for the alarms beside the beat: values go on when the records don't answer."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_once(), name="console alarms")

    async def _read_once(self) -> None:
        deps = self.visitor.deps
        try:
            self.alarms = await deps.board.alarms()
            self._in = await deps.gate.user_of(self.visitor.token) is not None
            self._answered = deps.clock.monotonic()
            self._lost = False
        except StoreError:
            self._lost = True

    # -- what is shown -----------------------------------------------------------------------------------------

    def _brand(self) -> None:
        visitor = self.visitor
        with link("brand", "/console/"):
            ui.label(visitor.to(visitor.deps.site.label))
        with box("pages", "nav"):
            self._links(PAGES)
            more = self._more()
            with box("more", "details"):
                with box("here" if self._page in more else "", "summary"):
                    ui.label(visitor.say(self._page if self._page in more else "more"))
                with box("menu"):
                    self._links(more.items())

    def _more(self) -> dict[str, str]:
        """Those of the pages under "more" that this visitor has."""
        pages = dict(MORE)
        if self.visitor.may(Action.PERFORMANCE):
            pages |= [PERFORMANCE]
        if self.visitor.deps.hardware is not None:
            pages |= [HARDWARE]
        return pages

    def _links(self, pages: Iterable[tuple[str, str]]) -> None:
        for key, target in pages:
            with link("here" if key == self._page else "", target):
                ui.label(self.visitor.say(key))

    def _count(self, severity: int) -> tuple[Look, Text]:
        with severity_mark(severity, self.visitor.language) as element:
            number = Text("number")
        element.props["title"] = SEVERITIES[severity].to(self.visitor.language)
        return Look(element, "none"), number

    def _tools(self) -> None:
        visitor = self.visitor
        other = "en" if visitor.language == "zh" else "zh"
        texts = {name: escape(visitor.say(f"sound_{name}"), quote=True) for name in ("on", "off", "blocked")}
        data = " ".join(f'data-{name}="{text}"' for name, text in texts.items())
        ui.html(
            f'<button id="sound" type="button" {data}>{texts["on"]}</button>'
            f'<a id="language" href="/session/language?to={other}&amp;onward=/console/" lang="{other}">'
            f"{visitor.say('other_language')}</a>"
            f'<form method="post" action="/session/end"><button type="submit" '
            f'title="{escape(visitor.user.name, quote=True)}">{visitor.say("logout")}</button></form>',
            sanitize=False,
        ).classes("plain")

    def _show_counts(self) -> None:
        for severity, (look, number) in self._counts.items():
            counted = [row for row in self.alarms or () if row.severity == severity and is_counted(row)]
            owed = any(row.alarm.is_owed for row in counted)
            number.show("…" if self.alarms is None else str(len(counted)))
            look.show("some owed" if owed else "some" if counted else "none")

    def _show_gateways(self) -> None:
        """Those that are well as one number, each other one by its name."""
        visitor, well = self.visitor, 0
        for gateway in visitor.deps.live.gateways():
            words, look = gateway_words(visitor, gateway)
            well += look == "good"
            self._gateways[gateway.id].show(f"{gateway.id} {words}", "hidden" if look == "good" else look)
        words = visitor.say("gateway_online" if well == 1 else "gateways_online", n=well)
        self._online.show(words, "good" if well else "hidden")

    def _show_troubles(self) -> None:
        visitor = self.visitor
        live = visitor.deps.live.connected
        late = self._lost or visitor.deps.clock.monotonic() - self._answered > LATE_S
        self._broker.show("" if live else visitor.say("broker_lost"), "" if live else "shown")
        self._records.show(visitor.say("records_lost") if late else "", "shown" if late else "")
        self._body.show("reading" if live else "reading dead")
        flood = flood_words(visitor)
        self._flood.show(flood, "shown" if flood else "")
        drill, impaired = drill_words(visitor), impaired_words(visitor)
        self._drill.show(drill, "shown" if drill else "")
        self._impaired.show(impaired, "shown" if impaired else "")

    def _sound(self) -> None:
        """Tell the browser which loud alarms nobody has acknowledged: it beeps until that changes or it is muted."""
        owed = {
            f"{row.id}.{row.raise_count}": row.severity
            for row in self.alarms or ()
            if row.severity <= LOUD and row.alarm.is_owed and is_counted(row)
        }
        told = json.dumps(owed)
        if told != self._told:
            self._told = told
            ui.run_javascript(f"caretaker.owed({told})")


def is_counted(row: AlarmRow) -> bool:
    """Whether an alarm counts at the top of every screen, and sounds: it is neither suppressed nor a drill."""
    return row.suppression is Suppression.NONE and row.drill is None


def flood_words(visitor: Visitor) -> str:
    """The headline of an alarm flood, empty while there is none."""
    flood = visitor.deps.board.flood
    if flood is None:
        return ""
    return visitor.say("flood", at=visitor.time(flood.began_at), n=flood.alarms, untold=flood.untold)


def gateway_words(visitor: Visitor, gateway: Gateway) -> tuple[str, str]:
    """How a gateway is, in words, and its look: good, warn (devices are down), bad (it is offline)."""
    states = [device.state for device in gateway.status.devices.values()] if gateway.status else []
    down = states.count("down")
    if not gateway.online:
        return visitor.say("offline"), "bad"
    if down:
        return visitor.say("devices_down", n=down), "warn"
    return visitor.say("online"), "good"
