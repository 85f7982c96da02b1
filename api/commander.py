"""Commander: hands checked commands to gateways, and listens to what became of them.

A command is on record before it is sent, and what can't be sent now has failed: nothing waits in a queue to move
equipment at a time that nobody expects. What a gateway says is kept once, however often and to however many of us.
"""

from __future__ import annotations

import asyncio
import logging
import math

from api.auth import LoginBrake, User
from api.fanout import event
from api.live import LiveCache
from api.problems import ApiError, not_found
from facility.bus import Bus, Message
from facility.catalog import Catalog
from facility.clock import Clock
from facility.commanding import Target, seconds, targets, wanted
from facility.config import Site
from facility.errors import BusError, DecodeError, StoreError, TransitionError
from facility.points import Label
from facility.wire import Command, CommandStep, commands_topic, decode, encode, parse_topic, results_topic
from rules.desk.command_desk import CommandDesk, Wish
from rules.life.commanding import CommandState
from rules.life.rows import CommandRow, NotFoundError

log = logging.getLogger(__name__)

RETRY_S = 2.0
SWEEP_S = 1.0
BURST, EVERY_S = 20, 3.0
"""Commands that one user may give at once, and after how long the next one."""


class Commander:
    """For one site. `revision` grows whenever this process has seen a command change."""

    def __init__(
        self, site: Site, catalog: Catalog, *, desk: CommandDesk, bus: Bus, clock: Clock, live: LiveCache
    ) -> None:
        self.desk = desk
        self.revision = 0
        self.listening = asyncio.Event()
        self.counts = {"asked": 0, "undelivered": 0, "steps": 0, "repeated": 0, "strangers": 0, "undecodable": 0}
        self.adopt(site, catalog)
        self._bus = bus
        self._clock = clock
        self._live = live
        # the brake on guessing is a plain bucket for each name: here there is one name and no address
        self._brake = LoginBrake(tries=BURST, every=EVERY_S, wide=1)

    def adopt(self, site: Site, catalog: Catalog) -> None:
        """The site and its catalog from now on."""
        self._site, self._catalog = site, catalog
        self._targets = targets(site.devices, site.assets, catalog.classes, catalog.profiles)

    # -- asking ------------------------------------------------------------------------------------------------

    def targets(self, asset: str) -> dict[str, Target]:
        """The points of an asset that can be commanded, by key."""
        return self._targets.get(asset, {})

    def target(self, asset: str, point: str) -> Target:
        """How a point is commanded. ApiError: 404 for an unknown one, 403 for life safety, 422 where nothing can be."""
        found = self._site.assets.get(asset)
        if found is None:
            raise not_found(Label("设备", "asset"), asset[:64])
        if self._catalog.point(found.asset_class, point) is None:
            raise not_found(Label("点位", "point"), point[:100])
        asset_class = self._catalog.classes[found.asset_class]
        if asset_class.life_safety:
            zh = f"{asset_class.label.zh}属于生命安全设备：只监视，从不遥控"
            en = f"{asset_class.label.en} is life safety: it is observed, never commanded"
            raise ApiError(403, Label(zh, en), extra={"reason": "life_safety"})
        target = self.targets(asset).get(point)
        if target is None:
            zh, en = f"{asset} 的点位 {point} 不能遥控", f"The point {point} of {asset} can't be commanded"
            raise ApiError(422, Label(zh, en), extra={"reason": "not_writable"})
        return target

    def metrics(self) -> dict[str, float]:
        """Counters for /metrics."""
        return {f"commands_{name}": count for name, count in self.counts.items()}

    async def ask(
        self, user: User, asset: str, point: str, value: object, *, ttl: float | None, reason: str
    ) -> CommandRow:
        """Put a command on record and send it, unless a second person has to approve it first.

        ValueError for a value or time that may not be; ApiError as `target`, 429 for too many, 503 when it could not
        be sent: then it is on record as failed.
        """
        target = self.target(asset, point)
        wish = Wish(
            gateway=target.gateway,
            asset=asset,
            point=point,
            value=wanted(target, value),
            ttl=seconds(target, ttl),
            reason=reason,
            two_people=target.writing.two_people,
        )
        self._slow_down(user)
        row = await self.desk.ask(wish, actor=user.name, at=self._clock.ms())
        self.counts["asked"] += 1
        self._tell(row)
        return row if row.state is CommandState.AWAITING_SECOND else await self._send(row)

    async def approve(self, user: User, command: str) -> CommandRow:
        """Agree as the second person, and send it. ApiError 403 for the one who asked; else as `ask`."""
        before = await self.desk.command(command)
        if before.asked_by == user.name:
            zh, en = "须由另一人批准", "Somebody else has to approve: you asked for it yourself"
            raise ApiError(403, Label(zh, en), extra={"reason": "same_person"})
        wanted(self.target(before.asset, before.point), before.value)  # the site may have changed since
        row = await self.desk.approve(command, actor=user.name, at=self._clock.ms())
        self._tell(row)
        return await self._send(row)

    async def cancel(self, user: User, command: str) -> CommandRow:
        """Withdraw what was not sent yet."""
        row = await self.desk.cancel(command, actor=user.name, at=self._clock.ms())
        self._tell(row)
        return row

    def _slow_down(self, user: User) -> None:
        wait = math.ceil(self._brake.wait(user.name, user.name, self._clock.monotonic()))
        if wait > 0:
            detail = Label(f"指令过于频繁，请 {wait} 秒后再试", f"Too many commands; wait {wait} s")
            raise ApiError(429, detail, headers={"retry-after": str(wait)})

    async def _send(self, row: CommandRow) -> CommandRow:
        """Publish it; a command that can't be handed over now has failed, and is never sent later."""
        try:
            if not any(gateway.online for gateway in self._live.gateways() if gateway.id == row.gateway):
                raise BusError(f"the gateway {row.gateway} is offline")
            await self._bus.publish(commands_topic(self._site.id, row.gateway), encode(_on_the_wire(row)))
        except BusError as error:
            self.counts["undelivered"] += 1
            log.warning("command %s was not sent: %s", row.id, error)
            await self._failed(row, str(error))
            zh, en = "指令未能送达网关，已记为失败", "The command could not be handed to its gateway; it has failed"
            detail = Label(f"{zh}（{error}）", f"{en} ({error})")
            raise ApiError(503, detail, extra={"command": row.id}, headers={"retry-after": "5"}) from error
        return row

    async def _failed(self, row: CommandRow, why: str) -> None:
        try:
            self._tell(await self.desk.fail(row.id, why, at=self._clock.ms()))
        except TransitionError:
            log.info("command %s was thought undelivered, but its gateway has answered", row.id)

    def _tell(self, row: CommandRow) -> None:
        self.revision += 1
        data = {
            "id": row.id,
            "asset": row.asset,
            "point": row.point,
            "state": row.state.value,
            "step": row.last_step,
            "at": row.changed_at,
            "version": row.version,
        }
        self._live.fanout.publish(event("command", data, asset=row.asset))

    # -- listening ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep what gateways say, and end what waits too long, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="command results")
            group.create_task(self._watch(), name="command times")

    async def take(self, message: Message) -> None:
        """One message of a results topic; waits for the records if it must. What is not ours is counted."""
        try:
            _, gateway, _ = parse_topic(message.topic)
            said = decode(CommandStep, message.payload)
        except DecodeError as error:
            self.counts["undecodable"] += 1
            log.warning("commands: %s: %s", message.topic, error.reason)
            return
        try:
            row = await self._hear(gateway, said)
        except (NotFoundError, TransitionError, ValueError) as error:
            self.counts["strangers"] += 1
            log.warning("commands: %s: %s", message.topic, error)
            return
        self.counts["steps" if row else "repeated"] += 1
        if row:
            self._tell(row)

    async def _hear(self, gateway: str, said: CommandStep) -> CommandRow | None:
        while True:
            try:
                return await self.desk.hear(gateway, said, at=self._clock.ms())
            except StoreError as error:
                log.warning("commands: a step of %s waits for the records: %s", said.id, error)
                await self._clock.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with self._bus.subscribe(results_topic(self._site.id, "+")) as subscription:
            self.listening.set()
            async for message in subscription:
                await self.take(message)

    async def _watch(self) -> None:
        while True:
            try:
                for row in await self.desk.sweep(self._clock.ms()):
                    self._tell(row)
            except StoreError as error:
                log.warning("commands: the records don't answer: %s", error)
            await self._clock.sleep(SWEEP_S)


def _on_the_wire(row: CommandRow) -> Command:
    assert row.expires_at is not None
    return Command(
        id=row.id,
        asset=row.asset,
        point=row.point,
        value=row.value,
        by=row.asked_by,
        at=row.approved_at or row.created_at,
        expires=row.expires_at,
        second=row.approved_by,
        ttl=row.ttl,
        reason=row.reason,
    )
