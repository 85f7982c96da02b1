"""The people on duty of a demonstration: what a scenario lets them do stands in the records like anybody's doing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from caretaker_people import OnDuty
from facility.hardware import On
from rules.life.tickets import TicketState
from simulators.faultfile import repertoire
from simulators.scenario import load_scenario
from tests.api.house import House, a_house, a_rule


def on_duty(house: House) -> OnDuty:
    return OnDuty(house.deps.records, house.deps.commands, house.deps.clock)


async def test_alarms_are_acknowledged_and_tickets_moved(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        alarm = await house.alarm("EL-01", a_rule())
        other = await house.alarm("EL-02", a_rule())
        people = on_duty(house)
        people.attend("acknowledge", "EL-01")
        await people.idle()
        row = await house.deps.records.alarm(alarm)
        assert (row.state, row.acknowledged_by) == ("acknowledged", "scenario")
        assert (await house.deps.records.alarm(other)).state == "unacknowledged"
        for act, state in (
            ("accept_ticket", TicketState.ACCEPTED),
            ("arrive", TicketState.ON_SITE),
            ("finish_ticket", TicketState.DONE),
            ("verify_ticket", TicketState.VERIFIED),
        ):
            people.attend(act, "EL-01")
            await people.idle()
            (ticket,) = (await house.deps.records.tickets(asset="EL-01")).items
            assert ticket.state == state


async def test_nothing_to_do_is_said_and_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_house(tmp_path) as house:
        people = on_duty(house)
        with caplog.at_level(logging.WARNING):
            people.attend("acknowledge", "EL-01")
            people.attend("finish_ticket", "EL-01")
            await people.idle()
    assert caplog.text.count("there is nothing to do") == 2


async def test_a_scenario_may_name_them_only_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "drill.yaml"
    file.write_text("duration: 9\nsteps: [{at: 5, act: acknowledge, asset: EL-01}]\n", encoding="utf-8")
    async with a_house(tmp_path) as house:
        assert "acknowledge" not in house.simulation.subjects[On.ASSET, "EL-01"].acts
        house.simulation.people = on_duty(house)
        scenario = load_scenario(file, house.simulation.subjects)
        assert scenario.actions[0].on is On.PEOPLE
        assert set(repertoire().acts_of(On.PEOPLE)) <= set(house.simulation.subjects[On.ASSET, "EL-01"].acts)
