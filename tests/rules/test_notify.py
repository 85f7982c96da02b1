"""Who is told, in which words, and why not: each stage alone."""

from __future__ import annotations

import pytest

from facility.settings import RouteSettings
from rules.life.alarm import State, Suppression
from rules.notification.notify import REASONS, Moment, decide, message, notice
from tests.rules.builders import a_judgement, a_routing, a_rule, an_emergency
from tests.rules.rows import an_alarm_row

UNTOLD = an_alarm_row(told=False)


def test_a_route_that_matches_is_followed() -> None:
    decision = decide(UNTOLD, "raise", a_routing(), at=1000)
    assert (decision.channels, decision.reason) == (("duty",), "routed")


def test_two_routes_to_one_channel_tell_it_once() -> None:
    routing = a_routing(RouteSettings(to=["duty", "boss"]), RouteSettings(to=["duty"]))
    assert decide(UNTOLD, "raise", routing, at=1000).channels == ("duty", "boss")


@pytest.mark.parametrize(
    "route",
    [
        RouteSettings(to=["duty"], severities=[1]),
        RouteSettings(to=["duty"], classes=["elevator"]),
        RouteSettings(to=["duty"], events=["clear"]),
    ],
)
def test_a_route_that_does_not_match_is_not_followed(route: RouteSettings) -> None:
    decision = decide(UNTOLD, "raise", a_routing(route), at=1000)
    assert (decision.channels, decision.reason) == ((), "no_route")


def test_an_emergency_goes_to_every_channel_whatever_the_routes_say() -> None:
    row = an_alarm_row(a_judgement(rule=an_emergency()), told=False)
    nowhere = a_routing(RouteSettings(to=["duty"], severities=[4]))
    assert decide(row, "raise", nowhere, at=1000).channels == ("duty", "boss")
    assert decide(row, "raise", a_routing(channels={}), at=1000).reason == "no_channel"


@pytest.mark.parametrize("suppression", [item for item in Suppression if item is not Suppression.NONE])
def test_a_suppressed_alarm_tells_nobody(suppression: Suppression) -> None:
    row = an_alarm_row(a_judgement(rule=an_emergency()), told=False, suppression=suppression)
    assert decide(row, "raise", a_routing(), at=1000).reason == suppression.value


def test_replayed_readings_page_nobody() -> None:
    row = an_alarm_row(a_judgement(rule=an_emergency()), told=False)
    assert decide(row, "raise", a_routing(), at=1000, historical=True).reason == "historical"


def test_nobody_is_told_twice_nor_of_the_end_of_what_nobody_knew() -> None:
    assert decide(an_alarm_row(told=True), "raise", a_routing(), at=1000).reason == "told"
    assert decide(an_alarm_row(told=False), "clear", a_routing(), at=1000).reason == "untold"
    assert decide(an_alarm_row(told=True), "clear", a_routing(), at=1000).channels == ("duty",)


def test_moves_that_interest_nobody_outside() -> None:
    assert decide(UNTOLD, "shelve", a_routing(), at=1000).reason == "quiet_event"


def test_every_reason_has_both_languages() -> None:
    assert all(label.zh and label.en for label in REASONS.values())


def test_a_message_speaks_the_language_of_its_channel_and_carries_both() -> None:
    row, moment = an_alarm_row(ticket_id="T1"), Moment(1000, 990, {"pump[1].flow": 0.0})
    duty, boss = (message(row, "raise", channel, a_routing(), moment) for channel in ("duty", "boss"))
    assert duty.text == "【重要】P-01 1号生活泵：水泵干转（报警）"
    assert boss.text == "[URGENT] P-01 Pump set 1: Pump runs dry (alarm)"
    assert (duty.guidance, boss.guidance) == ("立即停泵", "Stop the pump")
    assert (duty.zh, duty.en) == (boss.zh, boss.en)
    assert (duty.at, duty.since, duty.facts, duty.ticket) == (1000, 990, {"pump[1].flow": 0.0}, "T1")
    assert duty.key != boss.key


def test_an_asset_without_a_label_is_named_by_its_id() -> None:
    row = an_alarm_row(a_judgement(asset="P-77"))
    assert message(row, "raise", "boss", a_routing(), Moment(1, 1)).text == "[URGENT] P-77: Pump runs dry (alarm)"


def test_each_raise_has_a_key_of_its_own() -> None:
    keys = {
        message(an_alarm_row(raise_count=count), event, channel, a_routing(), Moment(1, 1)).key
        for count in (1, 2)
        for event in ("raise", "clear")
        for channel in ("duty", "boss")
    }
    assert len(keys) == 8


def test_the_address_leads_to_the_alarm() -> None:
    row = an_alarm_row()
    routing = a_routing()
    assert message(row, "raise", "duty", routing, Moment(1, 1)).url == ""


def test_a_notice_tells_the_state_and_the_version() -> None:
    row = an_alarm_row(a_judgement(rule=a_rule(index=2)), state=State.RETURNED, version=7)
    told = notice(row, "clear", 5)
    assert (told.id, told.event, told.state, told.version, told.at) == (row.id, "clear", "returned", 7, 5)
    assert (told.zh, told.en) == ("水泵干转", "Pump runs dry")
