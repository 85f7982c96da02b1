"""The gateways of a site, to the rules: what they say of themselves is judged like readings (and not stored), and what
they told is unknown while they are gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from facility.again import ask_again
from facility.bus import Bus, Subscription
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import DecodeError
from facility.presence import Presence
from rules.book.mapped import served_points
from rules.effects import Judgement
from rules.gateway_health import GatewayHealth
from rules.judges import Judges
from rules.role.silence import Silence

LOOK = 0.5
"""Seconds between looks at who has fallen silent."""
Judge = Callable[[str, Callable[[], list[Judgement]]], None]
"""(about what, the judging): carry it out, and see to its judgements and its faults."""


class Gateways:
    """Made and run by the rules role. `counts` is the role's own."""

    def __init__(  # noqa: PLR0913 - the role hands over each part by name
        self,
        site: Site,
        catalog: Catalog,
        judges: Judges,
        *,
        bus: Bus,
        clock: Clock,
        judge: Judge,
        counts: Counter[str],
    ) -> None:
        self._judges, self._bus, self._clock, self._judge, self._counts = judges, bus, clock, judge, counts
        self._site = site.id
        self._presence = {name: Presence(clock.ms()) for name in site.gateways}
        self._silence = Silence(self._presence, served_points(site, catalog))
        assets = {name: presence for name, presence in self._presence.items() if name in site.assets}
        self._health = GatewayHealth(site.id, assets)

    @property
    def offline(self) -> int:
        """How many are gone now."""
        return self._health.offline

    def spoke(self, gateway: str) -> None:
        """A live batch of it has come."""
        self._presence[gateway].spoke(self._clock.ms())

    async def listen(self, statuses: Subscription) -> None:
        """Judge what they say, for ever."""
        async for message in statuses:
            try:
                said = self._health.hear(message.topic, message.payload, self._clock.ms(), retained=message.retain)
            except DecodeError:
                self._counts["undecodable"] += 1
                continue
            self._counts["statuses" if said else "unknown_gateway"] += 1
            if said:
                self._judge(said.asset, partial(self._judges.on_sample, said))  # no reading, so it moves no cursor

    async def watch(self, lag: int) -> None:
        """Judge their silence, for ever; the engine is `lag` ms behind. Who is back is asked for everything."""
        while True:
            back = self.look(self._clock.ms(), lag)
            if back and self._bus.connected:
                await ask_again(self._bus, self._site, back)
            await self._clock.sleep(LOOK)

    def look(self, now: int, lag: int = 0) -> list[str]:
        """Judge who is silent now; those that came back."""
        for sample in self._health.tick(now):
            self._judge(sample.asset, partial(self._judges.on_sample, sample))
        turned = self._silence.look(now)
        for asset, points in turned.silent:
            self._judge(asset, partial(self._judges.hush, asset, points, now - lag))
        for asset, points in turned.heard:
            self._judge(asset, partial(self._judges.unhush, asset, points, now - lag))
        return turned.back
