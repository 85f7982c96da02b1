"""Drills and impairments in words, for the frame of every screen and for their own page."""

from __future__ import annotations

from api.console.visitor import Visitor
from facility.points import Label
from rules.drills.drills import Drill
from rules.drills.impairments import Impairment, ImpairmentState
from rules.drills.scope import Scope

NAMED = 4
"""Things of a scope that are named one by one."""


def drill_words(visitor: Visitor) -> str:
    """The banner of the drills that run, empty while there are none."""
    now = visitor.deps.clock.ms()
    running = [drill for drill in visitor.deps.board.drills if drill.holds(now)]
    return " · ".join(_running(visitor, drill) for drill in running)


def _running(visitor: Visitor, drill: Drill) -> str:
    until, scope = clock(visitor, drill.until_at), scope_words(visitor, drill.scope)
    return visitor.say("drill_running", until=until, name=drill.name, scope=scope)


def impaired_words(visitor: Visitor) -> str:
    """The banner of what is overdue and of rounds that are due, empty while all is as it should be."""
    now, items = visitor.deps.clock.ms(), visitor.deps.board.impairments
    overdue = sum(is_overdue(item, now) for item in items)
    rounds = sum(item.is_round_due(now) for item in items)
    told = [visitor.say("impairments_overdue", n=overdue)] if overdue else []
    return " · ".join([*told, *([visitor.say("rounds_due", n=rounds)] if rounds else [])])


def is_overdue(item: Impairment, now: int) -> bool:
    """Whether it should have been restored by now."""
    return item.state is ImpairmentState.OVERDUE or (item.lasts and item.expires_at <= now)


def clock(visitor: Visitor, at: int) -> str:
    """An instant to the minute, with its date when that is another than today's."""
    local, today = visitor.local(at), visitor.local(visitor.deps.clock.ms())
    return local.strftime("%H:%M" if local.date() == today.date() else "%m-%d %H:%M")


def scope_words(visitor: Visitor, scope: Scope) -> str:
    """What a scope means, by the names of the site."""
    site, catalog = visitor.deps.site, visitor.deps.catalog
    if scope.site:
        return visitor.say("whole_site")
    places = [visitor.to(site.locations[name].label) if name in site.locations else name for name in scope.locations]
    classes = [visitor.to(catalog.classes[name].label) if name in catalog.classes else name for name in scope.classes]
    assets = [f"{name} {visitor.to(site.assets[name].label)}" if name in site.assets else name for name in scope.assets]
    zones = [
        visitor.to(Label(f"{panel} {number}分区", f"{panel} zone {number}"))
        for panel, numbers in scope.zones.items()
        for number in numbers
    ]
    named = [*places, *classes, *assets, *zones]
    more = f" +{len(named) - NAMED}" if len(named) > NAMED else ""
    return ("、" if visitor.language == "zh" else ", ").join(named[:NAMED]) + more
