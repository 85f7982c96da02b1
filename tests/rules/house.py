"""A house with a feed, boards and lifts, and one that plays alarms through records and sifter in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from facility.assets import Asset, Device, Line
from facility.points import Label
from facility.readings import Value
from facility.settings import RouteSettings
from rules.effects import Judgement
from rules.life.rows import AlarmRow
from rules.notification.flood import Limits
from rules.notification.folding import Folding, Relations
from rules.notification.notify import Routing
from rules.notification.repeat import Limit
from rules.notification.sift import Sifter
from rules.records.records import Records
from rules.role.settling import remember, settle
from rules.rule import Escalation, Rule, Severity
from tests.rules.builders import a_rule, an_emergency

LABEL = Label("物", "thing")
LIFTS = tuple(f"lift-{number}" for number in range(20))
ASSETS = {
    "feed": Asset("feed", "power", LABEL),
    "board": Asset("board", "power", LABEL, parents=("feed",)),
    "gw": Asset("gw", "gateway", LABEL),
    **{name: Asset(name, "elevator", LABEL, parents=("board",)) for name in LIFTS},
}
DEVICES = tuple(Device(name, "gw", "p", name, line=Line("10.0.0.1", 502), unit=n + 1) for n, name in enumerate(LIFTS))
ROUTING = Routing(
    "s1",
    {"duty": "zh", "boss": "en"},
    (RouteSettings(to=["duty"], severities=[1, 2, 3, 4], events=["raise", "clear", "ticket"]),),
    {name: asset.label for name, asset in ASSETS.items()},
)
SUPPLY = frozenset({"supply", "comms"})
MAINS = replace(a_rule("mains"), cause="supply")
DEAD = replace(a_rule("dead"), cause="supply", effect_of=frozenset({"supply"}))
OFFLINE = replace(a_rule("offline"), cause="comms")
EFFECT = replace(a_rule("effect"), effect_of=SUPPLY)
MINOR = a_rule("minor", severity=3)
ADVICE = a_rule("advice", severity=4, raises="nothing")
URGENT = a_rule("urgent")
LATE = replace(
    a_rule("late", severity=3),
    escalate=(Escalation(600, Severity.URGENT), Escalation(1200, Severity.EMERGENCY, until_acknowledged=True)),
)
FIRE = an_emergency("fire")
RULES = (MAINS, DEAD, OFFLINE, EFFECT, MINOR, ADVICE, URGENT, LATE, FIRE)


def a_sifter() -> Sifter:
    """With the default limits."""
    related = {rule.id: rule for rule in RULES if rule.cause or rule.effect_of}
    return Sifter(
        ROUTING, Folding(Relations.of(ASSETS, DEVICES), related), Limits(), Limit(), steps={LATE.id: LATE.escalate}
    )


@dataclass
class House:
    """`now` (ms) moves as the test says; each act is a transaction of its own, then whatever is due is done."""

    records: Records
    sifter: Sifter = field(default_factory=a_sifter)
    now: int = 1_000_000_000

    async def raise_(self, *what: tuple[Rule, str], facts: dict[str, Value] | None = None) -> None:
        """These alarms, in one transaction."""
        await self.judge(*(Judgement(rule, asset, "raise", self.now, self.now, facts or {}) for rule, asset in what))

    async def clear(self, *what: tuple[Rule, str]) -> None:
        """These conditions are over."""
        await self.judge(*(Judgement(rule, asset, "clear", self.now, self.now) for rule, asset in what))

    async def judge(self, *judgements: Judgement) -> None:
        """Whatever the engine says; a moment later."""
        self.now += 1
        await self.records.apply(judgements, ROUTING, self.now, sifter=self.sifter)

    async def wait(self, seconds: float, step: float = 1.0) -> None:
        """Time passes, with the housekeeping of the rules role."""
        end = self.now + round(seconds * 1000)
        while self.now < end:
            self.now = min(end, self.now + round(step * 1000))
            await settle(self.records, self.sifter, self.now, settled_before=self.now - 5_000)

    async def restart(self) -> None:
        """The role is started anew and knows what is on record."""
        self.sifter = a_sifter()
        await remember(self.records, self.sifter, self.now)

    async def told(self, channel: str = "duty", *, tickets: bool = False) -> list[str]:
        """`event alarm` of every message to a channel, the oldest first; those of tickets, or all others."""
        rows = {row.id: row for row in (await self.records.alarms(limit=1000)).items}
        found = []
        for item in reversed((await self.records.outbox(kind="message", limit=1000)).items):
            if item.channel == channel:
                row = rows.get(item.alarm_id or "")
                parts = item.key.split(":")
                found.append(f"{parts[1]} {row.rule} {row.asset}" if row else f"flood {parts[3]}")
        return [line for line in found if line.startswith("ticket") is tickets]

    async def alarm(self, rule: Rule, asset: str) -> AlarmRow:
        """The newest alarm of a rule on an asset."""
        rows = (await self.records.alarms(asset=asset, limit=1000)).items
        return next(row for row in rows if row.rule == rule.id)

    async def reasons(self, rule: Rule, asset: str) -> list[tuple[str, str]]:
        """(event, reason) of its journal."""
        row = await self.alarm(rule, asset)
        return [(entry.event, entry.reason) for entry in await self.records.journal(row.id)]
