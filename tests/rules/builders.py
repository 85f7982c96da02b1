"""Defaults for everything that a test of alarms does not speak of."""

from __future__ import annotations

from typing import Literal

from facility.points import Label
from facility.readings import Value
from facility.settings import RouteSettings
from rules.effects import Judgement
from rules.notification.notify import Routing
from rules.rule import Raises, Rule, Severity


def a_rule(
    rule_id: str = "pump.dry",
    *,
    severity: int = 2,
    raises: str = "ticket",
    latch: bool = False,
    shelvable: bool = True,
    asset_class: str = "water_pump",
    index: int = 0,
) -> Rule:
    """A rule whose texts are the same in every test."""
    return Rule(
        rule_id,
        asset_class,
        Label("水泵干转", "Pump runs dry"),
        Label("立即停泵", "Stop the pump"),
        Severity(severity),
        Raises(raises),
        "true",
        latch=latch,
        shelvable=shelvable,
        index=index,
    )


def an_emergency(rule_id: str = "lift.entrapment") -> Rule:
    """A rule of life safety."""
    return a_rule(rule_id, severity=1, raises="emergency", shelvable=False, asset_class="elevator")


def a_judgement(
    event: Literal["raise", "clear", "suppress", "release"] = "raise",
    *,
    rule: Rule | None = None,
    asset: str = "P-01",
    at: int = 1000,
    facts: dict[str, Value] | None = None,
    historical: bool = False,
) -> Judgement:
    """A judgement whose condition turned 10 ms before."""
    return Judgement(rule or a_rule(), asset, event, at, at - 10, facts or {"pump[1].flow": 0.0}, historical)


ROUTES = (RouteSettings(to=["duty"], severities=[1, 2, 3], events=["raise", "clear"]),)


def a_routing(*routes: RouteSettings, channels: dict[str, str] | None = None) -> Routing:
    """Two channels, duty in Chinese and boss in English; severities 1 to 3 go to duty."""
    assets = {"P-01": Label("1号生活泵", "Pump set 1")}
    return Routing("s1", {"duty": "zh", "boss": "en"} if channels is None else channels, routes or ROUTES, assets)
