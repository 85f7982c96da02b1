"""What each shadow rule did and what the live rule did meanwhile, side by side, so that a manager can decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rules.records.records import Records
from rules.records.rule_texts import running_versions
from rules.records.shadow import live_episodes, shadow_episodes
from rules.rule import Rule
from rules.trial.compare import Comparison, Episode, compare
from rules.versions import rule_of


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A shadow rule that runs now. `since`: from when on both ran (ms UTC); old is the live rule, new the shadow."""

    rule: Rule
    since: int
    comparison: Comparison


async def side_by_side(records: Records, site: str, since: int, *, time_zone: str) -> list[SideBySide]:
    """Every shadow rule that ran when rules started last, over the time since `since`. StoreError.

    A shadow rule that is younger is compared from when its present text ran first: nothing is known of it before.
    """
    found = []
    running = [
        (item, rule_of(item.text, origin=item.origin)) for item in (await running_versions(records, site)).values()
    ]
    async with records.reading() as connection:
        raised = await shadow_episodes(connection, site, since)
        for row, rule in sorted(running, key=lambda pair: pair[1].id):
            if not rule.shadow:
                continue
            begun = max(since, row.first_seen)
            live = await live_episodes(connection, site, rule.shadow_of, begun) if rule.shadow_of else []
            mine = _named(raised.get(rule.id, ()), rule.shadow_of or rule.id, begun)
            found.append(SideBySide(rule, begun, compare(live, mine, time_zone=time_zone)))
    return found


def _named(episodes: Iterable[Episode], rule: str, since: int) -> list[Episode]:
    """The episodes under the live rule's id, so that both sides meet; those that were over before are left out."""
    return [
        replace(item, key=(rule, *item.key[1:])) for item in episodes if item.cleared is None or item.cleared >= since
    ]
