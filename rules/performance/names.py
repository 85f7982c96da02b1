"""What the alarms of the figures are called: as their newest occurrence was, for a rule may be gone by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from facility.points import Label
from rules.performance.tally import Key
from rules.records import schema
from rules.records.records import Records


async def titles(records: Records, site: str, keys: Iterable[Key]) -> dict[Key, Label]:
    """The title of each of these few alarms, where one was ever raised."""
    table, found = schema.alarms, {}
    for key in set(keys):
        query = (
            select(table.c.title_zh, table.c.title_en)
            .where(table.c.asset == key[2], table.c.site == site, table.c.rule == key[0], table.c.rule_index == key[1])
            .order_by(table.c.id.desc())
            .limit(1)
        )
        for item in await records.rows(query):
            found[key] = Label(item["title_zh"], item["title_en"])
    return found


def title_of(key: Key, named: Mapping[Key, Label]) -> Label:
    """Its title, or the rule's id where there is none."""
    return named.get(key) or Label(key[0], key[0])
