"""A fire in the house of the API's tests, told reading by reading: judged by the linkage and written down."""

from __future__ import annotations

from dataclasses import replace

from facility.readings import Quality, Sample, Value
from rules.book.compiled import Rulebook
from rules.effects import Judgement
from rules.language.expression import compile_expression
from rules.linkage.judge import Linkage
from rules.linkage.matrix import Effect, Matrix
from rules.records.linkage_runs import keep_runs
from rules.records.rule_texts import note_versions
from tests.api.house import House
from tests.api.linkage_runs import a_matrix

S = 1000
BEGUN = 300
"""Seconds before now at which the story begins; the fire is 10 s later."""


class Story:
    """A panel, what it tells, and what the linkage makes of it, in the records."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.start = house.clock.ms() - BEGUN * S
        plain = a_matrix(house)
        self.matrix: Matrix = replace(
            plain, settle=60 * S, effects=tuple(self._with_unexpected(effect) for effect in plain.effects)
        )
        house.deps.explainer._book = Rulebook({}, linkage=(self.matrix,))
        site = house.deps.site
        self.linkage = Linkage(site.id, (self.matrix,), site.assets, house.deps.catalog)
        self.ticked = self.start

    def _with_unexpected(self, effect: Effect) -> Effect:
        panel = self.house.deps.catalog.classes["fire_alarm"]
        if effect.number != 8:
            return effect
        text = "fan.smoke_run and not panel.fire"
        command = compile_expression("fan.smoke_cmd", panel)
        return replace(effect, unexpected=compile_expression(text, panel), command=command)

    async def tell(self, second: float, values: dict[str, Value], quality: Quality = Quality.SENSOR) -> None:
        """One sample of the panel: stored, judged, and what follows written down."""
        await self.pass_to(second)
        bad = {key: quality for key, value in values.items() if value is None}
        sample = Sample("FA-01", self.start + round(second * S), values, bad)
        await self.house.publish(sample)
        await self._keep(self.linkage.on_sample(sample))

    async def pass_to(self, second: float) -> None:
        """Tick every second."""
        while self.ticked < self.start + second * S:
            self.ticked += S
            await self._keep(self.linkage.on_tick(self.ticked))

    async def quiet(self) -> None:
        """Nothing burns, nothing has acted."""
        site = self.house.deps.site.id
        await note_versions(self.house.deps.records, site, (), self.start, beside=self.linkage.rules)
        points = (
            "panel.fire", "link.emergency_lighting", "link.lift_recall_feedback", "link.door_release_feedback",
            "fan.smoke_run", "fan.smoke_cmd", "link.power_shed_feedback",
        )  # fmt: skip
        await self.tell(0, dict.fromkeys(points, False))

    async def alarm(self, rule: str) -> str:
        """The id of its alarm."""
        rows = (await self.house.deps.records.alarms(asset="FA-01", limit=50)).items
        return next(row.id for row in rows if row.rule == rule)

    async def _keep(self, judgements: list[Judgement]) -> None:
        if judgements:
            await self.house.deps.records.apply(judgements, self.house.routing, self.ticked)
        async with self.house.deps.records.writing() as connection:
            await keep_runs(connection, runs=self.linkage.take_dirty(), at=self.ticked)


async def fire(story: Story) -> None:
    """Confirmed at second 10. Doors in time; no fan, although it was told to; the lifts' feedback is broken."""
    await story.quiet()
    await story.tell(10, {"panel.fire": True, "fan.smoke_cmd": True})
    await story.tell(12, {"link.lift_recall_feedback": None})
    await story.tell(14, {"link.door_release_feedback": True})
    await story.tell(20, {"fan.smoke_run": False, "link.emergency_lighting": True})
