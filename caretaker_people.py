"""The people on duty in a demonstration: they attend to alarms and tickets when a scenario says so.

They use the same commands as the console, so records, journal and audit show them as they would show anybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from facility.clock import Clock
from facility.errors import StoreError, TransitionError
from rules.desk.commands import Commands
from rules.life.alarm import PROCESS, Event
from rules.life.tickets import TABLE, TicketEvent
from rules.records.records import Records

log = logging.getLogger(__name__)

ACTOR = "scenario"
TICKET_ACTS: Mapping[str, TicketEvent] = {
    "accept_ticket": TicketEvent.ACCEPT,
    "arrive": TicketEvent.ARRIVE,
    "finish_ticket": TicketEvent.FINISH,
    "verify_ticket": TicketEvent.VERIFY,
}
ALARM_ACTS: Mapping[str, Event] = {"acknowledge": Event.ACKNOWLEDGE, "reset_alarms": Event.RESET}


class OnDuty:
    """Does what `simulators/faults/people.yaml` names, beside everything else. `idle` waits until all is done."""

    def __init__(self, records: Records, commands: Commands, clock: Clock) -> None:
        self._records, self._commands, self._clock = records, commands, clock
        self._tasks: set[asyncio.Task[None]] = set()

    def attend(self, act: str, asset: str) -> None:
        """Do something about the alarms or tickets of an asset, soon."""
        task = asyncio.create_task(self._attend(act, asset), name=f"{act} {asset}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until nothing is being done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _attend(self, act: str, asset: str) -> None:
        try:
            done = await (self._alarms(ALARM_ACTS[act], asset) if act in ALARM_ACTS else self._tickets(act, asset))
        except StoreError as error:
            log.warning("%s %s: %s", act, asset, error)
            return
        log.info("%s %s: %d", act, asset, done) if done else log.warning("%s %s: there is nothing to do", act, asset)

    async def _alarms(self, event: Event, asset: str) -> int:
        found = (await self._records.alarms(active=True, asset=asset)).items
        do = self._commands.acknowledge if event is Event.ACKNOWLEDGE else self._commands.reset
        done = 0
        for row in found:
            if (row.state, event) in PROCESS:
                try:
                    await do(row.id, actor=ACTOR, at=self._clock.ms())
                except TransitionError:
                    continue  # somebody was quicker
                done += 1
        return done

    async def _tickets(self, act: str, asset: str) -> int:
        event, done = TICKET_ACTS[act], 0
        for row in (await self._records.tickets(open_=True, asset=asset)).items:
            if (row.state, event) in TABLE:
                try:
                    await self._commands.move_ticket(row.id, event, actor=ACTOR, at=self._clock.ms())
                except TransitionError:
                    continue  # somebody was quicker
                done += 1
        return done
